package foreign

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/html"

	"blog/internal/frontmatter"
	"blog/internal/posts"
	"blog/internal/tags"
)

// post is what an entry says of its post.
type post struct {
	title, slug, description, author string

	date      time.Time // zero where there is none
	scheduled bool      // it comes out at its date
	draft     bool
	hidden    bool // it may not be for everybody in its system, of which a draft is the consequence
	pinned    bool
	labels    []string
	address   string // in its system: a whole address, or a path
	body      string // Markdown
	notes     []Note
}

func (p *post) note(kind frontmatter.Kind, what, message string) {
	const most = 100 // of an entry
	if len(p.notes) < most {
		p.notes = append(p.notes, Note{Kind: kind, What: short(what), Message: message})
	}
}

// hide makes a draft of the post, and says why: once for each thing, and the first time even where so much
// was said of the post that nothing else is.
func (p *post) hide(what, why string) {
	note := Note{Kind: frontmatter.Private, What: short(what), Message: why + ", so it is a draft"}
	switch {
	case slices.Contains(p.notes, note):
	case !slices.ContainsFunc(p.notes, func(n Note) bool { return n.Kind == frontmatter.Private }):
		p.notes = append(p.notes, note)
	default:
		p.note(note.Kind, note.What, note.Message)
	}
	p.draft, p.hidden = true, true
}

// publishedAt returns the date that the file has, nil for none. A post that is to come out in a year that it
// cannot have does not come out now.
func (p *post) publishedAt() *time.Time {
	if p.date.IsZero() {
		return nil
	}
	at := p.date.UTC().Truncate(time.Second)
	why := fmt.Sprintf("the year %d is none that a post can have", at.Year())
	switch {
	case at.Year() > frontmatter.LastYear, at.Year() < frontmatter.FirstYear && p.scheduled:
		p.hide("date", why)
	case at.Year() < frontmatter.FirstYear:
		p.note(frontmatter.Choice, "date", why+", so it is left out")
	default:
		return &at
	}
	return nil
}

// front is the front matter of a file.
type front struct {
	Title       string     `yaml:"title"`
	Slug        string     `yaml:"slug"`
	PublishedAt *time.Time `yaml:"published_at,omitempty"`
	IsDraft     bool       `yaml:"is_draft"`
	Pinned      bool       `yaml:"pinned,omitempty"`
	Description string     `yaml:"description,omitempty"`
	Author      string     `yaml:"author,omitempty"`
	Tags        []string   `yaml:"tags,omitempty,flow"`
	Aliases     []string   `yaml:"aliases,omitempty"`
	Verbatim    bool       `yaml:"verbatim"`
}

