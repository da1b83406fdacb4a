package posts

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"blog/internal/apperr"
	"blog/internal/tags"
)

// Limits of a post's fields. One commit has the body several times: as Markdown, as HTML, as plain
// text, in the search index (which also removes the text before), and in the imported file. With a
// body of MaxBody that is about 1 MB. A larger commit would delay readers in other regions
// (measured in size_test.go).
const (
	MaxTitle       = 200       // characters
	MaxDescription = 500       // characters
	MaxBody        = 192 << 10 // bytes; more than 30,000 words
	maxPermalinks  = 20
)

// checker collects a message for each field that is not valid. Its methods return a field as it is
// stored.
type checker map[string]string

// note adds a message for a field that has none yet; an empty problem adds nothing.
func (c checker) note(field, problem string) {
	if problem != "" && c[field] == "" {
		c[field] = problem
	}
}

// err returns an Invalid error with the messages, or nil when there are none.
func (c checker) err() error { return apperr.InvalidFields(c) }

func (c checker) title(s string) string {
	s = oneLine(s)
	if !strings.ContainsFunc(s, Seen) {
		c.note("title", "cannot be empty")
	}
	c.note("title", line(s, MaxTitle))
	return s
}

// oneLine returns s as a field of one line is stored: in NFC, with single spaces between words.
func oneLine(s string) string { return norm.NFC.String(strings.Join(strings.Fields(s), " ")) }

// Seen reports whether r is visible on a page. A title has at least one such character.
func Seen(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S, unicode.Co)
}

func (c checker) description(s string) string {
	s = oneLine(s)
	c.note("description", line(s, MaxDescription))
	return s
}

func (c checker) body(s string) string {
	switch {
	case !utf8.ValidString(s):
		c.note("body", "is not valid text (UTF-8)")
	case len(s) > MaxBody:
		c.note("body", fmt.Sprintf("is longer than %d KB", MaxBody>>10))
	case strings.ContainsRune(s, 0):
		c.note("body", "has a NUL character")
	}
	return strings.ReplaceAll(s, "\r\n", "\n")
}

func (c checker) tags(labels []string) []string {
	out, err := tags.NormalizeAll(labels)
	if err != nil {
		c.note("tags", apperr.From(err).Message)
	}
	return out
}

func (c checker) slug(s string) string {
	stored, problem := CheckSlug(s)
	c.note("slug", problem)
	return stored
}

func (c checker) permalinks(paths []string) []string {
	out := []string{}
	seen := map[string]bool{}
	if len(paths) > 10*maxPermalinks { // even with repeated paths no honest list is this long
		c.note("permalinks", fmt.Sprintf("are more than %d", maxPermalinks))
		return out
	}
	for _, p := range paths {
		stored, problem := CheckPermalink(p)
		c.note("permalinks", problem)
		if !seen[stored] {
			seen[stored] = true
			out = append(out, stored)
		}
	}
	if len(out) > maxPermalinks {
		c.note("permalinks", fmt.Sprintf("are more than %d", maxPermalinks))
	}
	return out
}

// Years that a date may have. A date outside of them is a typing error, and does not fit the stored
// form.
const (
	firstYear = 1900
	lastYear  = 2999
)

func (c checker) date(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC().Truncate(time.Millisecond)
	if u.Year() < firstYear || u.Year() > lastYear {
		c.note("published_at", "must be a date between the years 1900 and 2999")
	}
	return &u
}

// line returns what is wrong with s as a field of one line of at most limit characters, or "".
func line(s string, limit int) string {
	if !utf8.ValidString(s) {
		return "is not valid text (UTF-8)"
	}
	if utf8.RuneCountInString(s) > limit {
		return "is longer than " + strconv.Itoa(limit) + " characters"
	}
	isolates := 0
	for _, r := range s {
		switch {
		case unicode.IsControl(r):
			return "has a control character"
		case unicode.Is(unicode.Noncharacter_Code_Point, r): // a feed cannot contain it
			return "has a character that is none"
		case r >= 0x202a && r <= 0x202e:
			return "has a character that turns the direction of the text around it"
		case r >= 0x2066 && r <= 0x2068:
			isolates++
		case r == 0x2069:
			isolates--
		}
		if isolates < 0 {
			break
		}
	}
	if isolates != 0 {
		return "has a character that turns the direction of the text around it"
	}
	return ""
}
