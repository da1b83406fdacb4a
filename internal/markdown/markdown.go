package markdown

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"github.com/microcosm-cc/bluemonday"
)

// Version is the version of the renderer's output. It is stored with the HTML, and a post with
// another version is rendered again. Every change of the output, which changes golden files, has to
// raise it.
const Version = 2

// MaxSource is the size of the largest source that is rendered, in bytes.
const MaxSource = 1 << 20

var (
	// ErrTooComplex means that a source is too large, or would become too large, to be rendered in
	// bounded time. Its text says which limit was exceeded.
	ErrTooComplex = errors.New("markdown: too complex to render")

	// ErrPrefix means that Options.Prefix has characters other than ASCII letters, digits, - and _,
	// or more than 64 of them.
	ErrPrefix = errors.New("markdown: unusable prefix")
)

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Options is what Render has to know about one source.
type Options struct {
	// Prefix makes the ids of footnotes ("fn-PREFIX:1") different from those of other posts on the
	// same page. It must be stable, because links to footnotes contain it. Empty means "post".
	Prefix string

	// Image, unless it is nil, is called for each occurrence of an image on this host, unless its name is
	// that of a video or a recording. Its argument
	// is the destination as a file name: with percent signs decoded, and without query and
	// fragment. It is not cleaned and may contain "..". Image returns the address to show, and the
	// size in pixels (0 when it is not known). An image that is not ok is shown as its alternative
	// text if its destination is relative, and left as it is if that begins with a slash. One that
	// is ok with an empty address is known to be gone, and is shown as its alternative text in any
	// case. Without Image all images are left as they are.
	Image func(dest string) (url string, width, height int, ok bool)

	// Link, unless it is nil, is called for each link to another place on this host, with the
	// destination in the same form as for Image. Query and fragment are appended to the address
	// that it returns. A link that is not ok is left as it is.
	Link func(dest string) (url string, ok bool)
}

// Document is a rendered source.
type Document struct {
	HTML           string    // sanitised, balanced, without h1; safe to embed in a page
	Headings       []Heading // in their order, without those in quotes and footnotes
	Plain          string    // text for a search index, with code and alternative texts
	Excerpt        string    // the first paragraphs as text, at most 280 characters
	ReadingMinutes int       // at 260 words, or 500 Chinese or Japanese characters, a minute; at least 1
	Images         []string  // destinations of relative images as Options.Image gets them, each once
	Warnings       []Warning // what of the source is not shown, in the order of its lines
}

// Heading is an entry of a table of contents.
type Heading struct {
	Level int    // 2 to 6, at most one deeper than the entry before
	ID    string // id of the element, with its prefix h-
	Text  string
}

// Words are the words that assistive software reads out and the source does not contain. Empty ones
// are English.
type Words struct {
	Code      string // names a block of code in an unknown language
	Table     string // names a table without caption and header
	Done      string // names a ticked box of a task list
	Open      string // names a box that is not ticked
	Footnotes string // names the footnotes
	Back      string // names the link from a footnote to its place in the text

	Note, Tip, Important, Warning, Caution string // are the titles of alerts without one
}

func (w Words) withDefaults() Words {
	for _, d := range []struct {
		word *string
		or   string
	}{
		{&w.Code, "Code"},
		{&w.Table, "Table"},
		{&w.Done, "Done"},
		{&w.Open, "To do"},
		{&w.Footnotes, "Footnotes"},
		{&w.Back, "Back to the text"},
		{&w.Note, "Note"},
		{&w.Tip, "Tip"},
		{&w.Important, "Important"},
		{&w.Warning, "Warning"},
		{&w.Caution, "Caution"},
	} {
		if *d.word == "" {
			*d.word = d.or
		}
	}
	return w
}

// Renderer renders sources. Any number of goroutines can use it at the same time.
type Renderer struct {
	goldmark goldmark.Markdown
	words    Words
	ours     *bluemonday.Policy
}

// New returns a renderer that uses the given words.
func New(words Words) *Renderer {
	words = words.withDefaults()
	return &Renderer{goldmark: newGoldmark(words), words: words, ours: ours()}
}

// Render renders source. Equal sources and options give equal documents. Bytes that are not UTF-8,
// and characters that HTML or XML cannot contain, become U+FFFD. The error is ErrTooComplex or
// ErrPrefix; any other is a bug.
func (r *Renderer) Render(source string, opt Options) (Document, error) {
	if opt.Prefix == "" {
		opt.Prefix = "post"
	}
	if !prefixPattern.MatchString(opt.Prefix) {
		return Document{}, fmt.Errorf("%w: %.80q", ErrPrefix, opt.Prefix)
	}
	root, src, err := r.parse(source)
	if err != nil {
		return Document{}, err
	}
	root.OwnerDocument().AddMeta(metaPrefix, opt.Prefix)
	var written bytes.Buffer
	if err = r.goldmark.Renderer().Render(&written, src, root); err != nil {
		return Document{}, fmt.Errorf("markdown: write: %w", err)
	}

	tree := buildTree(&written)
	joinLines(tree)
	s := shaper{opt: opt, words: r.words}
	s.shape(tree)

	plain, first := plainText(tree), excerpt(tree)
	out, err := write(tree)
	if err == nil && out.Len() > maxRoomy {
		s.compact(tree)
		out, err = write(tree)
	}
	if err != nil {
		return Document{}, err
	}
	if out.Len() > maxOutput {
		return Document{}, fmt.Errorf("%w: becomes %d bytes of HTML, at most %d", ErrTooComplex, out.Len(), maxOutput)
	}

	return Document{
		HTML:           r.ours.SanitizeReader(out).String(),
		Headings:       s.headings,
		Plain:          plain,
		Excerpt:        first,
		ReadingMinutes: readingMinutes(plain),
		Images:         s.images,
		Warnings:       lost(root, src),
	}, nil
}

// parse returns the syntax tree of source, and source as that tree refers to it. The error is ErrTooComplex.
func (r *Renderer) parse(source string) (root ast.Node, src []byte, err error) {
	if len(source) > MaxSource {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooComplex, len(source), MaxSource)
	}
	src = []byte(clean(source))
	if tooManyCells(src) {
		return nil, nil, fmt.Errorf("%w: a table has more than %d columns, or all have more than %d cells, or %d "+
			"marks \\| in code", ErrTooComplex, maxColumns, maxCells, maxEscaped)
	}
	pc := newContext(string(src))
	root = r.goldmark.Parser().Parse(text.NewReader(src), parser.WithContext(pc))
	if pc.Get(keyBudget).(*budget).referred < 0 {
		return nil, nil, fmt.Errorf("%w: links by reference have addresses of more than %d bytes in all", ErrTooComplex,
			maxReferred)
	}
	return root, src, nil
}

// write returns the children of tree as HTML.
func write(tree *html.Node) (*bytes.Buffer, error) {
	var out bytes.Buffer
	for n := tree.FirstChild; n != nil; n = n.NextSibling {
		if err := html.Render(&out, n); err != nil {
			return nil, fmt.Errorf("markdown: write: %w", err)
		}
	}
	return &out, nil
}

// clean returns s as text that the later stages, HTML and the XML of a feed can contain.
func clean(s string) string {
	s = strings.TrimPrefix(s, "\uFEFF")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Map(holdable, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// holdable returns r, or U+FFFD for the characters that XML 1.0 forbids.
func holdable(r rune) rune {
	switch {
	case r == '\t', r == '\n':
		return r
	case r < ' ', r == 0x7f, r == 0xfffe, r == 0xffff:
		return utf8.RuneError
	}
	return r
}
