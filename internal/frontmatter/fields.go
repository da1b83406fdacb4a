package frontmatter

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// field is one known field of a file; set is several.
type field uint8
type set map[field]bool

const (
	none field = iota
	title
	slug
	publishedAt
	isDraft
	description
	author
	tags
	permalinks
	body
)

// canonical names the keys in the order in which new files have them.
func canonical() []string {
	return []string{title: "title", slug: "slug", publishedAt: "published_at", isDraft: "is_draft",
		description: "description", author: "author", tags: "tags", permalinks: "permalinks"}
}

// known gives the field a key means, or none. "date" and "draft" are what
// Jekyll and Hugo call them.
func known(key string) field {
	switch key {
	case "date":
		return publishedAt
	case "draft":
		return isDraft
	case "":
		return none
	}
	for f, name := range canonical() {
		if name == key {
			return field(f) // #nosec G115 -- fewer than ten
		}
	}
	return none
}

// suggestion is the key that an unknown one probably means.
func suggestion(key string) string {
	plain := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	if f := known(plain); f != none {
		return plain
	}
	switch plain {
	case "tag", "categories", "category", "keywords":
		return "tags"
	case "summary", "excerpt", "subtitle":
		return "description"
	case "permalink", "aliases", "redirect_from", "url":
		return "permalinks"
	case "publishdate", "publish_date", "published", "pubdate", "publishedat", "created", "created_at":
		return "published_at"
	case "authors", "by":
		return "author"
	case "isdraft":
		return "is_draft"
	}
	return ""
}

// fields reads the front matter into the file, then fills in what it left out.
func (p *parser) fields() {
	f := &p.file
	seen := map[field]item{}
	dateText := ""
	for _, it := range p.readItems() {
		f.items = append(f.items, it)
		if it.field == none {
			f.Extra = append(f.Extra, Extra{Key: it.key.Value, Text: it.text, Line: it.line})
			hint := ""
			if s := suggestion(it.key.Value); s != "" {
				hint = "if it is meant for this blog, write " + s
			}
			p.warn(it.line, it.key.Value, "this key is kept for the export and otherwise ignored", hint)
			continue
		}
		if before, twice := seen[it.field]; twice && before.key.Value != it.key.Value {
			p.compare(before, it)
		}
		seen[it.field] = it
		p.read(it, &dateText)
	}
	f.Draft = f.Draft || !f.HasDraft && !f.HasDate
	p.fillIn(dateText)
}

// read puts one known item into the file.
func (p *parser) read(it item, dateText *string) {
	f := &p.file
	switch it.field {
	case title:
		f.Title = p.text(it)
		f.HasTitle = f.Title != ""
	case slug:
		f.Slug = p.text(it)
		f.HasSlug = f.Slug != ""
	case description:
		f.Description = p.text(it)
	case author:
		f.Author = p.text(it)
	case tags:
		f.Tags = p.list(it, true)
	case permalinks:
		f.Permalinks = p.list(it, false)
	case isDraft:
		if v, ok := p.boolean(it); ok {
			f.Draft, f.HasDraft = v, true
		}
	case publishedAt:
		text := p.text(it)
		if text == "" {
			return
		}
		*dateText = text
		t, err := ParseDate(text, f.loc)
		if err != nil {
			p.fail(it.line, it.key.Value, err.Message, err.Hint)
			return
		}
		f.PublishedAt, f.HasDate = &t, true
	}
}

// compare refuses a field that is given under two names with two values. A
// name without a value says nothing.
func (p *parser) compare(a, b item) {
	one, two := scalar(a.value), scalar(b.value)
	if one == "" || two == "" || one == two {
		return
	}
	p.fail(b.line, b.key.Value, fmt.Sprintf("this says %s, and %s in line %d says %s", shorten(two), a.key.Value, a.line, shorten(one)),
		"remove one of the two lines")
}

func scalar(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return strings.ToLower(oneLine(n.Value))
}

// text reads a value that is one text. Numbers, dates and booleans are texts,
// too: nobody means them otherwise in a title.
func (p *parser) text(it item) string {
	s, ok := p.scalar(it, it.value)
	if !ok {
		kind := "a list"
		if it.value.Kind == yaml.MappingNode {
			kind = "a mapping"
		}
		p.fail(it.line, it.key.Value, "this must be one text, and it is "+kind, "put the text in quotes: "+it.key.Value+`: "…"`)
	}
	return s
}

// scalar reads one text; ok is false where there is something else.
func (p *parser) scalar(it item, n *yaml.Node) (s string, ok bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		p.fail(n.Line+1, it.key.Value, fmt.Sprintf("YAML reads %s as a type, not as text", n.Tag), "put the text in quotes: "+it.key.Value+": "+doubleQuoted(strings.TrimSpace(n.Tag+" "+n.Value)))
		return "", true
	}
	if n.ShortTag() == "!!null" {
		comment := strings.TrimSpace(n.LineComment)
		if comment == "" {
			comment = strings.TrimSpace(it.key.LineComment)
		}
		if n == it.value && comment != "" {
			p.warn(it.line, it.key.Value, "YAML reads what follows # as a comment, so this is empty", "put the text in quotes: "+it.key.Value+": "+doubleQuoted(comment))
		}
		return "", true
	}
	return oneLine(n.Value), true
}

// list reads a list of texts, or one; with commas, one text may hold several.
func (p *parser) list(it item, commas bool) []string {
	n := it.value
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var texts []string
	switch n.Kind {
	case yaml.SequenceNode:
		if len(n.Content) > maxList {
			p.fail(it.line, it.key.Value, fmt.Sprintf("this list has %d entries and at most %d are read", len(n.Content), maxList), "shorten it")
			return nil
		}
		for _, e := range n.Content {
			s, ok := p.scalar(it, e)
			if !ok {
				p.fail(e.Line+1, it.key.Value, "every entry must be one text", "write a simple list: "+it.key.Value+": [one, two]; quote texts that hold : or #")
				continue
			}
			texts = append(texts, s)
		}
	case yaml.MappingNode:
		p.fail(it.line, it.key.Value, "this must be a list, and it is a mapping", "write a simple list: "+it.key.Value+": [one, two]")
	default:
		s, _ := p.scalar(it, n)
		texts = []string{s}
		if commas {
			texts = strings.Split(s, ",")
		}
		if len(texts) > maxList {
			p.fail(it.line, it.key.Value, fmt.Sprintf("there are %d entries and at most %d are read", len(texts), maxList), "shorten it")
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
func (p *parser) boolean(it item) (v, ok bool) {
	s := p.text(it)
	switch strings.ToLower(s) {
	case "true", "yes", "on", "y":
		return true, true
	case "false", "no", "off", "n":
		return false, true
	case "":
		return false, false
	}
	p.fail(it.line, it.key.Value, shorten(s)+" is neither yes nor no", "write "+it.key.Value+": true or "+it.key.Value+": false")
	return false, false
}

// oneLine makes a text of one line: control characters and runs of blanks
// become one blank each.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// shorten quotes a value for a message.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return "“" + s + "”"
}
