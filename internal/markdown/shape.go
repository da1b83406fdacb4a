package markdown

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// shaper gives a safe tree the form in which it is shown.
type shaper struct {
	opt   Options
	words Words

	ids      map[string]bool   // of headings
	folded   map[string]string // the ids that authors gave, by their lower case
	next     map[string]int    // the next number to try for an id that is used
	outline  []int             // the levels, as written, of the headings around the place
	headings []Heading
	images   []string
	seen     map[string]bool // the images that are in images
	anchors  []*html.Node    // links to places in this document

	direction string       // of the whole document, "" for none
	directed  []*html.Node // the blocks with a direction
}

func (s *shaper) shape(root *html.Node) {
	s.ids, s.folded = make(map[string]bool), make(map[string]string)
	s.next, s.seen = make(map[string]int), make(map[string]bool)
	s.children(root, place{})
	s.resolveAnchors()
	s.direction, _ = s.setDirections(root)
	for n := range root.Descendants() {
		// Some parsers sort the attributes of some elements. Sorted ones stay as they are.
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
	}
}

// place is what must be known about the elements around the one that is shaped.
type place struct {
	quoted  bool // in a quote, an alert or a footnote, whose headings are no entries of the contents
	inTable bool
	inLink  bool
}

func (s *shaper) children(n *html.Node, at place) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling // read first, since c may be replaced
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
	case atom.Div:
		inside.quoted = at.quoted || has(n, dataAlert)
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
	case atom.Video, atom.Audio:
		s.media(n, n.DataAtom, at)
	case atom.Blockquote, atom.Q, atom.Del, atom.Ins:
		if address, ok := parseAddress(attribute(n, "cite")); ok && isWeb(address) {
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

// heading sets the level and id of a heading. It removes a heading without text.
func (s *shaper) heading(n *html.Node, at place) {
	text := headingText(n)
	if text == "" {
		if !contains(n, atom.Img, atom.Video, atom.Audio) {
			remove(n)
			return
		}
		text = joined(n, true)
	}
	level := min(len(s.outline)+2, 6) // a quoted heading is below all around it
	if !at.quoted {
		level = s.level(int(n.Data[1] - '0'))
	}
	n.Data = "h" + strconv.Itoa(level)
	n.DataAtom = atom.Lookup([]byte(n.Data))
	given := attribute(n, dataID)
	set(n, dataID, "")
	id := headingID(text)
	if given != "" {
		id = chosenID(given)
	}
	id = s.unique(id)
	if given != "" {
		s.folded[strings.ToLower(id)] = id
	}
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
		if IsPageID(numbered) { // as the second {#post} would be
			numbered = headingPrefix + numbered
		}
		if !s.ids[numbered] {
			s.ids[numbered] = true
			return numbered
		}
	}
}

func (s *shaper) link(n *html.Node) {
	u, ok := parseAddress(attribute(n, "href"))
	if !ok {
		unwrap(n)
		return
	}
	me := slices.Contains(strings.Fields(strings.ToLower(attribute(n, "rel"))), "me")
	set(n, "rel", "")
	if me {
		set(n, "rel", "me")
	}
	switch {
	case !isWeb(u):
	case u.Scheme != "" || u.Host != "":
		set(n, "rel", strings.TrimSpace(attribute(n, "rel")+" external noopener"))
	case u.Path == "":
		if u.Fragment != "" && attribute(n, "role") == "" {
			s.anchors = append(s.anchors, n)
		}
	case s.opt.Link != nil:
		if dest, ok := s.opt.Link(u.Path); ok {
			u = withQueryOf(dest, u)
		}
	}
	set(n, "href", u.String())
}

// withQueryOf returns the address that a caller gave, with query and fragment of asked.
func withQueryOf(dest string, asked *url.URL) *url.URL {
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

// resolveAnchors allows links to a heading with and without the prefix of its id, such as
// [there](#its-text).
func (s *shaper) resolveAnchors() {
	for _, n := range s.anchors {
		u, ok := parseAddress(attribute(n, "href"))
		if !ok || s.ids[u.Fragment] {
			continue
		}
		if id, ok := s.resolve(u.Fragment); ok {
			set(n, "href", (&url.URL{Fragment: id}).String())
		}
	}
}

// image sets the address and size of an image. An image on another host becomes a link to it,
// because the policy of pages loads images only from this host, and other hosts must not learn who
// reads a post.
func (s *shaper) image(n *html.Node, at place) {
	u, ok := parseAddress(attribute(n, "src"))
	if !ok || !isWeb(u) || isOnPage(u) {
		s.missing(n)
		return
	}
	if kind := playerOf(u); kind != 0 {
		s.media(n, kind, at)
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
	replace(n, linkTo(u, alt))
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

// frameCode makes a block of code scroll by keys. Code is written from left to right, whatever the
// language around it.
func (s *shaper) frameCode(n *html.Node) {
	name := s.words.Code
	if figure := n.Parent; figure != nil && attribute(figure, "class") == "code" {
		if language := attribute(figure, "data-language"); language != "" {
			name = language
		} else {
			set(figure, "data-language", "")
		}
		if title := first(figure, atom.Figcaption); title != nil {
			name = joined(title, false)
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

// unwrap replaces an element by its children.
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

// contains reports whether n contains an element that is one of names.
func contains(n *html.Node, names ...atom.Atom) bool {
	for d := range n.Descendants() {
		if d.DataAtom != 0 && slices.Contains(names, d.DataAtom) {
			return true
		}
	}
	return false
}
