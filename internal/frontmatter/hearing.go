package frontmatter

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// hearing collects what a file says of who may read the post.
type hearing struct {
	p                *parser
	private, unclear []statement
	delays           []delay
	public, awaited  bool
	seen             map[place]bool // whether something private is in it
}

// delay is a date before which the post is not for everybody, where it is not the file's own date.
type delay struct {
	statement
	until time.Time
}

// place is a mapping or a list, and whether it speaks of the page itself: a file may refer to one a thousand
// times.
type place struct {
	v    *value
	page bool
}

// listen makes a draft of a file that says anywhere that the post is not for everybody, and
// refuses one of which that cannot be told.
func (p *parser) listen() {
	f := &p.file
	h := &hearing{p: p, seen: map[place]bool{}}
	p.heard = map[string]bool{}
	for i := range f.items {
		it := &f.items[i]
		if it.field == isDraft || it.field == publishedAt {
			continue
		}
		before, delays := len(h.private), len(h.delays)
		h.hear(it.key, "", it.line, it.value, true)
		it.private, it.delays = len(h.private) > before, len(h.delays) > delays
	}
	said := f.HasDraft && !f.Draft || h.public
	if !said {
		h.private = append(h.private, p.privateLabels()...)
		h.private = append(h.private, p.privateMarks()...)
	}
	if part := p.privateFolder(said); part != "" {
		h.private = append(h.private, statement{part, 1})
	}
	if h.awaited && !f.HasDate && len(h.delays) == 0 {
		h.unclear = nil
		f.Draft, f.HasDraft = true, true
	}
	p.wait(h.delays)
	switch {
	case len(h.private) > 0:
		f.Draft, f.HasDraft = true, true
		for _, s := range h.private {
			p.note(Private, s.line, s.key, "this says that the post is not for everybody, so it is a draft", "")
		}
	case said:
		f.HasDraft = true
	case !f.Draft:
		for _, s := range h.unclear {
			f.doubts = append(f.doubts, Problem{
				File: f.Name, Line: s.line, Field: s.key, Message: "this may say that the post is not for everybody",
				Hint: "write is_draft: true or is_draft: false above it",
			})
		}
		if f.dated {
			p.problems = append(p.problems, f.doubts...)
		}
	}
}

// Doubts returns what prevents that the post is published where the file gives no date, because it may say
// that the post is not for everybody.
func (f File) Doubts() []Problem {
	if f.dated {
		return nil // Parse has them
	}
	return f.doubts
}

// wait lets the post wait for the latest of the dates that are not the file's own.
func (p *parser) wait(delays []delay) {
	f := &p.file
	for _, d := range delays {
		if f.PublishedAt == nil || d.until.After(*f.PublishedAt) {
			if f.PublishedAt != nil {
				p.warn(d.line, d.key, fmt.Sprintf("this is later than the post's date, %s, so it is that",
					f.PublishedAt.Format(time.RFC3339)), "")
			}
			f.PublishedAt, f.HasDate = &d.until, true
		}
	}
}

// hear notes what a key says, and those in its mapping or list. page says that it speaks of the page
// itself; what it does not, a cover or the comments, is private only in words that leave no doubt.
func (h *hearing) hear(key, parent string, line int, v *value, page bool) {
	if above, below, found := strings.Cut(key, "."); found && above != "" && len(key) < longKey {
		above = squash(above) // params.draft is draft in params
		h.hear(below, above, line, v, page && pageMappings[above])
	}
	k := squash(key)
	if page {
		h.p.expires(item{key: key, line: line, value: v})
	}
	if !page || !h.waits(key, parent, line, v) {
		h.say(key, parent, line, v, page)
	}
	h.below(key, line, v, page && pageMappings[k])
}

// say notes what a key itself says.
func (h *hearing) say(key, parent string, line int, v *value, page bool) {
	k := squash(key)
	s, found := speechOf(k)
	if parent == "build" && k == "list" { // Hugo's: never, local
		s, found = speech{manner: byWord, vague: true}, true
	}
	if !found || !page && !s.loud {
		return
	}
	_, isTruth := v.truth()
	if !page && s.manner == ifFalse && !isTruth && startsWithDigit(v.text) {
		return // when a book was published
	}
	verdict := s.judge(v)
	if parent == "" && (verdict != silent || isTruth || judgeWords(v) != unclear) {
		h.p.heard[key] = true
	}
	switch verdict {
	case private:
		h.private = append(h.private, statement{key, line})
	case unclear:
		h.unclear = append(h.unclear, statement{key, line})
	case public:
		h.public = true
	case awaited:
		h.awaited = true
	}
}

// longKey is the length in bytes of keys that are no words of any system, so that they cost no time.
const longKey = 100

// below hears the mappings in a value of key. page says that they speak of the page itself.
func (h *hearing) below(key string, line int, v *value, page bool) {
	if v.kind != mapping && v.kind != sequence {
		return
	}
	in := place{v, page}
	if before, again := h.seen[in]; again {
		if before {
			h.private = append(h.private, statement{key, line})
		}
		return
	}
	h.seen[in] = false
	before := len(h.private)
	for _, e := range v.pairs {
		h.hear(e.key, squash(key), e.line, e.value, page)
	}
	for _, e := range v.list {
		h.below(key, e.line, e, page)
	}
	h.seen[in] = len(h.private) > before
}

// waits notes a date of publication that is not the file's own one, and reports whether the key is done with:
// one in a mapping of the page, one of several in a list, and one under a name that is made like those known.
func (h *hearing) waits(key, parent string, line int, v *value) bool {
	k := squash(key)
	m, known := meanings[k]
	known = known && m.field == publishedAt && (m.rank == further || m.rank == ours && inherits(parent))
	if !known && !waitKey.MatchString(k) {
		return false
	}
	if _, isTruth := v.truth(); isTruth || v.kind == nothing || v.kind == scalar && v.plainText() == "" {
		return false
	}
	until, err := ParseDate(v.text, h.p.file.loc)
	switch _, speaks := speeches[k]; {
	case v.kind == scalar && err == nil:
		h.delays = append(h.delays, delay{statement{key, line}, until})
		if parent == "" {
			h.p.heard[key] = true
		}
		return true
	case speaks: // which has words besides dates
		return false
	case known, v.kind == scalar && startsWithDigit(v.text):
		h.unclear = append(h.unclear, statement{key, line})
		return true
	}
	return false
}

// inherits reports whether what is in a mapping counts as if it stood in the file itself.
func inherits(parent string) bool { return parent == "<<" || parent == cascade }

// cascade is Hugo's word for what a section's page says of what is below it.
const cascade = "cascade"

func startsWithDigit(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && s[0] >= '0' && s[0] <= '9'
}

// waitKey matches keys, in the form of squash, from whose date on a post is for everybody.
var waitKey = regexp.MustCompile(`^(?:post|page|article|entry|note|og|auto)?(?:` +
	`(?:publish(?:ed|ing)?|publication|pub|golive|embargo(?:ed|ends?|lift(?:s|ed)?)?|schedul(?:e|ed|ing)|visible|public|` +
	`available|listed|unlock(?:ed|s)?)` +
	`(?:date|datetime|time|timestamp|on|at|from|after|since|start|startdate|for)(?:utc|gmt)?` +
	`|(?:embargo(?:ed)?|private|hidden|hide|draft|unlisted|unpublished|schedul(?:e|ed)|locked|premium|paywall(?:ed)?|` +
	`membersonly|earlyaccess)(?:until|till)` +
	`|(?:post(?:ed)?)(?:date|datetime|time|on|at|from|after)(?:utc|gmt)?)$`)
