package foreign

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// converting makes Markdown of the HTML of one post.
type converting struct {
	site     *site
	post     *post
	brackets bool // there are so many [ in the text that each is escaped here
}

// Limits of a piece of HTML.
const (
	maxHTML     = 4 << 20 // bytes; a longer one is no post, whose text has at most posts.MaxBody
	maxBrackets = 2000    // the converter goes on from each to the end of its line
)

// rawTag is an element of our own: its text goes into the Markdown as it is.
const rawTag = "x-raw"

// newConverter returns what makes Markdown of HTML that prepare has been through.
var newConverter = sync.OnceValue(func() *converter.Converter {
	c := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(
			commonmark.WithListEndComment(false), commonmark.WithHorizontalRule("---"),
			commonmark.WithLinkEmptyContentBehavior(commonmark.LinkBehaviorSkip),
			commonmark.WithLinkEmptyHrefBehavior(commonmark.LinkBehaviorSkip),
		),
		strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(table.WithHeaderPromotion(true),
			table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal)),
	))
	raw := func(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
		_, _ = w.WriteString(n.FirstChild.Data) // of a buffer
		return converter.RenderSuccess
	}
	c.Register.RendererFor(rawTag, converter.TagTypeInline, raw, converter.PriorityEarly)
	block := func(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
		_, _ = w.WriteString("\n\n" + n.FirstChild.Data + "\n\n") // of a buffer
		return converter.RenderSuccess
	}
	c.Register.RendererFor(rawTag+"-block", converter.TagTypeBlock, block, converter.PriorityEarly)
	return c
})

// markdown returns Markdown for a piece of HTML.
func (c *converting) markdown(src string) string {
	if strings.TrimSpace(src) == "" {
		return ""
	}
	if len(src) > maxHTML {
		return escapeLines(plainText(src))
	}
	c.brackets = strings.Count(src, "[") > maxBrackets
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(clean(src)), body)
	if err != nil { // it is nested too deep
		c.post.note(Lost, "body", "its HTML is nested too deep, so only its text is imported")
		return escapeLines(plainText(src))
	}
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	c.prepare(root)
	out, err := newConverter().ConvertNode(root)
	if err != nil {
		c.post.note(Lost, "body", "its HTML cannot be converted ("+err.Error()+"), so only its text is imported")
		return escapeLines(plainText(src))
	}
	return string(out)
}

// escapeLines is a text as Markdown in which nothing has a meaning.
func escapeLines(s string) string {
	return strings.NewReplacer("\\", "\\\\", "<", "&lt;", "*", "\\*", "_", "\\_", "[", "\\[", "`", "\\`", "#", "\\#").
		Replace(s)
}

// prepare makes of an element's children what the converter and the blog understand.
func (c *converting) prepare(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		switch child.Type {
		case html.ElementNode:
			c.element(child)
		case html.TextNode:
			child.Data = strings.ReplaceAll(child.Data, ghostURL, "")
			c.addresses(child)
		}
		if c.brackets && child.Type == html.TextNode {
			escapeBrackets(child)
		}
		child = next
	}
}

var (
	gallery     = regexp.MustCompile(`\b(?:blocks-gallery-grid|wp-block-gallery)\b`)
	background  = regexp.MustCompile(`background-image:\s*url\(["']?([^"')]+)["']?\)`)
	bareAddress = regexp.MustCompile("https?://[^\\s<>\"'`\\\\]+[^\\s<>\"'`\\\\.,;:!?)]")
)

// escapeBrackets writes each [ of a text as Markdown that means no link.
func escapeBrackets(n *html.Node) {
	parts := strings.Split(n.Data, "[")
	for _, s := range parts[:len(parts)-1] {
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: s}, n)
		n.Parent.InsertBefore(rawNode(rawTag, `\[`), n)
	}
	n.Data = parts[len(parts)-1]
}

// addresses makes links of the addresses in a text: as text they would be escaped.
func (c *converting) addresses(n *html.Node) {
	for up := n.Parent; up != nil; up = up.Parent {
		if up.Data == "a" {
			return
		}
	}
	text, at := n.Data, 0
	for _, m := range bareAddress.FindAllStringIndex(text, -1) {
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: text[at:m[0]]}, n)
		n.Parent.InsertBefore(rawNode(rawTag, "<"+text[m[0]:m[1]]+">"), n)
		at = m[1]
	}
	n.Data = text[at:]
}

// textOf is the text in an element.
func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Data == "br":
			b.WriteByte('\n')
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(n)
	return b.String()
}

