package markdown

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/unicode/bidi"
)

// setDirections gives each block the direction of its text.
//
// A block of text gets dir="auto", which browsers resolve. A block of blocks
// cannot: auto does not look into descendants that have a dir of their own, so
// a list of Hebrew items would have its marks on the wrong side. It gets the
// direction of its first text itself.
//
// It returns the direction of the first character below n that has one, "ltr",
// "rtl" or "", and whether there is a block that has been given one.
func setDirections(n *html.Node) (found string, blocks bool) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d, inside := "", false
		switch c.Type {
		case html.TextNode:
			d = firstStrong(c.Data)
		case html.ElementNode:
			d, inside = setDirections(c)
		}
		blocks = blocks || inside
		// Code says nothing about the language around it.
		if found == "" && c.DataAtom != atom.Pre && c.DataAtom != atom.Code {
			found = d
		}
	}
	if n.Parent == nil || !directed(n.DataAtom) {
		return found, blocks
	}
	switch {
	case has(n, "dir"):
	case !blocks:
		set(n, "dir", "auto")
	case found != "":
		set(n, "dir", found)
	}
	return found, true
}

// directed reports whether an element is a block that has a direction.
func directed(a atom.Atom) bool {
	switch a {
	case atom.P, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Li,
		atom.Dl, atom.Dt, atom.Dd, atom.Blockquote, atom.Table, atom.Td, atom.Th, atom.Caption,
		atom.Summary, atom.Figcaption:
		return true
	}
	return false
}

// firstStrong returns the direction of the first character that has one. It
// looks no further than a few hundred: what has none there is no text.
func firstStrong(s string) string {
	looked := 0
	for _, r := range s {
		if looked++; looked > 400 {
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
