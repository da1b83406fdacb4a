// Package foreign reads what other systems export of a blog: WordPress's WXR, Ghost's JSON and
// WriteFreely's JSON. It makes of each entry a Markdown file with front matter, as one that lies in a
// folder, and says what of the entry is not in it. It reads no picture and no database: the caller
// says which pictures it has.
//
// # Who may read it
//
// An entry is for everybody only where its system says so in so many words (WordPress: status publish
// or future, and no password; Ghost: published or scheduled, visibility public; WriteFreely: a public
// collection). Everything else is a draft, and a note says why: also what says it twice and not the same, in
// another shape than its system's, or is twice in the export.
//
// # What an export costs
//
// An export is read twice: once for an index of what is in it, without any text, and then entry by
// entry, as the caller asks for them. One entry is in memory at a time, and one that is larger than
// maxEntry ends the reading. XML's entities are not expanded, and what is nested deeper than a parser
// allows loses its form and not its text.
package foreign

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"blog/internal/frontmatter"
)

// Kinds of notes besides those of frontmatter.
const (
	Lost    frontmatter.Kind = "lost"    // a part of the text that posts do not show
	Text    frontmatter.Kind = "text"    // what stands in the text as it was, and means nothing here
	Link    frontmatter.Kind = "link"    // a link that leads to nothing in the export
	Picture frontmatter.Kind = "picture" // one that cannot be had
	Page    frontmatter.Kind = "page"    // a page, of which the blog has none
	Term    frontmatter.Kind = "term"    // a term that becomes no tag
)

// Note is one thing that is to be said of an entry.
type Note struct {
	Kind    frontmatter.Kind
	What    string // the field, or what stands in the text
	Message string
}

// Entry is one entry of an export.
type Entry struct {
	Raw   []byte // a whole Markdown file
	Line  int    // of the export, from 1, in which the entry begins
	Notes []Note
}

// Left counts what of an export is in no file.
type Left struct {
	Kind string // such as "comment"
	N    int
	Why  string
}

// Options are what reading an export has to know.
type Options struct {
	// Loc is the zone of dates that name none.
	Loc *time.Location
	// Picture reports whether there is a picture at a path, which has forward slashes and none before it.
	Picture func(path string) bool
}

// Export is an export whose index has been read.
type Export struct {
	// Left is what of it is in no file.
	Left []Left

	names  []string
	places map[string]place
	read   func(place) (*post, error)
}

// place is where an entry stands in the file.
type place struct {
	at, end int64
	line    int
	name    string // of the entry
	slug    string
	extra   int    // of the index of the system
	doubt   string // why it cannot be told who may read it, "" where it can
}

// twice is the doubt about entries of which the export has more than one with an id: one of them may be what
// the entry was before it was hidden.
const twice = "the export has more than one entry with its id"

// doubtTwice notes twice for all places that have an id in common. ids are theirs, in their order.
func doubtTwice(places []*place, ids []string) {
	count := map[string]int{}
	for _, id := range ids {
		count[id]++
	}
	for i, id := range ids {
		if id != "" && count[id] > 1 && places[i].doubt == "" {
			places[i].doubt = twice
		}
	}
}

// Names returns the names of the entries, which are paths such as posts/hello.md. The same entry has
// the same name in every export of its system, while its slug is the same.
func (x *Export) Names() []string { return x.names }

// Read returns the entry with this name. It fails when the file cannot be read, or is no longer the
// one of which the index was read.
func (x *Export) Read(name string) (Entry, error) {
	p, found := x.places[name]
	if !found {
		return Entry{}, fmt.Errorf("read entry: there is no %q", name)
	}
	post, err := x.read(p)
	if err != nil {
		return Entry{Line: p.line}, fmt.Errorf("read entry in line %d: %w", p.line, err)
	}
	post.slug = p.slug
	if p.doubt != "" {
		post.hide("entry", p.doubt)
	}
	return Entry{Raw: post.file(), Line: p.line, Notes: post.notes}, nil
}

// Limits of an export.
const (
	maxEntry   = 16 << 20 // bytes of one entry, or of one text in it
	maxEntries = 200_000
)

var (
	errTooLong = fmt.Errorf("one entry is longer than %d MB", maxEntry>>20)
	errTooMany = fmt.Errorf("there are more than %d entries", maxEntries)
	errUnknown = errors.New("this is no export of WordPress (XML), Ghost or WriteFreely (JSON)")
)

// Problem is why a file cannot be read as an export.
type Problem struct {
	Line int // from 1
	Err  error
}

func (p *Problem) Error() string { return fmt.Sprintf("line %d: %v", p.Line, p.Err) }

// Unwrap returns the reason without the line.
func (p *Problem) Unwrap() error { return p.Err }

// Open reads the index of an export of size bytes. It fails with a Problem when the file is no export.
func Open(file io.ReaderAt, size int64, opt Options) (*Export, error) {
	if opt.Loc == nil {
		opt.Loc = time.UTC
	}
	if opt.Picture == nil {
		opt.Picture = func(string) bool { return false }
	}
	switch first(io.NewSectionReader(file, 0, size)) {
	case '<':
		return openWXR(file, size, opt)
	case '{', '[':
		return openJSON(file, size, opt)
	}
	return nil, &Problem{1, errUnknown}
}

// first returns the first byte that is no white space and no byte order mark.
func first(r io.Reader) byte {
	in := bufio.NewReader(io.LimitReader(r, 4<<10))
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(len(mark)) // they are there
	}
	for {
		switch b, err := in.ReadByte(); {
		case err != nil:
			return 0
		case b != ' ' && b != '\t' && b != '\r' && b != '\n':
			return b
		}
	}
}

// meter reads a file in which no part may be longer than maxEntry: reset begins a part.
type meter struct {
	in   *bufio.Reader
	left int64
}

func newMeter(r io.Reader) *meter { return &meter{in: bufio.NewReaderSize(r, 64<<10), left: maxEntry} }

func (m *meter) reset() { m.left = maxEntry }

// ReadByte returns the next byte.
func (m *meter) ReadByte() (byte, error) {
	if m.left <= 0 {
		return 0, errTooLong
	}
	m.left--
	return m.in.ReadByte()
}

// Read reads as io.Reader says.
func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooLong
	}
	n, err := m.in.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}
