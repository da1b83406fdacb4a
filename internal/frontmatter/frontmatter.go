// Package frontmatter reads and writes Markdown files that begin with YAML
// front matter. It owns the file's form; what a post may be (which slugs are
// free, how long a title is) is decided elsewhere. It touches no disk and no
// database.
//
// # The form
//
// A file is UTF-8, at most MaxSize bytes, with line ends of any kind and
// perhaps a byte order mark. If its first line is "---", what stands between it
// and the next line "---" (or "...") is front matter; later "---" lines belong
// to the body. A file without front matter is a draft whose title and slug come
// from its heading and its name.
//
//	title         text; left out: the first "# heading", else the file's name
//	slug          text; left out: the file's name without extension and without
//	              a date in front (2024-01-02-name.md); index.md takes its folder's name
//	published_at  a date as ParseDate reads it; "date" means the same
//	is_draft      true, false, yes, no, on, off; "draft" means the same
//	description   text
//	author        text
//	tags          a list, one text, or texts with commas between
//	permalinks    a list or one text
//
// A key without a value counts as left out. A file with neither date nor
// is_draft is a draft; "is_draft: false" without a date is published by the
// import, at the import's time. Other keys are kept for the export and
// mentioned in a warning.
package frontmatter

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxSize is the largest file read, in bytes.
	MaxSize = 1 << 20
	// maxFront is the most front matter read, in bytes. With maxList it bounds
	// what a file can cost, whatever anchors and aliases it holds.
	maxFront = 64 << 10
	// maxList is the longest list of tags or permalinks.
	maxList = 200
)

// Fields are what a file says about its post.
type Fields struct {
	Title, Slug, Description, Author string

	PublishedAt *time.Time // UTC, whole seconds; nil when there is none
	Draft       bool
	Tags        []string // in the file's order, each once; nil when there are none
	Permalinks  []string // likewise
	Body        string   // Markdown as CanonicalBody gives it
}

// File is a parsed file.
type File struct {
	Fields
	Name  string  // as given to Parse, with forward slashes
	Extra []Extra // keys this package does not know, in the file's order
	Raw   []byte  // the whole file, untouched

	// These say that the file itself gives the value; otherwise it follows from
	// the file's name, its heading or a default.
	HasTitle, HasSlug, HasDate, HasDraft bool

	loc    *time.Location
	parts  parts
	items  []item
	flow   bool // the front matter is one {…}: there are no lines to edit
	filled set  // where Imported differs from the file
}

// Extra is an unknown key with its YAML as it stands in the file.
type Extra struct {
	Key, Text string
	Line      int
}

// LineOf returns the line of the file, from 1, that says what the field named
// key is: that of its key, of the text for "body", else the first. "date" and
// "published_at" are one field.
func (f File) LineOf(key string) int {
	if key == "body" {
		return max(f.parts.firstOfBody, 1)
	}
	for _, it := range f.items {
		if it.field != none && it.field == known(key) {
			return it.line
		}
	}
	return 1
}

// LineWith returns the line, from 1, in which the text first holds part, else
// the text's first.
func (f File) LineWith(part string) int {
	if at := bytes.Index(f.Raw[min(f.parts.body, len(f.Raw)):], []byte(part)); at >= 0 && part != "" {
		return lineOf(f.Raw, f.parts.body+at)
	}
	return f.LineOf("body")
}

// Problem is one thing that is wrong with a file, or worth a mention. It is an
// error unless Warning is set.
type Problem struct {
	File    string
	Line    int    // in the file, from 1
	Field   string // the key, or "" for the file as a whole
	Message string // what is wrong
	Hint    string // what to write instead
	Warning bool
}

// Error gives file, line, what is wrong and what to write instead in one line.
func (p Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: ", p.File, p.Line)
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Failed reports whether any of the problems forbids the import of the file.
func Failed(problems []Problem) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}

// Parse reads a file. name is its path with forward slashes; loc is the zone of
// dates that name none (nil: UTC). Where Failed(problems), the File holds what
// could be understood and must not be imported.
func Parse(name string, data []byte, loc *time.Location) (File, []Problem) {
	if loc == nil {
		loc = time.UTC
	}
	p := &parser{file: File{Name: name, Raw: data, loc: loc}}
	if p.readable(data) {
		p.split(data)
		p.fields()
	}
	return p.file, p.problems
}

// parser collects a file and its problems.
type parser struct {
	file     File
	problems []Problem
}

func (p *parser) fail(line int, field, message, hint string) {
	p.problems = append(p.problems, Problem{File: p.file.Name, Line: line, Field: field, Message: message, Hint: hint})
}

func (p *parser) warn(line int, field, message, hint string) {
	p.problems = append(p.problems, Problem{File: p.file.Name, Line: line, Field: field, Message: message, Hint: hint, Warning: true})
}

// readable refuses what is no text.
func (p *parser) readable(data []byte) bool {
	if len(data) > MaxSize {
		p.fail(1, "", fmt.Sprintf("the file has %d bytes and at most %d are read", len(data), MaxSize), "split it into several posts")
		return false
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		p.fail(lineOf(data, i), "", "the file holds a NUL byte", "save it as UTF-8 text (it may be UTF-16, or no text at all)")
		return false
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			p.fail(lineOf(data, i), "", fmt.Sprintf("byte %#x is not UTF-8", data[i]), "save the file as UTF-8 (it may be Latin-1 or Windows-1252)")
			return false
		}
		i += n
	}
	return true
}

// CanonicalBody is the form in which bodies are compared and stored: line ends
// are LF, and there is no empty line before the text and nothing blank behind.
func CanonicalBody(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	for {
		line, rest, found := strings.Cut(s, "\n")
		if !found || strings.Trim(line, " \t") != "" {
			return strings.TrimRight(s, " \t\n")
		}
		s = rest
	}
}
