package frontmatter

import (
	"fmt"
	"time"
)

// field is a known field of a file, and set is a set of fields.
type field uint8
type set map[field]bool

const (
	none field = iota
	title
	slug
	publishedAt
	isDraft
	pinned
	description
	author
	tags
	permalinks
	verbatim
	body
)

// canonical returns the keys in the order in which new files have them.
func canonical() []string {
	return []string{title: "title", slug: "slug", publishedAt: "published_at", isDraft: "is_draft", pinned: "pinned",
		description: "description", author: "author", tags: "tags", permalinks: "permalinks", verbatim: "verbatim"}
}

// get returns the value of a field: a string, a bool, a list of strings, or a *time.Time.
func (f Fields) get(name field) any {
	switch name {
	case title:
		return f.Title
	case slug:
		return f.Slug
	case publishedAt:
		return f.PublishedAt
	case isDraft:
		return f.Draft
	case pinned:
		return f.Pinned
	case description:
		return f.Description
	case author:
		return f.Author
	case tags:
		return f.Tags
	case permalinks:
		return f.Permalinks
	case verbatim:
		return f.Verbatim
	case body:
		return f.Body
	}
	return nil
}

// fields reads the front matter into the file, and then fills in what is left out.
func (p *parser) fields() {
	f := &p.file
	f.items = p.readItems()
	p.assign(f.items)
	seen := map[field]item{}
	for _, it := range f.items {
		if it.field == none {
			f.Extra = append(f.Extra, Extra{Key: it.key, Text: it.text, Line: it.line})
			continue
		}
		if before, twice := seen[it.field]; twice && p.rank(it) == ours && p.rank(before) == ours {
			p.compare(before, it)
		}
		seen[it.field] = it
		p.read(it)
	}
	p.date()
	p.listen()
	p.ignored()
	f.Draft = f.Draft || !f.HasDraft && !f.dated
	p.fillIn()
	p.addresses()
}

// assign gives each item the field that it means. Another system's word for a field counts
// only where ours is not there, unless it adds to ours.
func (p *parser) assign(items []item) {
	have := map[field]rank{}
	for _, it := range items {
		m := means(it)
		if before, found := have[m.field]; it.value.kind != nothing && (!found || m.rank < before) {
			have[m.field] = m.rank
		}
	}
	for i := range items {
		m := means(items[i])
		if m.rank >= instead && have[m.field] < m.rank {
			m.field = none
		}
		items[i].field = m.field
	}
}

func (p *parser) rank(it item) rank { return means(it).rank }

// read puts one known item into the file.
func (p *parser) read(it item) {
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
		f.Author = p.person(it)
	case tags:
		f.Tags = unique(append(f.Tags, p.labels(it.key, it, it.value)...))
	case permalinks:
		if p.rank(it) == ours {
			f.Permalinks = unique(append(p.list(it, false), f.Permalinks...))
		}
	case isDraft:
		if v, ok := p.boolean(it); ok {
			f.Draft, f.HasDraft = v, true
		}
	case pinned:
		if v, ok := p.boolean(it); ok {
			f.Pinned = v
		}
	case verbatim:
		if v, ok := p.boolean(it); ok {
			f.Verbatim = v
		}
	case publishedAt:
		p.readDate(it)
	}
}

// readDate notes one of the file's dates.
func (p *parser) readDate(it item) {
	text := p.text(it)
	if text == "" {
		return
	}
	r := p.rank(it)
	p.hasDate = p.hasDate || r < instead
	t, err := ParseDate(text, p.file.loc)
	if err != nil {
		p.fail(it.line, it.key, err.Message, err.Hint)
		return
	}
	p.dates = append(p.dates, dated{at: t, rank: r, item: it})
}

// dated is a date of the file with the item that says it.
type dated struct {
	at   time.Time
	rank rank
	item item
}

// date decides which of the file's dates is the post's. That is the latest of those before
// which it is not public; the day on which a note was begun only dates a post.
func (p *parser) date() {
	f := &p.file
	var latest *dated
	for i, d := range p.dates {
		if latest == nil || d.at.After(latest.at) {
			latest = &p.dates[i]
		}
	}
	if p.jekyll() && !p.hasDate {
		if _, day := stemOf(f.Name); day != "" {
			if t, err := ParseDate(day, f.loc); err == nil {
				f.PublishedAt, f.HasDate, f.dated = &t, true, true
				return
			}
		}
	}
	if latest == nil {
		return
	}
	f.PublishedAt, f.HasDate, f.dated = &latest.at, true, latest.rank < instead
	for _, d := range p.dates {
		if d.rank == ours && d.at.Before(latest.at) {
			p.warn(latest.item.line, latest.item.key, fmt.Sprintf("this is later than %s in line %d, so it is the post's date",
				d.item.key, d.item.line), "")
		}
	}
}

// compare refuses a field that has two names with different values. A name without a value does not
// count.
func (p *parser) compare(a, b item) {
	one, two := a.value.plainText(), b.value.plainText()
	if one == "" || two == "" || one == two {
		return
	}
	p.fail(b.line, b.key,
		fmt.Sprintf("this says %s, and %s in line %d says %s", shorten(two), a.key, a.line, shorten(one)),
		"remove one of the two lines")
}

// ignored mentions the keys that mean nothing here.
func (p *parser) ignored() {
	for _, it := range p.file.items {
		if it.field != none || it.private || p.heard[it.key] {
			continue
		}
		hint := ""
		if s := suggestion(it.key); s != "" {
			hint = "if it is meant for this blog, write " + s
		}
		p.note(KeyIgnored, it.line, it.key, "this key is kept for the export and otherwise ignored", hint)
	}
}
