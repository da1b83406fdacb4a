package markdown

import (
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxDepth is how deep elements may be nested. The tags of deeper ones are left out. Browsers and
// golang.org/x/net/html stop at 512.
const maxDepth = 160

// Kinds of elements that the rules of HTML's parser distinguish.
const (
	void      = 1 << iota // has no end tag
	block                 // ends an open paragraph
	heading               // ends an open heading
	structure             // a part of a table without text of its own
	boundary              // end tags inside do not close what is outside
)

var kinds = map[atom.Atom]int{
	atom.Br: void, atom.Wbr: void, atom.Img: void, atom.Input: void, atom.Hr: void | block,
	atom.Video: void, atom.Audio: void, // what is between their tags is removed at the end tag
	atom.P: block, atom.Div: block, atom.Blockquote: block, atom.Pre: block, atom.Section: block,
	atom.Ul: block, atom.Ol: block, atom.Li: block, atom.Dl: block, atom.Dt: block, atom.Dd: block,
	atom.Details: block, atom.Summary: block, atom.Figure: block, atom.Figcaption: block,
	atom.H1: block | heading, atom.H2: block | heading, atom.H3: block | heading,
	atom.H4: block | heading, atom.H5: block | heading, atom.H6: block | heading,
	atom.Table: block | structure | boundary, atom.Thead: structure, atom.Tbody: structure,
	atom.Tfoot: structure, atom.Tr: structure,
	atom.Td: boundary, atom.Th: boundary, atom.Caption: boundary,
}

// parents has, for elements that must be inside of another, the names of that one. Elsewhere their
// tags are left out. What is open between the two is closed.
var parents = map[atom.Atom][]atom.Atom{
	atom.Li: {atom.Ul, atom.Ol},
	atom.Dt: {atom.Dl}, atom.Dd: {atom.Dl},
	atom.Rt: {atom.Ruby}, atom.Rp: {atom.Ruby},
	atom.Caption: {atom.Table}, atom.Thead: {atom.Table}, atom.Tbody: {atom.Table}, atom.Tfoot: {atom.Table},
}

// builder builds a balanced tree from tags in any order. It is stricter than the parser of HTML's
// standard, which moves what is misplaced in a table, and opens <b> again after a </p> that has
// closed it, so that the same tags can become any number of elements. builder never makes more
// elements than there are tags, except for missing rows and cells of tables. What it builds follows
// the content model of the standard, so that a parser of the output has nothing to repair.
type builder struct {
	stack   []*html.Node // the open elements, the root first
	skipped bool         // the open bare address is inside a link, and its own tags are left out
	player  *html.Node   // the <video> or <audio> whose end tag has not come
	sources sources      // of player

	last    *html.Node       // the text node that was written last
	written *strings.Builder // its text
}

// bareMark is the attribute that marks a bare address for the builder, which writes it as text
// inside a link. No raw HTML has this attribute.
const bareMark = "data-bare"

// buildTree reads tags that have passed a policy, and returns the root.
func buildTree(r io.Reader) *html.Node {
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	b := &builder{stack: []*html.Node{root}}
	z := html.NewTokenizer(r)
	for {
		switch z.Next() {
		case html.ErrorToken:
			// A reader of bytes fails only at its end.
			return root
		case html.TextToken:
			b.text(z.Token().Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			b.start(z.Token())
		case html.EndTagToken:
			b.end(z.Token().DataAtom)
		}
	}
}

func (b *builder) top() *html.Node { return b.stack[len(b.stack)-1] }

// find returns the index of the innermost open element that is one of names, or 0. It stops at a
// boundary, which may be the result itself.
func (b *builder) find(names ...atom.Atom) int {
	for i := len(b.stack) - 1; i > 0; i-- {
		at := b.stack[i].DataAtom
		for _, name := range names {
			if at == name {
				return i
			}
		}
		if kinds[at]&boundary != 0 {
			return 0
		}
	}
	return 0
}

// table returns the index of the innermost open table, or 0.
func (b *builder) table() int {
	for i := len(b.stack) - 1; i > 0; i-- {
		if b.stack[i].DataAtom == atom.Table {
			return i
		}
	}
	return 0
}

// closeFrom closes the element at index i and everything inside.
func (b *builder) closeFrom(i int) { b.stack = b.stack[:i] }

func (b *builder) open(n *html.Node) {
	b.top().AppendChild(n)
	b.stack = append(b.stack, n)
}

func (b *builder) openNew(a atom.Atom) {
	b.open(&html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a})
}

func (b *builder) text(s string) {
	s = strings.Map(holdable, strings.ReplaceAll(s, "\r", "\n"))
	top := b.top()
	if top.DataAtom == atom.Pre && top.FirstChild == nil {
		// A parser drops the line end that follows <pre>.
		s = strings.TrimPrefix(s, "\n")
	}
	if s == "" {
		return
	}
	if kinds[top.DataAtom]&structure != 0 {
		if strings.Trim(s, " \t\n\f") == "" {
			return
		}
		b.cell()
		top = b.top()
	}
	last := top.LastChild
	if last == nil || last.Type != html.TextNode {
		last = &html.Node{Type: html.TextNode}
		top.AppendChild(last)
	}
	if last != b.last {
		b.last, b.written = last, &strings.Builder{}
		b.written.WriteString(last.Data)
	}
	// A strings.Builder is not copied on each append, as a string is.
	b.written.WriteString(s)
	last.Data = b.written.String()
}

// cell opens what is missing for content directly inside a table's structure.
func (b *builder) cell() {
	if b.top().DataAtom == atom.Table {
		b.openNew(atom.Tbody)
	}
	if b.top().DataAtom != atom.Tr {
		b.openNew(atom.Tr)
	}
	b.openNew(atom.Td)
}

func (b *builder) start(t html.Token) {
	kind := kinds[t.DataAtom]
	if t.DataAtom == atom.Source {
		b.addSource(t)
		return
	}
	if t.DataAtom == atom.A && len(t.Attr) > 0 && t.Attr[0].Key == bareMark {
		t.Attr = t.Attr[1:]
		if b.skipped = b.find(atom.A) > 0; b.skipped {
			return
		}
	}
	if t.DataAtom == 0 || len(b.stack) >= maxDepth && kind&void == 0 {
		return
	}
	if !b.place(t.DataAtom, kind) {
		return
	}
	n := &html.Node{Type: html.ElementNode, Data: t.Data, DataAtom: t.DataAtom}
	for _, attr := range t.Attr {
		if !has(n, attr.Key) { // the first one with a name counts
			attr.Val = strings.Map(holdable, strings.ReplaceAll(attr.Val, "\r", "\n"))
			n.Attr = append(n.Attr, attr)
		}
	}
	if kind&void != 0 {
		b.top().AppendChild(n)
		if isPlayer(t.DataAtom) {
			b.player, b.sources = n, sources{}
			b.sources.offer(attribute(n, "src"))
		}
		return
	}
	b.open(n)
}

// place closes or opens what is needed before an element can be opened. It reports false when the
// element cannot be opened.
func (b *builder) place(a atom.Atom, kind int) bool {
	switch a {
	case atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot:
		i := b.table()
		if i == 0 {
			return false
		}
		b.closeFrom(i + 1)
		return true
	case atom.Tr:
		return b.placeRow()
	case atom.Td, atom.Th:
		if b.top().DataAtom != atom.Tr {
			i := b.table()
			if i == 0 {
				return false
			}
			if len(b.stack) > i+2 && b.stack[i+2].DataAtom == atom.Tr {
				b.closeFrom(i + 3)
			} else {
				b.placeRow()
				b.openNew(atom.Tr)
			}
		}
		return true
	}
	if kinds[b.top().DataAtom]&structure != 0 {
		b.cell()
	}
	if within := parents[a]; within != nil {
		i := b.find(within...)
		if i == 0 {
			return false
		}
		b.closeFrom(i + 1)
		return true
	}
	if a == atom.A {
		if i := b.find(atom.A); i > 0 {
			b.closeFrom(i)
		}
	}
	if kind&block != 0 {
		if i := b.find(atom.P); i > 0 {
			b.closeFrom(i)
		}
	}
	if kind&heading != 0 {
		if i := b.find(atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6); i > 0 {
			b.closeFrom(i)
		}
	}
	return true
}

// placeRow closes everything inside the innermost table except for the part that gets the row.
// Children of a table are only its parts and captions, and children of a part are rows.
func (b *builder) placeRow() bool {
	i := b.table()
	if i == 0 {
		return false
	}
	if len(b.stack) > i+1 && b.stack[i+1].DataAtom != atom.Caption {
		b.closeFrom(i + 2)
		return true
	}
	b.closeFrom(i + 1)
	b.openNew(atom.Tbody)
	return true
}

func (b *builder) end(a atom.Atom) {
	if a == atom.A && b.skipped {
		b.skipped = false
		return
	}
	switch a {
	case 0:
		return
	case atom.Video, atom.Audio:
		b.endPlayer(a)
		return
	case atom.Table:
		if i := b.table(); i > 0 {
			b.closeFrom(i)
		}
		return
	case atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th:
		for i, table := len(b.stack)-1, b.table(); table > 0 && i > table; i-- {
			if b.stack[i].DataAtom == a {
				b.closeFrom(i)
				return
			}
		}
		return
	}
	if i := b.find(a); i > 0 {
		b.closeFrom(i)
	}
}

func has(n *html.Node, key string) bool {
	for _, attr := range n.Attr {
		if attr.Key == key {
			return true
		}
	}
	return false
}

func attribute(n *html.Node, key string) string {
	for _, attr := range n.Attr {
		if attr.Key == key {
			return attr.Val
		}
	}
	return ""
}

// set sets an attribute, or removes it when value is empty.
func set(n *html.Node, key, value string) {
	remaining := n.Attr[:0]
	for _, attr := range n.Attr {
		if attr.Key != key {
			remaining = append(remaining, attr)
		}
	}
	n.Attr = remaining
	if value != "" {
		n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
	}
}
