package frontmatter

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"time"
)

// Below is what a file says of all others in its folder and below.
type Below struct {
	Key     string // that says so
	Line    int
	Private bool // they are not for everybody
	Unclear bool // they may be not for everybody, or the file cannot be read
}

// ReadBelow reads what a file says of all others in its folder and below. It is a section's page of Hugo's or
// Zola's (_index.md), by draft or in its cascade, or else a folder's data of Eleventy's, an object of JSON.
func ReadBelow(name string, data []byte, now time.Time) Below {
	p := &parser{file: File{Name: name, Raw: data, loc: time.UTC}, heard: map[string]bool{}}
	if !p.readable(data) {
		return Below{Line: p.problems[0].Line, Unclear: true}
	}
	var items []item
	if at := len(data) - len(bytes.TrimLeft(data, " \t\r\n"+bom)); !strings.EqualFold(path.Ext(name), ".json") {
		p.split(data)
		items = p.readItems()
	} else if bytes.HasPrefix(data[at:], []byte("{")) {
		p.file.parts.front = at
		items = p.jsonItems(data[at:])
	}
	if len(p.problems) > 0 && Failed(p.problems) {
		return Below{Line: p.problems[0].Line, Unclear: true}
	}
	p.assign(items)
	isSection := strings.EqualFold(strings.TrimSuffix(path.Base(name), path.Ext(name)), "_index")
	h := &hearing{p: p, seen: map[place]bool{}}
	for _, it := range items {
		switch yes, _ := it.value.truth(); {
		case it.field == isDraft && yes:
			return Below{Key: it.key, Line: it.line, Private: true}
		case squash(it.key) == cascade:
			for _, v := range append([]*value{it.value}, it.value.list...) {
				for _, e := range v.pairs {
					h.hear(e.key, cascade, e.line, e.value, true)
				}
			}
		case !isSection:
			h.hear(it.key, cascade, it.line, it.value, true)
		}
	}
	for _, d := range h.delays {
		if d.until.After(now) {
			h.private = append(h.private, d.statement)
		}
	}
	if p.file.Expires != nil && !p.file.Expires.After(now) {
		h.private = append(h.private, statement{p.file.expiry.key, p.file.expiry.line})
	}
	for _, problem := range p.problems { // a date that cannot be read
		if !problem.Warning {
			h.unclear = append(h.unclear, statement{problem.Field, problem.Line})
		}
	}
	said := slices.Concat(h.private, h.unclear)
	if len(said) == 0 {
		return Below{}
	}
	return Below{Key: said[0].key, Line: said[0].line, Private: len(h.private) > 0, Unclear: len(h.private) == 0}
}
