package frontmatter

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// quote returns a text of one line as YAML: plain when that is read back as the same text,
// otherwise in double quotes. inList is for [a, b].
func quote(s string, inList bool) string {
	if plain(s, inList) {
		return s
	}
	return doubleQuoted(s)
}

// plain reports whether s can be written without quotes. It accepts less than YAML, so that readers
// of the file need not know the details of YAML.
func plain(s string, inList bool) bool {
	switch strings.ToLower(s) {
	case "", "yes", "no", "on", "off", "y", "n": // programs with YAML 1.1 read these as booleans
		return false
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), i > 0 && unicode.Is(unicode.M, r):
		case i == 0:
			// Paths begin with a slash.
			if r != '/' {
				return false
			}
		case strings.ContainsRune(" -_./()+!?&'–—’“”…", r):
		case r == ',' && !inList:
		default:
			return false
		}
	}
	if strings.HasSuffix(s, " ") || strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		return false
	}
	// YAML itself decides, at the place where the text will be.
	src := "k: " + s
	if inList {
		src = "k: [" + s + "]"
	}
	root, err := document([]byte(src))
	if err != nil || root == nil || root.Kind != yaml.MappingNode || len(root.Content) != 2 {
		return false
	}
	v := root.Content[1]
	if inList && len(v.Content) == 1 {
		v = v.Content[0]
	}
	return v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" && v.Value == s
}

// doubleQuoted returns s in double quotes. It escapes what YAML 1.1 does not allow there, and what
// an editor would not show.
func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r >= 0x7f && r <= 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == '\u2028', r == '\u2029', r == '\ufeff', r == '\ufffe', r == '\uffff':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
