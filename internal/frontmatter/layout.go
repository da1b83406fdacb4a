package frontmatter

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// layout is how an entry is written, so that a new entry looks like the one that it replaces.
type layout struct {
	key      string // the file's key for the field; "" for the default key
	indent   string
	eol      string
	anchor   string
	comment  string
	dashes   bool // lists have a line with a dash for each entry
	dashAt   string
	dayIn    *time.Location // dates that are midnight in this zone are written as a day
	evenNull bool           // an entry without value is retained, because of its anchor
}

// layoutOf reads the layout of an entry, whose lines are text.
func (f *File) layoutOf(key, value *yaml.Node, text string) layout {
	l := layout{key: key.Value, indent: strings.Repeat(" ", max(key.Column-1, 0)), eol: f.parts.eol, anchor: value.Anchor}
	l.evenNull = l.anchor != ""
	if !strings.Contains(text, "\n") {
		l.comment = value.LineComment
	}
	if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 {
		l.dashes, l.dashAt = true, strings.Repeat(" ", max(value.Column-1, 0))
	}
	if value.Kind == yaml.ScalarNode && len(value.Value) == len(time.DateOnly) {
		l.dayIn = f.loc
	}
	return l
}

// entry returns one field as YAML with its line end, or nothing when it has no value.
func entry(name field, f Fields, l layout) string {
	if l.key == "" {
		l.key = canonical()[name]
	}
	head := l.indent + l.key + ":"
	if l.anchor != "" {
		head += " &" + l.anchor
	}
	value := ""
	switch v := f.get(name).(type) {
	case string:
		value = text(v)
	case *time.Time:
		value = date(v, l.dayIn)
	case bool:
		if v || name == isDraft {
			value = strconv.FormatBool(v)
		}
	case []string:
		value = listText(v, l)
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

func listText(texts []string, l layout) string {
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
// one, and in its syntax. is_draft is written where it does not follow from the date.
func canonicalFile(f Fields, orig *File, changed set) []byte {
	form := parts{opens: "---", ends: "---"}
	if orig != nil && orig.parts.has {
		form = orig.parts
	}
	l := layout{eol: "\n"}
	var front []string
	for i, key := range canonical() {
		name := field(i) // #nosec G115 -- only a few
		if key == "" || name == isDraft && f.Draft == (f.PublishedAt == nil) && !changed[isDraft] {
			continue
		}
		var text string
		switch form.syntax {
		case inTOML:
			text = tomlEntry(name, f)
		case inJSON:
			text = jsonEntry(name, f)
		default:
			l.dashes, l.dashAt = name == permalinks, "  "
			text = entry(name, f, l)
		}
		if text != "" {
			front = append(front, strings.TrimSuffix(text, "\n"))
		}
	}
	if orig != nil {
		for _, e := range orig.remaining(f, changed) {
			front = append(front, dedent(e.Text))
		}
	}
	var b strings.Builder
	if form.opens != "" {
		b.WriteString(form.opens + "\n")
	}
	if form.syntax == inJSON {
		b.WriteString("{\n  " + strings.Join(front, ",\n  ") + "\n}\n")
	} else if len(front) > 0 {
		b.WriteString(strings.Join(front, "\n") + "\n")
	}
	if form.ends != "" {
		b.WriteString(form.ends + "\n")
	}
	if f.Body != "" {
		b.WriteString("\n" + f.Body + "\n")
	}
	out := b.String()
	if orig != nil && orig.parts.eol != "" {
		out = strings.ReplaceAll(out, "\n", orig.parts.eol)
	}
	return []byte(out)
}

// dedent removes from each line the blanks with which the first line begins.
func dedent(s string) string {
	indent := s[:len(s)-len(strings.TrimLeft(s, " "))]
	return strings.TrimPrefix(strings.ReplaceAll(s, "\n"+indent, "\n"), indent)
}
