package markdown

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// shaper makes of a tree that is safe one that is fit to be read.
type shaper struct {
	opt   Options
	words Words

	ids      map[string]bool // of headings
	next     map[string]int  // the next number to try for an id that is taken
	outline  []int           // the levels, as written, of the headings around the place
	headings []Heading
	images   []string
	seen     map[string]bool // the images that are in images
	anchors  []*html.Node    // links to places in this document
}

func (s *shaper) shape(root *html.Node) {
	s.ids, s.next, s.seen = make(map[string]bool), make(map[string]int), make(map[string]bool)
	s.children(root, place{})
	s.resolveAnchors()
	setDirections(root)
	for n := range root.Descendants() {
		// Some parsers sort the attributes of some elements. Sorted ones stay.
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
	}
}

// place is what must be known of the elements around the one that is shaped.
type place struct {
	quoted  bool // in a quote or a footnote: headings are no entries of the contents
	inTable bool
	inLink  bool
}

func (s *shaper) children(n *html.Node, at place) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling // taken first, as c may be replaced
		if c.Type == html.ElementNode {
			s.element(c, at)
		}
		c = next
	}
}

func (s *shaper) element(n *html.Node, at place) {
	inside := at
	switch n.DataAtom {
	case atom.Blockquote, atom.Section:
		inside.quoted = true
	case atom.Table:
		inside.inTable = true
	case atom.A:
		inside.inLink = true
	}
	s.children(n, inside)

	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		s.heading(n, at)
	case atom.A:
		s.link(n)
	case atom.Img:
		s.image(n, at)
	case atom.Blockquote, atom.Q, atom.Del, atom.Ins:
		if address, ok := parseAddress(attribute(n, "cite")); ok {
			set(n, "cite", address.String())
		} else {
			set(n, "cite", "")
		}
	case atom.Td, atom.Th:
		if align := attribute(n, "align"); align != "" {
			set(n, "align", "")
			set(n, "class", "align-"+align)
		}
	case atom.Table:
		if !at.inTable {
			s.frameTable(n)
		}
	case atom.Pre:
		s.frameCode(n)
	case atom.Input:
		if li := taskItem(n); li != nil {
			set(li, "class", "task")
			set(li.Parent, "class", "tasks")
		}
	}
}

// taskItem returns the list item that begins with a task's box.
func taskItem(box *html.Node) *html.Node {
	n := box.Parent
	if n != nil && n.DataAtom == atom.P {
		n = n.Parent
	}
	if n == nil || n.DataAtom != atom.Li {
		return nil
	}
	return n
}

// heading gives a heading its level and id; one that says nothing is removed.
func (s *shaper) heading(n *html.Node, at place) {
	text := headingText(n)
	if text == "" {
		if !contains(n, atom.Img) {
			remove(n)
			return
		}
		text = joined(n, true)
	}
	level := min(len(s.outline)+2, 6) // one that is quoted is below all around it
	if !at.quoted {
		level = s.level(int(n.Data[1] - '0'))
	}
	n.Data = "h" + strconv.Itoa(level)
	n.DataAtom = atom.Lookup([]byte(n.Data))
	id := s.unique(headingID(text))
	set(n, "id", id)
	if !at.quoted {
		s.headings = append(s.headings, Heading{Level: level, ID: id, Text: text})
	}
}

// level returns the level of the next heading of the outline.
func (s *shaper) level(written int) int {
	for len(s.outline) > 0 && s.outline[len(s.outline)-1] >= written {
		s.outline = s.outline[:len(s.outline)-1]
	}
	s.outline = append(s.outline, written)
	return min(len(s.outline)+1, 6)
}

func (s *shaper) unique(id string) string {
	if !s.ids[id] {
		s.ids[id] = true
		return id
	}
	for {
		s.next[id] = max(s.next[id], 1) + 1
		numbered := id + "-" + strconv.Itoa(s.next[id])
		if !s.ids[numbered] {
			s.ids[numbered] = true
			return numbered
		}
	}
}

// parseAddress parses the destination of a link or an image. Only addresses
// are ok that cannot run a program in the reader's browser.
func parseAddress(s string) (*url.URL, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, " \t\n") {
		return nil, false
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, false
	}
	switch u.Scheme {
	case "", "http", "https", "mailto":
	default:
		return nil, false
	}
	// What is printed must read the same when it is parsed again, as it is by
	// the last policy and by browsers.
	again, err := url.Parse(u.String())
	if err != nil || u.String() == "" || again.String() != u.String() || again.Scheme != u.Scheme || again.Host != u.Host {
		return nil, false
	}
	return u, true
}

func (s *shaper) link(n *html.Node) {
	u, ok := parseAddress(attribute(n, "href"))
	if !ok {
		unwrap(n)
		return
	}
	switch {
	case u.Scheme == "mailto":
	case u.Scheme != "" || u.Host != "":
		set(n, "rel", "external noopener")
	case u.Path == "":
		if u.Fragment != "" && attribute(n, "role") == "" {
			s.anchors = append(s.anchors, n)
		}
	case s.opt.Link != nil:
		if dest, ok := s.opt.Link(u.Path); ok {
			u = withRest(dest, u)
		}
	}
	set(n, "href", u.String())
}

