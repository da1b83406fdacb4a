package foreign

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// anchor makes a link lead to where what it leads to is now.
func (c *converting) anchor(n *html.Node) {
	href := strings.TrimSpace(get(n, "href"))
	if href == "" {
		n.Data, n.DataAtom = "span", atom.Span
		return
	}
	to, why := c.site.link(href, c.post.hidden)
	if why != "" {
		c.post.note(Link, href, why)
	}
	n.Attr = append([]html.Attribute{{Key: "href", Val: to}}, attributesOf(n, "title")...)
	// A link without a text shows nothing.
	if n.FirstChild == nil {
		n.Data, n.DataAtom = "span", atom.Span
	}
}

// bookmark leaves of Ghost's card, which is one link, its title.
func bookmark(n *html.Node) {
	title := ""
	contains(n, func(n *html.Node) bool {
		if title == "" && strings.Contains(get(n, "class"), "kg-bookmark-title") {
			title = line(textOf(n))
		}
		return title != ""
	})
	if title == "" {
		title = get(n, "href")
	}
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	n.AppendChild(&html.Node{Type: html.TextNode, Data: title})
}

// attributesOf returns the attributes with these names.
func attributesOf(n *html.Node, names ...string) []html.Attribute {
	var out []html.Attribute
	for _, a := range n.Attr {
		if slices.Contains(names, a.Key) && a.Val != "" {
			out = append(out, a)
		}
	}
	return out
}

// image makes a picture's address the path at which it lies. Pictures that are loaded late have it in
// another attribute.
func (c *converting) image(n *html.Node) {
	src := strings.TrimSpace(get(n, "src"))
	for _, key := range []string{"data-orig-file", "data-lazy-src", "data-src"} {
		if late := get(n, key); late != "" && (src == "" || strings.HasPrefix(src, "data:") || c.site.find(src) == "") {
			src = late
		}
	}
	alt := line(get(n, "alt"))
	if src == "" || strings.HasPrefix(src, "data:") {
		c.post.note(Lost, "<img>", "a picture that is written into the text is left out")
		replace(n, "span", alt)
		return
	}
	to := c.site.image(src)
	if strings.Contains(to, "://") || strings.HasPrefix(to, "//") {
		c.post.note(Picture, to, "the picture is not beside the export, so a link to it is shown")
		if u, err := url.Parse(to); alt == "" && err == nil { // the link needs a text
			alt = path.Base(u.Path)
		}
	}
	attrs := []html.Attribute{{Key: "src", Val: to}, {Key: "alt", Val: alt}}
	if title := line(get(n, "title")); title != "" && title != alt {
		attrs = append(attrs, html.Attribute{Key: "title", Val: title})
	}
	n.Attr = attrs
}

var (
	youTube = regexp.MustCompile(`(?:youtube(?:-nocookie)?\.com/(?:embed|v)/|youtu\.be/)([A-Za-z0-9_-]{5,20})`)
	vimeo   = regexp.MustCompile(`player\.vimeo\.com/video/([0-9]{1,12})`)
)

// embed makes a link of what posts do not play; they play films and recordings at https addresses.
func (c *converting) embed(n *html.Node) {
	address := ""
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		for _, key := range []string{"src", "data-src", "data"} {
			if v := strings.TrimSpace(get(n, key)); address == "" && v != "" {
				address = v
			}
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(n)
	if strings.HasPrefix(address, "//") {
		address = "https:" + address
	}
	if strings.HasPrefix(address, "https://") && (n.Data == "video" || n.Data == "audio") {
		title := ""
		if text := line(get(n, "title")); text != "" {
			title = ` title="` + html.EscapeString(text) + `"`
		}
		replace(n, rawTag+"-block", "<"+n.Data+` src="`+html.EscapeString(address)+`"`+title+"></"+n.Data+">")
		return
	}
	c.post.note(Lost, "<"+n.Data+">", "posts do not show this element; a link remains")
	text := ""
	if m := youTube.FindStringSubmatch(address); m != nil {
		address, text = "https://www.youtube.com/watch?v="+m[1], "YouTube: "+m[1]
	} else if m := vimeo.FindStringSubmatch(address); m != nil {
		address, text = "https://vimeo.com/"+m[1], "Vimeo: "+m[1]
	} else if u, err := url.Parse(address); err == nil {
		address, _ = c.site.link(address, c.post.hidden)
		if text = line(get(n, "title")); text == "" {
			text = path.Base(u.Path)
		}
		if text == "." || text == "/" || n.Data == "iframe" && text == path.Base(u.Path) {
			text = address
		}
	}
	if address == "" {
		n.Parent.RemoveChild(n)
		return
	}
	link := &html.Node{
		Type: html.ElementNode, Data: "a", DataAtom: atom.A, Attr: []html.Attribute{{Key: "href", Val: address}},
	}
	link.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	p := &html.Node{Type: html.ElementNode, Data: "p", DataAtom: atom.P}
	p.AppendChild(link)
	n.Parent.InsertBefore(p, n)
	n.Parent.RemoveChild(n)
}
