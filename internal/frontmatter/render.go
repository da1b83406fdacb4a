package frontmatter

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// Imported returns the file as the import stored it: with what the import added where the file has
// no value (the time of a post that is published without a date, an author), and what it stores in
// another form (a slug in lower case). Render does not count these as edits, and writes them only
// once something else was edited.
func (f File) Imported(stored Fields) File {
	stored = Normal(stored)
	f.filled = diff(f.Fields, stored)
	f.Fields = stored
	return f
}

// Render returns the file of a post. orig is the file that the post was imported from. When f says
// the same as orig, Render returns the bytes of orig. Otherwise it writes only the keys that
// differ, and the body if it differs, and leaves the other lines as they are. When orig is nil, it
// returns a new file in canonical form. An empty title or slug in f means the one that Parse
// derives. Parse of the result gives Normal(f).
func Render(orig *File, f Fields) []byte {
	f = Normal(f)
	if orig == nil {
		return canonicalFile(f, nil, nil)
	}
	changed := diff(orig.Fields, f)
	if len(changed) == 0 {
		return bytes.Clone(orig.Raw)
	}
	for name := range orig.filled {
		changed[name] = true
	}
	if !orig.HasDraft {
		delete(changed, isDraft) // usually it follows from the date
	}
	// Each round finds what has followed from something that is changed now, such as a title from
	// the heading of the body.
	for range 3 {
		out := orig.edit(f, changed)
		got, problems := Parse(orig.Name, out, orig.loc)
		if Failed(problems) {
			break
		}
		more := diff(got.Fields, f)
		if len(more) == 0 && sameExtra(orig.remaining(f, changed), got.Extra) {
			return out
		}
		for name := range more {
			changed[name] = true
		}
	}
	// The lines depend on one another (anchors, one {…} for all): write anew.
	out := canonicalFile(f, orig, changed)
	if got, problems := Parse(orig.Name, out, orig.loc); Failed(problems) || len(diff(got.Fields, f)) > 0 {
		return canonicalFile(f, nil, nil)
	}
	return out
}

// Normal is the form in which fields are compared: texts of one line without
// blanks around, each tag once and without the # that Obsidian
// writes before it, whole seconds of UTC, a canonical body.
func Normal(f Fields) Fields {
	f.Title, f.Slug = oneLine(f.Title), oneLine(f.Slug)
	f.Description, f.Author = oneLine(f.Description), oneLine(f.Author)
	f.Tags, f.Permalinks = unique(withoutSigns(unique(f.Tags))), unique(f.Permalinks)
	f.Body = CanonicalBody(strings.ReplaceAll(strings.ToValidUTF8(f.Body, "\ufffd"), "\x00", ""))
	if f.PublishedAt != nil {
		t := f.PublishedAt.UTC().Truncate(time.Second)
		f.PublishedAt = &t
	}
	return f
}

// diff returns the fields in which b differs from a. A title or slug that b leaves out does not.
func diff(a, b Fields) set {
	d := set{}
	for name := title; name <= body; name++ {
		differs := false
		switch v := b.get(name).(type) {
		case string:
			differs = a.get(name) != v && (v != "" || name != title && name != slug)
		case bool:
			differs = a.get(name) != v
		case []string:
			before, _ := a.get(name).([]string)
			differs = !slices.Equal(before, v)
		case *time.Time:
			before, _ := a.get(name).(*time.Time)
			differs = (before == nil) != (v == nil) || v != nil && !before.Truncate(time.Second).Equal(*v)
		}
		if differs {
			d[name] = true
		}
	}
	return d
}

// drops reports whether an entry goes because it says that the post is not for everybody, or not before
// a date, and it is now.
func (it item) drops(f Fields, changed set) bool {
	return it.private && changed[isDraft] && !f.Draft && it.field != isDraft || it.delays && changed[publishedAt]
}

// remaining gives the unknown keys that an edit leaves in the file.
func (f *File) remaining(n Fields, changed set) []Extra {
	var out []Extra
	for _, e := range f.Extra {
		gone := false
		for _, it := range f.items {
			gone = gone || it.key == e.Key && it.drops(n, changed)
		}
		if !gone {
			out = append(out, e)
		}
	}
	return out
}

func sameExtra(a, b []Extra) bool {
	return slices.EqualFunc(a, b, func(x, y Extra) bool { return x.Key == y.Key && x.Text == y.Text })
}

// edit returns the file with the changed fields replaced in place.
func (f *File) edit(n Fields, changed set) []byte {
	if f.flow {
		return canonicalFile(n, f, changed)
	}
	s := f.parts
	var b bytes.Buffer
	if s.has {
		f.editFront(&b, n, changed)
	} else {
		remainder, found := bytes.CutPrefix(f.Raw, []byte(bom))
		if found {
			b.WriteString(bom)
		}
		before := b.Len()
		for i := range canonical() {
			if name := field(i); changed[name] { // #nosec G115 -- only a few
				b.WriteString(entry(name, n, layout{eol: s.eol}))
			}
		}
		if front := b.String()[before:]; front != "" {
			b.Truncate(before)
			b.WriteString("---" + s.eol + front + "---" + s.eol + s.eol)
		} else if !changed[body] || f.Body != "" {
			b.Write(remainder[:max(s.body-before, 0)]) // the blank lines above the text
		}
	}
	if !changed[body] {
		b.Write(f.Raw[s.body:])
		return b.Bytes()
	}
	text := strings.ReplaceAll(n.Body, "\n", s.eol)
	if f.Body == "" {
		if s.has {
			b.WriteString(s.eol)
		}
		b.WriteString(text + s.eol)
		return b.Bytes()
	}
	b.WriteString(text)
	b.Write(f.Raw[s.tail:])
	return b.Bytes()
}

// editFront writes everything above the body.
func (f *File) editFront(b *bytes.Buffer, n Fields, changed set) {
	s := f.parts
	b.Write(f.Raw[:s.front])
	at := s.front
	indent := ""
	written := set{}
	for _, it := range f.items {
		indent = it.layout.indent
		drops := it.drops(n, changed)
		if !changed[it.field] && !drops {
			continue
		}
		b.Write(f.Raw[at:it.start])
		at = it.end
		if !drops && !written[it.field] {
			written[it.field] = true
			l := it.layout
			if means(it).rank != ours {
				l.key = ""
			}
			b.WriteString(entry(it.field, n, l))
		}
	}
	b.Write(f.Raw[at:s.close])
	for i := range canonical() {
		if name := field(i); changed[name] && !written[name] { // #nosec G115 -- only a few
			b.WriteString(entry(name, n, layout{eol: s.eol, indent: indent}))
		}
	}
	above := f.Raw[s.close:s.body]
	if f.Body == "" {
		above = bytes.TrimRight(f.Raw[s.close:], " \t\r\n")
	}
	b.Write(above)
	if _, _, eol := cutLine(above); eol == "" {
		b.WriteString(s.eol)
	}
}
