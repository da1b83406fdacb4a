package frontmatter

import (
	"fmt"
	"strings"
	"unicode"
)

// text reads a value that is one text. Numbers, dates and booleans are texts,
// too: nobody means them otherwise in a title.
func (p *parser) text(it item) string {
	s, ok := p.scalar(it, it.value)
	if !ok {
		kind := "a list"
		if it.value.kind == mapping {
			kind = "a mapping"
		}
		p.fail(it.line, it.key, "this must be one text, and it is "+kind,
			"put the text in quotes: "+it.key+`: "…"`)
	}
	return s
}

// scalar reads one text; ok is false where there is something else.
func (p *parser) scalar(it item, v *value) (s string, ok bool) {
	switch {
	case v.tag != "":
		p.fail(v.line, it.key, fmt.Sprintf("YAML reads %s as a type, not as text", v.tag),
			"put the text in quotes: "+it.key+": "+doubleQuoted(strings.TrimSpace(v.tag+" "+v.text)))
		return "", true
	case v.kind == nothing:
		if v == it.value && v.comment != "" {
			p.warn(it.line, it.key, "YAML reads what follows # as a comment, so this is empty",
				"put the text in quotes: "+it.key+": "+doubleQuoted(v.comment))
		}
		return "", true
	case v.kind != scalar:
		return "", false
	}
	return oneLine(v.text), true
}

// list reads a list of texts, or one; with commas, one text may hold several.
func (p *parser) list(it item, commas bool) []string {
	var texts []string
	switch it.value.kind {
	case sequence:
		if len(it.value.list) > maxList {
			p.fail(it.line, it.key,
				fmt.Sprintf("this list has %d entries and at most %d are read", len(it.value.list), maxList), "shorten it")
			return nil
		}
		for _, e := range it.value.list {
			s, ok := p.scalar(it, e)
			if !ok {
				p.fail(e.line, it.key, "every entry must be one text",
					"write a simple list: "+it.key+": [one, two]; quote texts that hold : or #")
				continue
			}
			texts = append(texts, s)
		}
	case mapping:
		p.fail(it.line, it.key, "this must be a list, and it is a mapping",
			"write a simple list: "+it.key+": [one, two]")
	default:
		s, _ := p.scalar(it, it.value)
		texts = []string{s}
		if commas {
			texts = strings.Split(s, ",")
		}
		if len(texts) > maxList {
			p.fail(it.line, it.key, fmt.Sprintf("there are %d entries and at most %d are read", len(texts), maxList),
				"shorten it")
			return nil
		}
	}
	return unique(texts)
}

// unique trims texts and drops what is empty or repeated.
func unique(texts []string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, s := range texts {
		if s = oneLine(s); !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// boolean reads yes or no; ok is false where there is no value or no sense.
func (p *parser) boolean(it item) (yes, ok bool) {
	s := p.text(it)
	if yes, ok = it.value.truth(); ok || s == "" {
		return yes, ok
	}
	p.fail(it.line, it.key, shorten(s)+" is neither yes nor no", "write "+it.key+": true or "+it.key+": false")
	return false, false
}

// oneLine makes a text of one line: control characters and runs of blanks
// become one blank each.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

// shorten quotes a value for a message.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return "“" + s + "”"
}
