package frontmatter

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// layout is how an entry is written, so that it looks like the one it replaces.
type layout struct {
	key      string // what the file calls the field; "" for its own name
	indent   string
	eol      string
	anchor   string
	comment  string
	dashes   bool // lists have a line and a dash for each entry
	dashAt   string
	dayIn    *time.Location // dates at midnight there are written as a day
	evenNull bool           // an entry without value stays, for its anchor
}

// layoutOf reads the layout of an entry.
func (f *File) layoutOf(it item) layout {
	l := layout{key: it.key.Value, indent: strings.Repeat(" ", it.key.Column-1), eol: f.parts.eol, anchor: it.value.Anchor}
	l.evenNull = l.anchor != ""
	if !strings.Contains(it.text, "\n") {
		l.comment = it.value.LineComment
	}
	if it.value.Kind == yaml.SequenceNode && it.value.Style&yaml.FlowStyle == 0 {
		l.dashes, l.dashAt = true, strings.Repeat(" ", max(it.value.Column-1, 0))
	}
	if it.value.Kind == yaml.ScalarNode && len(it.value.Value) == len(time.DateOnly) {
		l.dayIn = f.loc
	}
	return l
}

// entry writes one field with its line end; nothing where it has no value.
func entry(name field, f Fields, l layout) string {
	if l.key == "" {
		l.key = canonical()[name]
	}
	head := l.indent + l.key + ":"
	if l.anchor != "" {
		head += " &" + l.anchor
	}
	value := ""
	switch name {
	case title:
		value = text(f.Title)
	case slug:
		value = text(f.Slug)
	case description:
		value = text(f.Description)
	case author:
		value = text(f.Author)
	case publishedAt:
		value = date(f.PublishedAt, l.dayIn)
	case isDraft:
		value = "false"
		if f.Draft {
			value = "true"
		}
	case tags:
		value = list(f.Tags, l)
	case permalinks:
		value = list(f.Permalinks, l)
	}
	switch {
	case value == "" && l.evenNull:
		return head + l.eol
	case value == "":
		return ""
	case !strings.HasPrefix(value, l.eol):
		value = " " + value
	}
	if l.comment != "" {
		value += " " + l.comment
	}
	return head + value + l.eol
}

func text(s string) string {
	if s == "" {
		return ""
	}
	return quote(s, false)
}

func date(t *time.Time, dayIn *time.Location) string {
	if t == nil {
		return ""
	}
	if dayIn != nil {
		if local := t.In(dayIn); local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 {
			return local.Format(time.DateOnly)
		}
	}
	return t.UTC().Format(time.RFC3339)
}

func list(texts []string, l layout) string {
	if len(texts) == 0 {
		return ""
	}
	if l.dashes {
		var b strings.Builder
		for _, s := range texts {
			b.WriteString(l.eol + l.dashAt + "- " + quote(s, false))
		}
		return b.String()
	}
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = quote(s, true)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// canonicalFile writes a new file, with the unknown keys of orig if there is
// one. is_draft is written where it does not follow from the date.
func canonicalFile(f Fields, orig *File) []byte {
	l := layout{eol: "\n"}
	var b strings.Builder
	b.WriteString("---\n")
	for i, key := range canonical() {
		name := field(i) // #nosec G115 -- fewer than ten
		if key == "" || name == isDraft && f.Draft == (f.PublishedAt == nil) {
			continue
		}
		if name == permalinks {
			l.dashes, l.dashAt = true, "  "
		}
		b.WriteString(entry(name, f, l))
	}
	if orig != nil {
		for _, e := range orig.Extra {
			b.WriteString(dedent(e.Text) + "\n")
		}
	}
	b.WriteString("---\n")
	if f.Body != "" {
		b.WriteString("\n" + f.Body + "\n")
	}
	out := b.String()
	if orig != nil && orig.parts.eol != "" {
		out = strings.ReplaceAll(out, "\n", orig.parts.eol)
	}
	return []byte(out)
}

// dedent takes from every line the blanks that the first one begins with.
func dedent(s string) string {
	indent := s[:len(s)-len(strings.TrimLeft(s, " "))]
	return strings.TrimPrefix(strings.ReplaceAll(s, "\n"+indent, "\n"), indent)
}