// withRest returns the address that a caller gave, with the query and the
// fragment of the one it was asked for.
func withRest(dest string, asked *url.URL) *url.URL {
	u, ok := parseAddress(dest)
	if !ok {
		return asked
	}
	if u.RawQuery == "" {
		u.RawQuery = asked.RawQuery
	}
	if u.Fragment == "" {
		u.Fragment, u.RawFragment = asked.Fragment, asked.RawFragment
	}
	return u
}

// resolveAnchors lets links to a heading be written without its prefix, as
// [there](#its-text).
func (s *shaper) resolveAnchors() {
	for _, n := range s.anchors {
		u, ok := parseAddress(attribute(n, "href"))
		if !ok || s.ids[u.Fragment] {
			continue
		}
		if id := headingID(u.Fragment); s.ids[id] {
			set(n, "href", (&url.URL{Fragment: id}).String())
		}
	}
}

// image gives an image its address and size. One on another host becomes a
// link to it: the pages' policy loads images from here alone, and whoever
// reads a post is nobody else's business.
func (s *shaper) image(n *html.Node, at place) {
	u, ok := parseAddress(attribute(n, "src"))
	if !ok || u.Scheme == "mailto" || u.Path == "" && u.Host == "" && u.Opaque == "" {
		s.missing(n)
		return
	}
	if u.Scheme != "" || u.Host != "" {
		s.imageElsewhere(n, u, at)
		return
	}
	rooted := strings.HasPrefix(u.Path, "/")
	if !rooted && !s.seen[u.Path] {
		s.seen[u.Path] = true
		s.images = append(s.images, u.Path)
	}
	if s.opt.Image != nil {
		dest, width, height, ok := s.opt.Image(u.Path)
		given, usable := parseAddress(dest)
		switch {
		case ok && usable && dest != "":
			u = given
			if width > 0 && height > 0 && attribute(n, "width") == "" && attribute(n, "height") == "" {
				set(n, "width", strconv.Itoa(width))
				set(n, "height", strconv.Itoa(height))
			}
		case !rooted, ok && dest == "":
			s.missing(n)
			return
		}
	}
	set(n, "src", u.String())
	if !has(n, "alt") {
		n.Attr = append(n.Attr, html.Attribute{Key: "alt"})
	}
	set(n, "loading", "lazy")
	set(n, "decoding", "async")
}

func (s *shaper) missing(n *html.Node) {
	alt := strings.TrimSpace(attribute(n, "alt"))
	if alt == "" {
		remove(n)
		return
	}
	span := element(atom.Span, alt)
	set(span, "class", "missing-image")
	replace(n, span)
}

func (s *shaper) imageElsewhere(n *html.Node, u *url.URL, at place) {
	alt := strings.TrimSpace(attribute(n, "alt"))
	if at.inLink {
		s.missing(n)
		return
	}
	if alt == "" {
		alt = u.String()
	}
	link := element(atom.A, alt)
	set(link, "href", u.String())
	set(link, "rel", "external noopener")
	replace(n, link)
}

// frameTable puts a table into a frame that scrolls sideways, also by keys.
func (s *shaper) frameTable(n *html.Node) {
	name := s.words.Table
	if part := first(n, atom.Caption, atom.Thead); part != nil {
		if text := shorten(joined(part, false), 80, 80); text != "" {
			name = text
		}
	}
	frame := element(atom.Div, "")
	set(frame, "class", "table")
	set(frame, "role", "region")
	set(frame, "tabindex", "0")
	set(frame, "aria-label", name)
	replace(n, frame)
	frame.AppendChild(n)
}

// frameCode lets a block of code be scrolled by keys. Code reads from the left
// whatever the language around it.
func (s *shaper) frameCode(n *html.Node) {
	name := s.words.Code
	if figure := n.Parent; figure != nil && attribute(figure, "class") == "code" {
		if language := attribute(figure, "data-language"); language != "" {
			name = language
		} else {
			set(figure, "data-language", "")
		}
	}
	if attribute(n, "dir") == "" {
		set(n, "dir", "ltr")
	}
	set(n, "tabindex", "0")
	set(n, "role", "group")
	set(n, "aria-label", name)
}

func element(a atom.Atom, text string) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
	if text != "" {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	}
	return n
}

func remove(n *html.Node) { n.Parent.RemoveChild(n) }

func replace(old, by *html.Node) {
	old.Parent.InsertBefore(by, old)
	old.Parent.RemoveChild(old)
}

// unwrap puts an element's children in its place.
func unwrap(n *html.Node) {
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		n.Parent.InsertBefore(c, n)
	}
	remove(n)
}

// first returns the first child that is one of names.
func first(n *html.Node, names ...atom.Atom) *html.Node {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if slices.Contains(names, c.DataAtom) {
			return c
		}
	}
	return nil
}

// contains reports whether an element of that name is inside.
func contains(n *html.Node, name atom.Atom) bool {
	for d := range n.Descendants() {
		if d.DataAtom == name {
			return true
		}
	}
	return false
}
