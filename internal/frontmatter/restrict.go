package frontmatter

import (
	"regexp"
	"slices"
	"strings"
)

// restricting are parts of names by which systems keep something from some readers: of keys, shortcodes, blocks and
// their settings. They are in the form of squash.
var restricting = strings.Fields("member restrict private protect paywall premium subscriber encrypt passw paid " +
	"confidential patron")

// ofSession are further parts of the names of shortcodes, blocks and their settings, and ofOpening of shortcodes and
// blocks alone: elsewhere they speak of other things as well, such as what opens when somebody asks for it.
var (
	ofSession = strings.Fields("visibility userrole logged")
	ofOpening = strings.Fields("hidden hide login unlock locker")
)

// contains reports whether one of the words is in a name in the form of squash.
func contains(name string, words []string) bool {
	if len(name) >= longKey {
		return false
	}
	name = strings.ReplaceAll(name, "remember", "") // classic-editor-remember
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// Restricts reports whether a shortcode or a block has a name by which systems keep something from some readers.
func Restricts(name string) bool { return RestrictsSetting(name) || contains(squash(name), ofOpening) }

// RestrictsSetting reports whether a block's setting has such a name.
func RestrictsSetting(name string) bool {
	return RestrictsKey(name) || contains(squash(name), ofSession)
}

// RestrictsKey reports whether a key has a name by which systems keep something from some readers, whatever its value.
func RestrictsKey(key string) bool { return contains(squash(key), restricting) }

// SpeaksOfReaders reports whether a key says, in the same words as in front matter, who may read something. contrary
// says that it is for everybody where it is true.
func SpeaksOfReaders(key string) (speaks, contrary bool) {
	key = squash(key)
	s, found := speechOf(key)
	return found && !s.vague || contains(key, restricting), found && s.manner == ifFalse
}

// Hides reports whether a key of a shortcode, or of what a plugin has stored, says with its value that not everybody
// may read something, or may say so. The words are those of front matter, but the vague ones.
func Hides(key, text string) bool { return hides(key, text, roles) }

// hides is Hides, with further keys that restrict.
func hides(key, text string, further []string) bool {
	key = squash(key)
	v := &value{kind: scalar, text: text}
	if slices.Contains([]string{"", "a:0:{}", "[]", "{}"}, v.plainText()) { // PHP's and JSON's empty lists
		return false
	}
	if s, found := speechOf(key); found && !s.vague {
		if said := s.judge(v); said == private || said == unclear && !s.opens {
			return true
		}
	}
	if yes, isTruth := v.truth(); isTruth && !yes || slices.Contains([]string{
		"none", "any", "all", "everybody", "everyone", "public",
	}, v.plainText()) {
		return false
	}
	return contains(key, restricting) || slices.Contains(further, key)
}

// roles are attributes that name those to whom something is shown.
var roles = strings.Fields("role roles userrole userroles capability capabilities")

// privateMarks finds what in the text keeps a part of it from some readers: Ghost's beginning of what members
// read, and shortcodes, tags and components around it.
func (p *parser) privateMarks() (found []statement) {
	var fence codeFence
	n := p.file.parts.firstOfBody - 1
	for line := range strings.Lines(p.file.Body) {
		n++
		if fence.holds(strings.TrimLeft(line, " \t>")) {
			continue
		}
		for _, m := range privateMark.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), 50) {
			name := m[1] + m[2] + m[4] + m[5] + m[7] + m[8]
			switch isComment := m[1] != ""; {
			case isComment && privateName(name), (!isComment || len(strings.Fields(name)) < 3) && RestrictsKey(name),
				attributesHide(m[3], nil), attributesHide(m[6], roles):
				return []statement{{name, n}}
			}
		}
	}
	return nil
}

// attributesHide reports whether one of the attributes of a shortcode keeps it from some readers.
func attributesHide(text string, further []string) bool {
	for _, m := range markAttribute.FindAllStringSubmatch(text, 50) {
		if hides(m[1], m[2]+m[3]+m[4], further) {
			return true
		}
	}
	return false
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	// privateMark matches a comment of few words; a shortcode or tag of Hugo's and Liquid's; one of WordPress's that
	// ends, or has attributes; a container (:::name) and a component.
	privateMark = regexp.MustCompile(`<!--\s*(\pL[\pL _-]{0,40}?)\s*-->` +
		`|\{[{%][<%]?[-\s]*(\pL[\pL\pN_-]*)([^\n>%}]*)` +
		`|\[/(\pL[\pL\pN_-]*)\]` +
		`|\[(\pL[\pL\pN_-]*)(\s+[\pL_-]+\s*=[^\]\n]*)\]` +
		`|^\s*:{3,}\s*\{?\.?(\pL[\pL\pN_-]*)` +
		`|<(\p{Lu}[\pL\pN_.-]*)`)
	markAttribute = regexp.MustCompile(`([\pL_-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))`)
)
