package markdown

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"github.com/microcosm-cc/bluemonday"
)

// Version is the version of the renderer's output. It is stored with the HTML;
// a stored one that differs is rendered again. Raise it with every change of
// the output, which a change of the golden files shows.
const Version = 1

// MaxSource is the size of the largest source that is rendered, in bytes.
const MaxSource = 1 << 20

var (
	// ErrTooComplex says that a source is too large, or would grow too large,
	// to be rendered in bounded time. Its text says which limit was met.
	ErrTooComplex = errors.New("markdown: too complex to render")

	// ErrPrefix says that Options.Prefix has characters other than ASCII
	// letters, digits, - and _, or more than 64 of them.
	ErrPrefix = errors.New("markdown: unusable prefix")
)

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Options are what Render must know about the one source it renders.
type Options struct {
	// Prefix makes the ids of footnotes ("fn-PREFIX:1") different from those
	// of other posts on the same page. It must be stable, as it is part of
	// links to footnotes. Empty stands for "post".
	Prefix string

	// Image, if any, is asked once for each occurrence of an image on this
	// host. Its argument is the destination as the name of a file: percent
	// signs are decoded, query and fragment cut off; it is not cleaned and
	// may hold "..". It answers with the address to show, and with the size in
	// pixels where that is known (0 where not). An image that is not ok is
	// shown as its alternative text if its destination is relative, and left
	// as it is if that starts with a slash. One that is ok with an empty
	// address is known to be gone, and shown as its alternative text wherever
	// its destination leads. Without Image all are left.
	Image func(dest string) (url string, width, height int, ok bool)

	// Link, if any, is asked once for each link to another place on this host,
	// with the destination in the same form as for Image. Query and fragment
	// are appended to its answer. One that is not ok is left as it is.
	Link func(dest string) (url string, ok bool)
}

// Document is a rendered source.
type Document struct {
	HTML           string    // sanitised, balanced, without h1; safe to embed in a page
	Headings       []Heading // in their order, without those in quotes and footnotes
	Plain          string    // the text for a search index, code and alternative texts included
	Excerpt        string    // the first paragraphs as text, at most 280 characters
	ReadingMinutes int       // at 260 words, or 500 Chinese or Japanese characters, a minute; at least 1
	Images         []string  // destinations of relative images as Options.Image gets them, each once
}

// Heading is an entry of a table of contents.
type Heading struct {
	Level int    // 2 to 6, at most one deeper than the entry before
	ID    string // the element's id, with its prefix h-
	Text  string
}

// Words are the words that assistive software reads out and the source does
// not hold. Empty ones are English.
type Words struct {
	Code      string // names a block of code in no known language
	Table     string // names a table without caption and header
	Done      string // names a ticked box of a task list
	Open      string // names one that is not ticked
	Footnotes string // names the footnotes
	Back      string // names the link from a footnote to its place in the text
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
	} {
		if *d.word == "" {
			*d.word = d.or
		}
	}
	return w
}

// Renderer renders sources. It can be used by any number of goroutines.
type Renderer struct {
	goldmark goldmark.Markdown
	words    Words
	ours     *bluemonday.Policy
}

// New returns a renderer that names things by the given words.
func New(words Words) *Renderer {
	words = words.withDefaults()
	return &Renderer{goldmark: newGoldmark(words), words: words, ours: ours()}
}

// Render renders source. Equal sources and options give equal documents. Bytes
// that are no UTF-8 and characters that neither HTML nor XML can hold become
// U+FFFD. The error is ErrTooComplex or ErrPrefix; any other is a bug.
func (r *Renderer) Render(source string, opt Options) (Document, error) {
	if opt.Prefix == "" {
		opt.Prefix = "post"
	}
	if !prefixPattern.MatchString(opt.Prefix) {
		return Document{}, fmt.Errorf("%w: %.80q", ErrPrefix, opt.Prefix)
	}
	if len(source) > MaxSource {
		return Document{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooComplex, len(source), MaxSource)
	}
	src := []byte(clean(source))
	if tooManyCells(src) {
		return Document{}, fmt.Errorf("%w: a table has more than %d columns, or all have more than %d cells",
			ErrTooComplex, maxColumns, maxCells)
	}

	root := r.goldmark.Parser().Parse(text.NewReader(src), parser.WithContext(newLimits()))
	root.OwnerDocument().AddMeta(metaPrefix, opt.Prefix)
	var written bytes.Buffer
	if err := r.goldmark.Renderer().Render(&written, src, root); err != nil {
		return Document{}, fmt.Errorf("markdown: write: %w", err)
	}

	tree := buildTree(&written)
	s := shaper{opt: opt, words: r.words}
	s.shape(tree)

	var out bytes.Buffer
	for n := tree.FirstChild; n != nil; n = n.NextSibling {
		if err := html.Render(&out, n); err != nil {
			return Document{}, fmt.Errorf("markdown: write: %w", err)
		}
	}
	if out.Len() > maxOutput {
		return Document{}, fmt.Errorf("%w: becomes %d bytes of HTML, at most %d", ErrTooComplex, out.Len(), maxOutput)
	}

	plain := plainText(tree)
	return Document{
		HTML:           r.ours.SanitizeReader(&out).String(),
		Headings:       s.headings,
		Plain:          plain,
		Excerpt:        excerpt(tree),
		ReadingMinutes: readingMinutes(plain),
		Images:         s.images,
	}, nil
}

// clean makes text what the later stages, HTML and the XML of a feed can hold.
func clean(s string) string {
	s = strings.TrimPrefix(s, "\uFEFF")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Map(holdable, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// holdable returns U+FFFD for the characters that XML 1.0 forbids.
func holdable(r rune) rune {
	switch {
	case r == '\t', r == '\n':
		return r
	case r < ' ', r == 0x7f, r == 0xfffe, r == 0xffff:
		return utf8.RuneError
	}
	return r
}