// inlineHTML are the elements that Markdown has no signs for, and posts may contain.
var inlineHTML = []string{
	"sup", "sub", "kbd", "mark", "abbr", "ins", "u", "small", "cite", "q", "var", "samp", "dfn", "time", "bdi", "bdo",
	"ruby", "rt", "rp",
}

func (c *converting) element(n *html.Node) {
	switch n.Data {
	case rawTag, rawTag + "-block": // the author's element with the name of ours
		n.Data = "span"
	case "code", "tt":
		if n.FirstChild != nil { // what has a meaning in it is lost in Markdown
			text := textOf(n)
			for n.FirstChild != nil {
				n.RemoveChild(n.FirstChild)
			}
			n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
		}
		return
	case "a":
		if strings.Contains(get(n, "class"), "kg-bookmark-container") {
			bookmark(n)
		}
		c.prepare(n)
		c.anchor(n)
		return
	case "img":
		c.image(n)
		return
	case "iframe", "embed", "object", "video", "audio", "amp-youtube":
		c.embed(n)
		return
	case "script", "style", "link", "meta", "noscript", "template", "title":
		if n.Data == "script" {
			c.post.note(Lost, "<script>", "posts have no scripts, and it is left out")
		}
		n.Parent.RemoveChild(n)
		return
	case "form", "input", "textarea", "select", "button", "svg", "canvas", "math":
		c.post.note(Lost, "<"+n.Data+">", "posts do not show this element; the text in it stays")
		c.prepare(n)
		if n.Data == "input" {
			n.Parent.RemoveChild(n)
		} else {
			n.Data, n.DataAtom = "span", atom.Span
		}
		return
	case "table":
		c.prepare(n)
		c.table(n)
		return
	case "figure":
		c.prepare(n)
		c.figure(n)
		return
	case "ul":
		if gallery.MatchString(get(n, "class")) {
			n.Data, n.DataAtom = "div", atom.Div
			for child := n.FirstChild; child != nil; child = child.NextSibling {
				if child.Data == "li" {
					child.Data, child.DataAtom = "div", atom.Div
				}
			}
		}
	case "div", "section":
		if m := background.FindStringSubmatch(get(n, "style")); m != nil {
			n.InsertBefore(&html.Node{Type: html.ElementNode, Data: "img", DataAtom: atom.Img,
				Attr: []html.Attribute{{Key: "src", Val: m[1]}}}, n.FirstChild)
		}
	case "dl":
		c.prepare(n)
		replace(n, rawTag+"-block", rawHTML(n))
		return
	case "details":
		c.prepare(n)
		c.details(n)
		return
	case "pre":
		c.preformatted(n)
		return
	}
	c.prepare(n)
	switch {
	case n.FirstChild == nil:
	case slices.Contains(inlineHTML, n.Data):
		wrap(n)
	case slices.Contains([]string{"strong", "b", "em", "i", "s", "del", "strike"}, n.Data):
		moveSpaces(n)
	}
}

// moveSpaces moves the white space at the ends of an element out of it: emphasis in Markdown has none there.
func moveSpaces(n *html.Node) {
	if first := n.FirstChild; first.Type == html.TextNode {
		plain := strings.TrimLeft(first.Data, " \t\n")
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: first.Data[:len(first.Data)-len(plain)]}, n)
		first.Data = plain
	}
	if last := n.LastChild; last.Type == html.TextNode {
		plain := strings.TrimRight(last.Data, " \t\n")
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: last.Data[len(plain):]}, n.NextSibling)
		last.Data = plain
	}
}

// wrap puts an element's tags around its children.
func wrap(n *html.Node) {
	open, end := "<"+n.Data, "</"+n.Data+">"
	for _, a := range n.Attr {
		if slices.Contains([]string{"title", "lang", "dir", "datetime"}, a.Key) {
			open += " " + a.Key + `="` + html.EscapeString(line(a.Val)) + `"`
		}
	}
	n.InsertBefore(rawNode(rawTag, open+">"), n.FirstChild)
	n.AppendChild(rawNode(rawTag, end))
	n.Data, n.DataAtom, n.Attr = "span", atom.Span, nil
}

func rawNode(name, text string) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: name}
	n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
	return n
}

// replace puts text in the place of an element.
func replace(n *html.Node, name, text string) {
	n.Parent.InsertBefore(rawNode(name, text), n)
	n.Parent.RemoveChild(n)
}

func get(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func set(n *html.Node, key, value string) {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: key, Val: value})
}
