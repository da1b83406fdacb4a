package markdown

import (
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxDepth is how deep elements may be nested; the tags of deeper ones are
// left out. Browsers and golang.org/x/net/html give up at 512.
const maxDepth = 160

// Kinds of elements, as far as HTML's rules for a parser treat them apart.
const (
	void      = 1 << iota // has no end tag
	block                 // ends an open paragraph
	heading               // ends an open heading
	structure             // a part of a table that holds no text of its own
	boundary              // end tags inside do not close what is outside
)

var kinds = map[atom.Atom]int{
	atom.Br: void, atom.Wbr: void, atom.Img: void, atom.Input: void, atom.Hr: void | block,
	atom.P: block, atom.Div: block, atom.Blockquote: block, atom.Pre: block, atom.Section: block,
	atom.Ul: block, atom.Ol: block, atom.Li: block, atom.Dl: block, atom.Dt: block, atom.Dd: block,
	atom.Details: block, atom.Summary: block, atom.Figure: block, atom.Figcaption: block,
	atom.H1: block | heading, atom.H2: block | heading, atom.H3: block | heading,
	atom.H4: block | heading, atom.H5: block | heading, atom.H6: block | heading,
	atom.Table: block | structure | boundary, atom.Thead: structure, atom.Tbody: structure,
	atom.Tfoot: structure, atom.Tr: structure,
	atom.Td: boundary, atom.Th: boundary, atom.Caption: boundary,
}

// parents says inside which element another must be; without it, its tag is
// left out. What lies between the two is closed.
var parents = map[atom.Atom][]atom.Atom{
	atom.Li: {atom.Ul, atom.Ol},
	atom.Dt: {atom.Dl}, atom.Dd: {atom.Dl},
	atom.Rt: {atom.Ruby}, atom.Rp: {atom.Ruby},
	atom.Caption: {atom.Table}, atom.Thead: {atom.Table}, atom.Tbody: {atom.Table}, atom.Tfoot: {atom.Table},
}

// builder builds a balanced tree from tags in any order. It is stricter than
// the parser of HTML's standard, which moves what is misplaced in a table and
// opens <b> again after a </p> that has closed it: the same tags can then
// become any number of elements. This one never makes more elements than
// there are tags, but for the missing rows and cells of tables. What it builds
// follows the standard's content model, so that a parser that reads it again
// has nothing to repair.
type builder struct {
	stack []*html.Node // the open elements, the root first
}

// buildTree reads tags, which have passed a policy, and returns the root.
func buildTree(r io.Reader) *html.Node {
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	b := &builder{stack: []*html.Node{root}}
	z := html.NewTokenizer(r)
	for {
		switch z.Next() {
		case html.ErrorToken:
			// A reader of bytes has no error but its end.
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

// find returns the place of the innermost open element that is one of names,
// or 0. It does not look beyond a boundary, which itself may be the answer.
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

// table returns the place of the innermost open table, or 0.
func (b *builder) table() int {
	for i := len(b.stack) - 1; i > 0; i-- {
		if b.stack[i].DataAtom == atom.Table {
			return i
		}
	}
	return 0
}

// closeFrom closes the element at a place and all that are inside.
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
		// A parser drops the line's end that follows <pre>.
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
	if last := top.LastChild; last != nil && last.Type == html.TextNode {
		last.Data += s
		return
	}
	top.AppendChild(&html.Node{Type: html.TextNode, Data: s})
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
	if t.DataAtom == 0 || len(b.stack) >= maxDepth && kind&void == 0 {
		return
	}
	if !b.place(t.DataAtom, kind) {
		return
	}
	n := &html.Node{Type: html.ElementNode, Data: t.Data, DataAtom: t.DataAtom}
	for _, attr := range t.Attr {
		if !has(n, attr.Key) { // the first of its name counts
			attr.Val = strings.Map(holdable, strings.ReplaceAll(attr.Val, "\r", "\n"))
			n.Attr = append(n.Attr, attr)
		}
	}
	if kind&void != 0 {
		b.top().AppendChild(n)
		return
	}
	b.open(n)
}

// place closes or opens what must be so that an element can be opened, or
// reports false where it cannot be.
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

// placeRow closes all that is inside the innermost table but the part of it
// that takes the row. A table's children are its parts and captions alone, and
// a part's children are rows.
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
	switch a {
	case 0:
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

// set gives an attribute a value, or removes it when that is empty.
func set(n *html.Node, key, value string) {
	kept := n.Attr[:0]
	for _, attr := range n.Attr {
		if attr.Key != key {
			kept = append(kept, attr)
		}
	}
	n.Attr = kept
	if value != "" {
		n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
	}
}