// file returns the Markdown file of the post. Its text is verbatim: what looks there like another
// system's signs is the author's text. Whether it is a draft is always said, so that nothing else in
// it can decide that.
func (p *post) file() []byte {
	at := p.publishedAt() // which decides, too, whether it is a draft
	f := front{
		Title: p.titleText(), Slug: p.slug, PublishedAt: at, IsDraft: p.draft, Pinned: p.pinned, Verbatim: true,
		Description: p.descriptionText(), Author: line(p.author), Tags: p.tags(),
	}
	if p.address != "" && !p.here() {
		f.Aliases = []string{p.address}
	}
	var b bytes.Buffer
	b.WriteString("---\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	// The values are texts, times and truths: there is nothing that cannot be written.
	_ = enc.Encode(f)
	_ = enc.Close()
	b.WriteString("---\n")
	if body := frontmatter.CanonicalBody(clean(p.body)); body != "" {
		b.WriteString("\n" + body + "\n")
	}
	return b.Bytes()
}

// here reports whether the old address is the one that the post has on this blog.
func (p *post) here() bool {
	u, err := url.Parse(p.address)
	return err == nil && strings.TrimRight(u.Path, "/") == "/posts/"+p.slug
}

// titleText returns the title as a post can have it: plain text of one line, or else the first words
// of the text.
func (p *post) titleText() string {
	s := line(plainText(p.title))
	if !strings.ContainsFunc(s, posts.Seen) {
		s = cut(line(plainText(p.body)), 60)
		if !strings.ContainsFunc(s, posts.Seen) {
			s = p.slug
		}
		p.note(frontmatter.Choice, "title", "it has no title, so it is called "+short(s))
		return s
	}
	if utf8.RuneCountInString(s) > posts.MaxTitle {
		s = cut(s, posts.MaxTitle)
		p.note(frontmatter.Choice, "title", fmt.Sprintf("it is cut to %d characters", posts.MaxTitle))
	}
	return s
}

func (p *post) descriptionText() string {
	s := line(plainText(p.description))
	if utf8.RuneCountInString(s) > posts.MaxDescription {
		s = cut(s, posts.MaxDescription)
		p.note(frontmatter.Choice, "excerpt", fmt.Sprintf("it is cut to %d characters", posts.MaxDescription))
	}
	return s
}

// tags returns the labels that a post can have, each once.
func (p *post) tags() []string {
	var out, more []string
	seen := map[string]bool{}
	for _, label := range p.labels {
		label = strings.TrimLeft(line(plainText(label)), "#")
		stored, err := tags.Normalize(label)
		if err != nil {
			other, again := tags.Normalize(posts.Slugify(label))
			if again != nil {
				p.note(frontmatter.Choice, "tag", short(label)+" cannot be a tag, so it is left out")
				continue
			}
			p.note(frontmatter.Choice, "tag", short(label)+" cannot be a tag, so it is "+other)
			label, stored = other, other
		}
		if seen[stored] {
			continue
		}
		seen[stored] = true
		if len(out) == tags.MaxCount {
			more = append(more, label)
			continue
		}
		out = append(out, label)
	}
	if len(more) > 0 {
		p.note(frontmatter.Choice, "tag", fmt.Sprintf("there are %d more than the %d that a post has, and they are "+
			"left out: %s",
			len(more), tags.MaxCount, cut(strings.Join(more, ", "), 1000)))
	}
	return out
}

// slugs gives each entry a slug of its own.
type slugs struct {
	taken map[string]bool
	last  int // the number of the last entry that has nothing but a number
}

func newSlugs() *slugs { return &slugs{taken: map[string]bool{}, last: 1} }

// pick returns the first of the wishes that can be a slug and is nobody's, perhaps with the entry's id.
func (s *slugs) pick(id string, wishes ...string) string {
	if id = posts.Slugify(id); id == "" {
		id = "post"
	}
	for _, wish := range append(wishes, "post-"+id) {
		if plain, err := url.PathUnescape(wish); err == nil {
			wish = plain
		}
		slug, problem := posts.CheckSlug(strings.TrimSpace(wish))
		if problem != "" {
			slug = posts.Slugify(strings.ToValidUTF8(wish, ""))
		}
		if slug == "" {
			continue
		}
		for _, suffix := range []string{"", "-" + id} {
			short := []rune(slug)
			short = short[:min(len(short), max(posts.MaxSlug-utf8.RuneCountInString(suffix), 0))]
			full, problem := posts.CheckSlug(strings.TrimRight(string(short), "-_.") + suffix)
			if problem == "" && !s.taken[full] {
				s.taken[full] = true
				return full
			}
		}
	}
	for { // no number is given back, so all up to the last one are taken
		s.last++
		if slug := fmt.Sprintf("post-%d", s.last); !s.taken[slug] {
			s.taken[slug] = true
			return slug
		}
	}
}

// plainText returns the text of a piece of HTML, without its marks.
func plainText(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
			continue
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			if name, _ := z.TagName(); slices.Contains([]string{"br", "p", "div", "li", "td", "h1", "h2", "h3"}, string(name)) {
				b.WriteByte(' ')
			}
		}
	}
}

// line returns s as a field of one line: without signs that turn what stands around them, and without
// characters that are none.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r == utf8.RuneError, unicode.Is(unicode.Noncharacter_Code_Point, r), r == '\u00ad',
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")), unicode.IsSpace), " ")
}

// clean returns a text without what no text has.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 || r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r) ||
			unicode.Is(unicode.Noncharacter_Code_Point, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// cut returns at most n characters of s, which end with a word where there is one.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	s = string(runes[:n-1])
	if at := strings.LastIndexByte(s, ' '); at > len(s)/2 {
		s = s[:at]
	}
	return strings.TrimRight(s, " ,;:-–—") + "…"
}

// short returns a piece of a text as a note shows it.
func short(s string) string { return cut(line(s), 80) }
