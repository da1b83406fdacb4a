package markdown

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Warning names what of a source is not shown.
type Warning struct {
	Line int // of the source, from 1
	Text string
}

// maxWarnings is the largest number of warnings of a source. The last one then gives the number of
// those left out.
const maxWarnings = 50

// skipped are the elements that are left out with their content.
var skipped = []string{
	"frame", "frameset", "iframe", "noembed", "noframes", "noscript", "object", "script", "style", "title",
}

// Warnings returns what of source is not shown, in the order of its lines: elements of raw HTML that
// posts do not have, comments and tags that do not end, and links with addresses that are not
// allowed. It returns none for a source that Render refuses.
func (r *Renderer) Warnings(source string) []Warning {
	root, src, err := r.parse(source)
	if err != nil {
		return nil
	}
	return lost(root, src)
}

// loser collects the warnings of a document.
type loser struct {
	src   []byte
	found []Warning
	seen  map[Warning]bool
	more  int
	line  int // the number of the current line
	at    int // where that line begins, in bytes

	player player
}

func lost(root ast.Node, src []byte) []Warning {
	l := &loser{src: src, seen: make(map[Warning]bool), line: 1}
	// A walk returns only the errors of its function, which has none.
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock:
			segments := *n.Lines()
			if n.HasClosure() {
				segments.Append(n.ClosureLine)
			}
			l.raw(&segments)
		case *ast.RawHTML:
			l.raw(n.Segments)
		case *ast.Link:
			l.link(n)
		case *ast.Image:
			l.image(n)
		}
		return ast.WalkContinue, nil
	})
	l.endPlayer()
	slices.SortStableFunc(l.found, func(a, b Warning) int { return a.Line - b.Line })
	if l.more > 0 {
		l.found = append(l.found, Warning{Line: l.found[len(l.found)-1].Line, Text: fmt.Sprintf("and %d more", l.more)})
	}
	return l.found
}

// lineAt returns the number of the line at a place in the source. It is fast for ascending places.
func (l *loser) lineAt(at int) int {
	at = min(max(at, 0), len(l.src))
	if at >= l.at {
		l.line += bytes.Count(l.src[l.at:at], []byte("\n"))
	} else {
		l.line -= bytes.Count(l.src[at:l.at], []byte("\n"))
	}
	l.at = at
	return l.line
}

func (l *loser) add(at int, text string) {
	w := Warning{Line: l.lineAt(at), Text: text}
	switch {
	case l.seen[w]:
	case len(l.found) >= maxWarnings:
		l.more++
	default:
		l.seen[w] = true
		l.found = append(l.found, w)
	}
}

func (l *loser) link(n *ast.Link) {
	if _, ok := parseAddress(string(n.Destination)); ok || len(n.Destination) == 0 {
		return
	}
	l.add(placeOf(n), fmt.Sprintf("the link to %.60q leads nowhere that a post may link to; its text stays",
		n.Destination))
}

// placeOf returns the place of a link or an image: of its text, if it has one.
func placeOf(n ast.Node) int {
	if first, ok := n.FirstChild().(*ast.Text); ok {
		return first.Segment.Start
	}
	return n.Pos()
}

// image warns of a video or a recording that is written as an image. One inside a link is its text.
func (l *loser) image(n *ast.Image) {
	u, ok := parseAddress(string(n.Destination))
	if !ok || playerOf(u) == 0 {
		return
	}
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Kind() == ast.KindLink {
			return
		}
	}
	l.media(placeOf(n), playerOf(u).String(), string(n.Destination))
}

// raw reads a piece of raw HTML as the sanitising policy does.
func (l *loser) raw(segments *text.Segments) {
	value := segments.Value(l.src)
	// Places are asked for in their order, so that each segment is read once.
	next, before := 0, 0
	place := func(offset int) int {
		for ; next < segments.Len(); next++ {
			s := segments.At(next)
			size := len(s.Value(l.src))
			if offset < before+size {
				return s.Start + max(offset-before-s.Padding, 0)
			}
			before += size
		}
		return segments.At(segments.Len() - 1).Stop
	}
	z := html.NewTokenizer(bytes.NewReader(value))
	read := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if tag := bytes.TrimSpace(value[read:]); len(tag) > 0 {
				l.add(place(read), fmt.Sprintf("the tag %.40q does not end (is a quotation mark missing?): it and what "+
					"follows in its block are not shown", firstLine(tag)))
			}
			return
		}
		token := z.Raw()
		switch kind {
		case html.CommentToken:
			if bytes.HasPrefix(token, []byte("<!--")) && !bytes.HasSuffix(token, []byte("-->")) &&
				!bytes.HasSuffix(token, []byte("--!>")) {
				l.add(place(read), "the comment that begins here (<!--) does not end (-->): what follows is not shown")
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			// The bytes are read first, because reading the name changes them.
			size := len(token)
			name, src := readTag(z)
			if at := place(read); !l.startPlayer(name, src, at) {
				l.leftOut(at, name)
			}
			read += size
			continue
		case html.EndTagToken:
			size := len(token)
			if name, _ := z.TagName(); isPlayer(atom.Lookup(name)) {
				l.endPlayer()
			}
			read += size
			continue
		}
		read += len(token)
	}
}

// readTag returns the name of the tag that z is at, and its address.
func readTag(z *html.Tokenizer) (name, src string) {
	tag, more := z.TagName()
	name = string(tag)
	for more {
		var key, value []byte
		if key, value, more = z.TagAttr(); src == "" && string(key) == "src" {
			src = string(value)
		}
	}
	return name, src
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// htmlElements are elements of HTML's standard that authors write and posts do not have.
var htmlElements = strings.Fields("address area article aside base body button canvas center colgroup col data " +
	"datalist dialog dir embed fieldset font footer form h1 head header hgroup html input label legend link main map " +
	"marquee math menu meta meter nav optgroup option output param picture progress search section select slot source " +
	"strike summary svg template textarea tt big acronym track")

// leftOut warns of an element that posts do not have.
func (l *loser) leftOut(at int, name string) {
	switch {
	case slices.Contains(authoredElements, name):
		return
	case slices.Contains(skipped, name):
		l.add(at, fmt.Sprintf("<%s> and what is in it are not shown", name))
		return
	case slices.Contains(htmlElements, name):
		l.add(at, fmt.Sprintf("<%s> is left out; text in it stays", name))
		return
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) { // it could control a terminal
			return utf8.RuneError
		}
		return r
	}, name)
	l.add(at, fmt.Sprintf("<%.40s> is no element of HTML and is left out; write \\<%.40s> to show it", name, name))
}
