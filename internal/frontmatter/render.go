package frontmatter

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// Imported says what the import made of the file: what it put in where the file
// was silent (the time for a post published without a date, an author) and what
// it stores in another form (a slug in lower case). Render takes that for no
// edit, and writes it down once something else was edited.
func (f File) Imported(stored Fields) File {
	stored = Normal(stored)
	f.filled = diff(f.Fields, stored)
	f.Fields = stored
	return f
}

// Render writes the file of a post. orig is the file it was imported from: its
// very bytes come back where f says the same, and otherwise only the keys that
// differ, and the body if it differs, are written anew, among untouched lines.
// A nil orig gives a new file in canonical form. An empty title or slug in f
// stands for the one that Parse derives. What Parse reads from the result is f,
// in the normal form that Normal gives.
func Render(orig *File, f Fields) []byte {
	f = Normal(f)
	if orig == nil {
		return canonicalFile(f, nil)
	}
	changed := diff(orig.Fields, f)
	if len(changed) == 0 {
		return bytes.Clone(orig.Raw)
	}
	for name := range orig.filled {
		changed[name] = true
	}
	if !orig.HasDraft {
		delete(changed, isDraft) // most often it follows from the date
	}
	// Each round finds what followed from something that has now changed, such
	// as a title taken from the body's heading.
	for range 3 {
		out := orig.edit(f, changed)
		got, problems := Parse(orig.Name, out, orig.loc)
		if Failed(problems) {
			break
		}
		more := diff(got.Fields, f)
		if len(more) == 0 && sameExtra(orig.Extra, got.Extra) {
			return out
		}
		for name := range more {
			changed[name] = true
		}
	}
	// The lines depend on one another (anchors, one {…} for all): write anew.
	out := canonicalFile(f, orig)
	if got, problems := Parse(orig.Name, out, orig.loc); Failed(problems) || len(diff(got.Fields, f)) > 0 {
		return canonicalFile(f, nil)
	}
	return out
}

// Normal is the form in which fields are compared: texts of one line without
// blanks around, each tag once, whole seconds of UTC, a canonical body.
func Normal(f Fields) Fields {
	f.Title, f.Slug = oneLine(f.Title), oneLine(f.Slug)
	f.Description, f.Author = oneLine(f.Description), oneLine(f.Author)
	f.Tags, f.Permalinks = unique(f.Tags), unique(f.Permalinks)
	f.Body = CanonicalBody(strings.ReplaceAll(strings.ToValidUTF8(f.Body, "\ufffd"), "\x00", ""))
	if f.PublishedAt != nil {
		t := f.PublishedAt.UTC().Truncate(time.Second)
		f.PublishedAt = &t
	}
	return f
}

// diff gives the fields in which b, the wanted one, differs from a.
func diff(a, b Fields) set {
	d := set{}
	for name, differs := range map[field]bool{
		title:       b.Title != "" && a.Title != b.Title,
		slug:        b.Slug != "" && a.Slug != b.Slug,
		description: a.Description != b.Description,
		author:      a.Author != b.Author,
		isDraft:     a.Draft != b.Draft,
		tags:        !slices.Equal(a.Tags, b.Tags),
		permalinks:  !slices.Equal(a.Permalinks, b.Permalinks),
		body:        a.Body != b.Body,
		publishedAt: (a.PublishedAt == nil) != (b.PublishedAt == nil) || a.PublishedAt != nil && !a.PublishedAt.Truncate(time.Second).Equal(*b.PublishedAt),
	} {
		if differs {
			d[name] = true
		}
	}
	return d
}

func sameExtra(a, b []Extra) bool {
	return slices.EqualFunc(a, b, func(x, y Extra) bool { return x.Key == y.Key && x.Text == y.Text })
}

// edit writes the file with the changed fields replaced in place.
func (f *File) edit(n Fields, changed set) []byte {
	if f.flow {
		return canonicalFile(n, f)
	}
	s := f.parts
	var b bytes.Buffer
	if s.has {
		f.editFront(&b, n, changed)
	} else {
		rest, found := bytes.CutPrefix(f.Raw, []byte(bom))
		if found {
			b.WriteString(bom)
		}
		before := b.Len()
		for i := range canonical() {
			if name := field(i); changed[name] { // #nosec G115 -- fewer than ten
				b.WriteString(entry(name, n, layout{eol: s.eol}))
			}
		}
		if front := b.String()[before:]; front != "" {
			b.Truncate(before)
			b.WriteString("---" + s.eol + front + "---" + s.eol + s.eol)
		} else if !changed[body] || f.Body != "" {
			b.Write(rest[:max(s.body-before, 0)]) // the blank lines above the text
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
		indent = strings.Repeat(" ", it.key.Column-1)
		if !changed[it.field] {
			continue
		}
		b.Write(f.Raw[at:it.start])
		at = it.end
		if !written[it.field] {
			written[it.field] = true
			b.WriteString(entry(it.field, n, f.layoutOf(it)))
		}
	}
	b.Write(f.Raw[at:s.close])
	for i := range canonical() {
		if name := field(i); changed[name] && !written[name] { // #nosec G115 -- fewer than ten
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
