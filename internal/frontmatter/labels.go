package frontmatter

import (
	"fmt"
	"strings"
)

// labels reads the tags that an item gives: a list, perhaps of lists as Hexo has categories, a text
// with commas, or Zola's table of taxonomies.
func (p *parser) labels(key string, it item, v *value) []string {
	switch {
	case v.kind == mapping && squash(it.key) == "taxonomies":
		var out []string
		for _, e := range v.pairs {
			if meanings[squash(e.key)].field == tags && e.value.kind != mapping {
				out = append(out, p.labels(e.key, item{key: e.key, line: e.line, value: e.value}, e.value)...)
			} else {
				p.note(KeyIgnored, e.line, e.key, "only tags and categories become tags", "")
			}
		}
		return out
	case v.kind == sequence:
		flat := &value{kind: sequence, line: v.line}
		for _, e := range v.list {
			if e.kind == sequence && squash(key) == "categories" && len(e.list) <= maxList {
				flat.list = append(flat.list, e.list...)
			} else {
				flat.list = append(flat.list, e)
			}
		}
		it.value = flat
		return withoutSigns(p.list(it, false))
	}
	texts := p.list(it, true)
	if len(texts) != 1 || !strings.Contains(texts[0], " ") || v.kind != scalar {
		return withoutSigns(texts)
	}
	parts := strings.Fields(texts[0])
	if !p.jekyll() && !allSigned(parts) {
		return withoutSigns(texts)
	}
	if len(parts) > maxList {
		p.fail(it.line, it.key, fmt.Sprintf("there are %d entries and at most %d are read", len(parts), maxList),
			"shorten it")
		return nil
	}
	p.note(Choice, it.line, it.key, fmt.Sprintf("this is read as %d tags, as Jekyll does", len(parts)),
		"if it is one, write "+it.key+": ["+quote(texts[0], true)+"]")
	return withoutSigns(parts)
}

// allSigned reports whether each word is a tag as Obsidian writes it: #one #two.
func allSigned(parts []string) bool {
	for _, s := range parts {
		if !strings.HasPrefix(s, "#") {
			return false
		}
	}
	return true
}

func withoutSigns(labels []string) []string {
	out := make([]string, 0, len(labels))
	for _, s := range labels {
		if plain := strings.TrimLeft(s, "#"); plain != "" && plain[0] != ' ' {
			s = plain
		}
		out = append(out, s)
	}
	return out
}

// person reads the author: a name or an e-mail address, the first of several, or a mapping that
// has one of the two.
func (p *parser) person(it item) string {
	v := it.value
	if v.kind == sequence && len(v.list) > 0 {
		if len(v.list) > 1 {
			p.note(Choice, it.line, it.key, fmt.Sprintf("a post has one author: the first of these %d", len(v.list)), "")
		}
		v = v.list[0]
	}
	if v.kind == mapping {
		for _, want := range []string{"email", "name", "displayname", "title", "login", "github"} {
			for _, e := range v.pairs {
				if squash(e.key) == want && e.value.kind == scalar {
					return oneLine(e.value.text)
				}
			}
		}
	}
	it.value = v
	return p.text(it)
}
