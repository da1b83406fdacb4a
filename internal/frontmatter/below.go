package frontmatter

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Below is what a file says of all others in its folder and below.
type Below struct {
	Path    string // of the folder or file that it speaks of, below its own folder; "" for all of it
	Key     string // that says so
	Line    int
	Private bool // they are not for everybody
	Unclear bool // they may be not for everybody, or the file cannot be read
}

// hearAll hears all pairs of a mapping that counts as if it stood in each of the files of which it speaks.
func (h *hearing) hearAll(v *value) {
	for _, e := range v.pairs {
		h.hear(e.key, cascade, e.line, e.value, true)
	}
}

// script matches the names of Eleventy's data that a program gives.
var script = regexp.MustCompile(`(?i)\.11tydata\.(?:js|cjs|mjs|ts|cts|mts)$`)

var scriptPair = regexp.MustCompile(`["']?([A-Za-z_$][\w$]*)["']?\s*:\s*["']?([^"',}\n]*)`)

// readScript looks in a program, which nothing here runs, for a key that may say that its files are not for
// everybody.
func readScript(data []byte, now time.Time) Below {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("//")) {
			continue
		}
		for _, m := range scriptPair.FindAllSubmatch(line, 50) {
			if key := string(m[1]); straySays(key, strings.TrimSpace(string(m[2])), time.UTC, now) {
				return Below{Key: key, Line: n, Unclear: true}
			}
		}
	}
	return Below{}
}

// ReadBelow reads what a file says of all others in its folder and below. It is a section's page of Hugo's or
// Zola's (_index.md), by draft or in its cascade, or else a folder's data of Eleventy's, an object of JSON
// or a program.
func ReadBelow(name string, data []byte, now time.Time) Below {
	if script.MatchString(name) {
		return readScript(data, now)
	}
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
				h.hearAll(v)
			}
		case !isSection:
			h.hear(it.key, cascade, it.line, it.value, true)
		}
	}
	return h.outcome(now)
}

// outcome gives what was heard in a file that speaks of others.
func (h *hearing) outcome(now time.Time) Below {
	p := h.p
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
