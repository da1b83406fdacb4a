package frontmatter

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// explainChunk reports what is wrong with a top-level entry that does not parse. line is where the
// entry begins in the file.
func (p *parser) explainChunk(chunk []byte, line int) {
	starts := lineStarts(chunk)
	at := brokenLine(chunk, starts)
	text := strings.TrimRight(string(chunk[starts[at]:starts[at+1]]), "\r\n")
	line += at
	for i := at; i+1 < len(starts) && i <= at+1; i++ {
		l := chunk[starts[i]:starts[i+1]]
		if bytes.ContainsRune(l[:len(l)-len(bytes.TrimLeft(l, " \t"))], '\t') {
			p.fail(line+i-at, "", "this line is indented with a tab, which YAML does not allow",
				"use two spaces: "+strings.ReplaceAll(strings.TrimRight(string(l), "\r\n"), "\t", "  "))
			return
		}
	}
	key, value, found := strings.Cut(text, ":")
	name := strings.TrimSpace(key)
	var prefix string
	switch {
	case strings.HasPrefix(name, "- "):
		prefix, value, name = "- ", strings.TrimPrefix(strings.TrimSpace(text), "- "), ""
	case !found:
		p.fail(line, "", shorten(strings.TrimSpace(text))+" is no key with a value",
			"write key: value, or indent the line if it continues the one above")
		return
	case value != "" && value[0] != ' ' && value[0] != '\t':
		p.fail(line, name, "there is no space after the colon", "write "+name+": "+quote(strings.TrimSpace(value), false))
		return
	default:
		prefix = name + ": "
	}
	value = strings.TrimSpace(value)
	p.fail(line, name, reason(value), "write "+prefix+repaired(known(name), value))
}

// brokenLine returns the line behind the longest beginning of a chunk that can be parsed. The
// search is quadratic, so it is bounded.
func brokenLine(chunk []byte, starts []int) int {
	for n := min(len(starts)-2, 200); n > 0; n-- {
		if root, err := document(chunk[:starts[n]]); err == nil && root != nil && root.Kind == yaml.MappingNode {
			return n
		}
	}
	return 0
}

// reason returns what YAML does not accept in a value of one line.
func reason(value string) string {
	if value == "" {
		return "YAML cannot read the lines below this key"
	}
	switch q := value[0]; {
	case strings.ContainsRune(`"'`, rune(q)):
		remainder := strings.ReplaceAll(value[1:], `\`+string(q), "")
		switch i := strings.IndexByte(remainder, q); {
		case i < 0:
			return "the quote that opens the value is never closed"
		case strings.TrimSpace(remainder[i+1:]) != "":
			return "there is text behind the closing quote"
		}
		return "YAML cannot read what stands between the quotes"
	case q == '[' || q == '{':
		if !strings.ContainsAny(value, "]}") {
			return "the bracket that opens the value is never closed"
		}
		return "a value that begins with a bracket must be a list as a whole"
	case strings.ContainsRune("@`%&*!|>?-,]}", rune(q)):
		return "a value cannot begin with " + string(q) + " in YAML"
	case strings.Contains(value, "\t"):
		return "there is a tab in the value"
	case strings.Contains(value, ": ") || strings.HasSuffix(value, ":"):
		return "a colon in a value needs quotes around the value"
	}
	return "YAML cannot read this value"
}

// repaired returns a value that YAML reads as what was most likely meant.
func repaired(f field, value string) string {
	if (f == tags || f == permalinks) && strings.HasPrefix(value, "[") {
		var parts []string
		for _, s := range strings.Split(strings.Trim(value, "[]"), ",") {
			parts = append(parts, quote(strings.Trim(strings.TrimSpace(s), `"'`), true))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if value == "" {
		return "a value, or a list with two spaces and a dash before each entry"
	}
	if q := value[0]; q == '"' || q == '\'' {
		inner := value[1:]
		if strings.Count(inner, string(q)) == 0 {
			value = inner
		}
	}
	if strings.ContainsAny(value, `"\`) && !strings.Contains(value, "'") {
		return "'" + value + "'" // easier to read than escapes
	}
	return doubleQuoted(value)
}
