// Package frontmatter reads and writes Markdown files that begin with front
// matter in YAML, TOML or JSON. It owns the file's form; what a post may be (which
// slugs are free, how long a title is) is decided elsewhere. It touches no disk
// and no database.
//
// # The form
//
// A file is UTF-8, at most MaxSize bytes, with line ends of any kind and
// perhaps a byte order mark. If its first line is "---", what stands between it
// and the next line "---" (or "...") is YAML; "+++" does so for TOML, "---toml" and
// "---json" name the syntax, and a file that begins with an object begins with
// JSON. Later such lines belong to the body. A file without front matter is a
// draft whose title and slug come from its heading and its name.
//
//	title         text; left out: the first "# heading", else the file's name
//	slug          text; left out: the file's name without extension and without
//	              a date in front (2024-01-02-name.md); index.md takes its folder's name
//	published_at  a date as ParseDate reads it; "date" means the same
//	is_draft      true, false, yes, no, on, off, 1, 0; "draft" means the same
//	pinned        true or false, likewise; left out: false
//	description   text
//	author        text
//	tags          a list, one text, or texts with commas between
//	permalinks    a list or one text
//	verbatim      true: nothing in the text is another system's
//
// Letter case, hyphens and underscores of keys do not matter. A key without a value
// counts as left out. A file with neither date nor is_draft is a draft; "is_draft:
// false" without a date is published by the import, at the import's time. Other
// systems' words for these are read as well (keys.go). Other keys are kept for the
// export and mentioned in a warning.
//
// # What is private
//
// A file that says anywhere that it is not for everybody is a draft, whatever
// else it says (private.go): in the words of any system, in mappings of the page
// such as params and extra, by a password, or by its folder (_drafts). A later one
// of several dates of publication counts. One of which this cannot be told
// (status: ripe) is refused, unless it is a draft anyway or says is_draft: false.
package frontmatter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxSize is the size of the largest file, in bytes.
	MaxSize = 1 << 20
	// maxFront is the size of the largest front matter, in bytes. With maxList it bounds what a
	// file can cost, whatever anchors and aliases it has.
	maxFront = 64 << 10
	// maxList is the length of the longest list of tags or permalinks.
	maxList = 200
)

// Fields is what a file says about its post.
type Fields struct {
	Title, Slug, Description, Author string

	PublishedAt *time.Time // UTC, whole seconds; nil without a date
	Draft       bool
	Pinned      bool
	Tags        []string // in the file's order, each once; nil without tags
	Permalinks  []string // likewise
	Verbatim    bool     // nothing in the body is another system's: it is meant as it stands
	Body        string   // Markdown as CanonicalBody gives it
}

// File is a parsed file.
type File struct {
	Fields
	Name  string  // as given to Parse, with forward slashes
	Extra []Extra // unknown keys, in the file's order
	Raw   []byte  // the whole file, unchanged

	// These say that the file itself gives the value. Otherwise the value comes from the file's
	// name, its heading or a default.
	HasTitle, HasSlug, HasDate, HasDraft bool

	// Addresses are those of Permalinks that another system's words give.
	Addresses []Address
	// Expires is when the post is no longer for everybody; nil where the file names no such time.
	Expires *time.Time

	dated  bool // there is a date at which it came out, or will
	expiry item
	loc    *time.Location
	parts  parts
	items  []item
	flow   bool // the front matter is one {…}, or not YAML: there are no lines to edit
	filled set  // where Imported differs from the file
	doubts []Problem
	lines  func(n int) int // the line of the file's own body for a line of Body; nil where they are the same
}

// Extra is an unknown key, with its YAML as in the file.
type Extra struct {
	Key, Text string
	Line      int
}

// Problem is one thing that is wrong with a file. It prevents the import, unless Warning is set.
type Problem struct {
	File    string
	Line    int    // in the file, from 1
	Field   string // the key; "" for the file as a whole
	Message string // what is wrong
	Hint    string // what to write instead
	Warning bool
	Kind    Kind // of a warning
}

// Kind is what a warning is about.
type Kind string

// The kinds of warnings.
const (
	Doubt      Kind = "doubt"   // what was read may not be what was meant
	Choice     Kind = "choice"  // what could be read in two ways, and in which it was
	Private    Kind = "private" // why a post is a draft
	KeyIgnored Kind = "key"     // a key that means nothing here
	NoAddress  Kind = "address" // an old address that does not lead to the post
)

// Address is an address that a post had in another system.
type Address struct {
	Path, Key string
	Line      int
}

// Error returns file, line, what is wrong and what to write instead, in one line.
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
	return visible(b.String())
}

// visible is a text as it may be put on a terminal, which obeys what it does not show.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// Failed reports whether one of the problems prevents the import.
func Failed(problems []Problem) bool {
	for _, p := range problems {
		if !p.Warning {
			return true
		}
	}
	return false
}

// Parse parses a file. name is its path with forward slashes; loc is the zone of dates that name
// none (nil means UTC). When Failed(problems), the File has what could be understood, and must not
// be imported.
func Parse(name string, data []byte, loc *time.Location) (File, []Problem) {
	return ParseIn("", name, data, loc)
}

// ParseIn reads a file of a folder that has a name, such as _drafts, which can say something of
// all that lies in it.
func ParseIn(folder, name string, data []byte, loc *time.Location) (File, []Problem) {
	if loc == nil {
		loc = time.UTC
	}
	p := &parser{folder: folder, file: File{Name: name, Raw: data, loc: loc}}
	if p.readable(data) {
		p.split(data)
		p.fields()
	}
	return p.file, p.problems
}

// parser collects the parts of a file and its problems.
type parser struct {
	file     File
	folder   string
	problems []Problem
	dates    []dated
	hasDate  bool            // a key gives one on which the post came out, perhaps one that cannot be read
	heard    map[string]bool // keys that speak of who may read the post
}

func (p *parser) fail(line int, field, message, hint string) {
	p.problems = append(p.problems, Problem{File: p.file.Name, Line: line, Field: field, Message: message, Hint: hint})
}

func (p *parser) warn(line int, field, message, hint string) {
	p.note(Doubt, line, field, message, hint)
}

func (p *parser) note(kind Kind, line int, field, message, hint string) {
	p.problems = append(p.problems, Problem{
		File: p.file.Name, Line: line, Field: field, Message: message, Hint: hint, Warning: true, Kind: kind,
	})
}

// readable reports whether data is text, and adds a problem when it is not.
func (p *parser) readable(data []byte) bool {
	if len(data) > MaxSize {
		p.fail(1, "", fmt.Sprintf("the file has %d bytes and at most %d are read", len(data), MaxSize),
			"split it into several posts")
		return false
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		p.fail(lineOf(data, i), "", "the file holds a NUL byte",
			"save it as UTF-8 text (it may be UTF-16, or no text at all)")
		return false
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			p.fail(lineOf(data, i), "", fmt.Sprintf("byte %#x is not UTF-8", data[i]),
				"save the file as UTF-8 (it may be Latin-1 or Windows-1252)")
			return false
		}
		i += n
	}
	return true
}

// CanonicalBody returns the form in which bodies are compared and stored: with LF as line ends,
// without empty lines before the text and without white space behind it.
func CanonicalBody(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	for {
		line, remainder, found := strings.Cut(s, "\n")
		if !found || strings.Trim(line, " \t") != "" {
			return strings.TrimRight(s, " \t\n")
		}
		s = remainder
	}
}
