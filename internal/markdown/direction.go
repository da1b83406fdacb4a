package markdown

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/unicode/bidi"
)

// setDirections sets the direction of each block.
//
// A block of text gets dir="auto", which browsers resolve. A block of blocks cannot have that: auto
// does not look into descendants with a dir of their own, so a list of Hebrew items would have its
// marks on the wrong side. It gets the direction of its first text instead.
//
// setDirections returns the direction of the first character below n that has one ("ltr", "rtl" or
// ""), and whether there is a block with a direction.
func (s *shaper) setDirections(n *html.Node) (found string, blocks bool) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d, inside := "", false
		switch c.Type {
		case html.TextNode:
			d = firstStrong(c.Data)
		case html.ElementNode:
			d, inside = s.setDirections(c)
		}
		blocks = blocks || inside
		// The language of code, or of the title of an alert, is not that of the text around it.
		if found == "" && c.DataAtom != atom.Pre && c.DataAtom != atom.Code && !isPlayer(c.DataAtom) &&
			attribute(c, "class") != "alert-title" {
			found = d
		}
	}
	if n.Parent == nil || !directed(n.DataAtom) && !has(n, dataAlert) {
		return found, blocks
	}
	switch {
	case has(n, "dir"):
	case !blocks:
		set(n, "dir", "auto")
		s.directed = append(s.directed, n)
	case found != "":
		set(n, "dir", found)
		s.directed = append(s.directed, n)
	}
	return found, true
}

// compact puts an element with the direction of the whole document around it, and removes that
// direction from the blocks, because directions are most of the HTML of a long text of short
// paragraphs. A block keeps its own when it has a character of the other direction, or, in a
// document from right to left, no character from the right.
func (s *shaper) compact(root *html.Node) {
	around := element(atom.Div, "")
	direction := s.direction
	if direction == "" {
		direction = "ltr"
	}
	found := make(map[*html.Node][2]bool)
	directionsIn(root, found)
	for _, n := range s.directed {
		ltr, rtl := found[n][0], found[n][1]
		if direction == "ltr" && !rtl || direction == "rtl" && rtl && !ltr {
			set(n, "dir", "")
		}
	}
	set(around, "dir", direction)
	for c := root.FirstChild; c != nil; c = root.FirstChild {
		root.RemoveChild(c)
		around.AppendChild(c)
	}
	root.AppendChild(around)
}

// directionsIn sets in found, for each element, whether it has characters from left to right, and
// whether it has characters from right to left. It returns those of n.
func directionsIn(n *html.Node, found map[*html.Node][2]bool) (in [2]bool) {
	if n.Type == html.TextNode {
		for _, r := range n.Data {
			p, _ := bidi.LookupRune(r)
			switch p.Class() {
			case bidi.L:
				in[0] = true
			case bidi.R, bidi.AL:
				in[1] = true
			}
		}
		return in
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d := directionsIn(c, found)
		in[0], in[1] = in[0] || d[0], in[1] || d[1]
	}
	found[n] = in
	return in
}

// directed reports whether an element is a block that gets a direction.
func directed(a atom.Atom) bool {
	switch a {
	case atom.P, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Li,
		atom.Dl, atom.Dt, atom.Dd, atom.Blockquote, atom.Table, atom.Td, atom.Th, atom.Caption,
		atom.Summary, atom.Figcaption:
		return true
	}
	return false
}

// firstStrong returns the direction of the first character that has one, among the first few
// hundred. A text has one there.
func firstStrong(s string) string {
	checked := 0
	for _, r := range s {
		if checked++; checked > 400 {
			break
		}
		if r < 'A' {
			continue
		}
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.L:
			return "ltr"
		case bidi.R, bidi.AL:
			return "rtl"
		}
	}
	return ""
}
