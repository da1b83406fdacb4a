package ui

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PostURL returns the path of a post.
func PostURL(slug string) string { return "/posts/" + url.PathEscape(slug) }

// TagURL returns the path of a tag's page.
func TagURL(label string) string { return "/tags/" + url.PathEscape(label) }

func postID(id int64) string { return "post-" + strconv.FormatInt(id, 10) }

func yearID(y ArchiveYear) string { return "year-" + strconv.Itoa(y.Year) }

// order returns a text by which cards sort as posts.List sorts posts with PinnedFirst: the larger
// text comes first. It is the date, in UTC to the millisecond, or for a pinned post a word that is
// larger than every date, with its pin. Each of the two always has the same length.
func order(c Card) string {
	if c.Pinned > 0 {
		return fmt.Sprintf("pinned-%019d", c.Pinned)
	}
	return c.PublishedAt.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (b Blog) in(t time.Time) time.Time {
	if b.Location == nil {
		return t.UTC()
	}
	return t.In(b.Location)
}

func (b Blog) machine(t time.Time) string   { return b.in(t).Format(time.RFC3339) }
func (b Blog) day(t time.Time) string       { return b.in(t).Format("2 January 2006") }
func (b Blog) dayOfYear(t time.Time) string { return b.in(t).Format("2 January") }
func (b Blog) minute(t time.Time) string    { return b.in(t).Format("2 Jan 2006, 15:04 MST") }

func (p Page) lang() string { return cmp.Or(p.Lang, "en") }
func (p Page) feed() string { return cmp.Or(p.FeedURL, "/feed.xml") }

// dir returns the direction of the page's own words, from its language. What authors and readers
// wrote has dir="auto".
func (p Page) dir() string {
	base, _, _ := strings.Cut(strings.ToLower(p.lang()), "-")
	if slices.Contains([]string{"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}, base) {
		return "rtl"
	}
	return "ltr"
}

func (p Page) title() string {
	if p.Title == "" || p.Title == p.Blog.Title {
		return p.Blog.Title
	}
	return p.Title + " · " + p.Blog.Title
}

func (p Page) description() string { return cmp.Or(p.Description, p.Blog.Description) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func current(p Page, name string) string {
	if p.Active == name {
		return "page"
	}
	return "false"
}

// tocDepth returns how far an entry is indented: relative to the highest level in the document, two
// steps at most.
func tocDepth(toc []Heading, h Heading) string {
	top := h.Level
	for _, other := range toc {
		top = min(top, other.Level)
	}
	return "toc-" + strconv.Itoa(min(h.Level-top, 2))
}
