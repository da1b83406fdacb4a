package foreign

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// contains finds an element below n.
func contains(n *html.Node, match func(*html.Node) bool) bool {
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if child.Type == html.ElementNode && match(child) || contains(child, match) {
			return true
		}
	}
	return false
}

// table leaves a table to Markdown where Markdown can have it, and is HTML otherwise.
func (c *converting) table(n *html.Node) {
	rows := contains(n, func(n *html.Node) bool { return n.Data == "td" || n.Data == "th" })
	cells := contains(n, func(n *html.Node) bool {
		if get(n, "colspan") != "" || get(n, "rowspan") != "" {
			return true
		}
		switch n.Data {
		case "p":
			return n.PrevSibling != nil && n.PrevSibling.Type == html.ElementNode
		case "ul", "ol", "blockquote", "pre", "hr", "table", "br", "h1", "h2", "h3", "h4", "h5", "h6", "figure", "caption",
			rawTag + "-block":
			return true
		}
		return false
	})
	if rows && cells {
		replace(n, rawTag+"-block", rawHTML(n))
	}
}

// figure keeps a picture together with its caption.
func (c *converting) figure(n *html.Node) {
	caption := false
	other := contains(n, func(n *html.Node) bool {
		caption = caption || n.Data == "figcaption" && n.FirstChild != nil
		switch n.Data {
		case "table", "ul", "ol", "blockquote", "pre", "p", "figure", rawTag + "-block":
			return n.Parent.Data != "figcaption"
		}
		return false
	})
	picture := contains(n, func(n *html.Node) bool { return n.Data == "img" })
	if caption && picture && !other {
		replace(n, rawTag+"-block", rawHTML(n))
		return
	}
	n.Data, n.DataAtom = "div", atom.Div
	var captions func(*html.Node)
	captions = func(n *html.Node) {
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			if child.Data == "figcaption" {
				child.Data, child.DataAtom = "p", atom.P
			}
			captions(child)
		}
	}
	captions(n)
}

// details keeps what opens when it is asked for.
func (c *converting) details(n *html.Node) {
	summary := ""
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if child.Data == "summary" {
			summary = "<summary>" + rawChildren(child) + "</summary>"
			n.RemoveChild(child)
			break
		}
	}
	n.InsertBefore(rawNode(rawTag+"-block", "<details>"+summary), n.FirstChild)
	n.AppendChild(rawNode(rawTag+"-block", "</details>"))
	n.Data, n.DataAtom, n.Attr = "div", atom.Div, nil
}

var (
	verse = regexp.MustCompile(`\bwp-block-verse\b`)
	brush = regexp.MustCompile(`\bbrush:\s*([A-Za-z0-9+#-]+)`)
)

// preformatted gives code its language. A poem is none: its lines are.
func (c *converting) preformatted(n *html.Node) {
	class := get(n, "class")
	if verse.MatchString(class) {
		n.Data, n.DataAtom, n.Attr = "p", atom.P, nil
		c.prepare(n)
		lines(n)
		return
	}
	language := get(n, "lang") + get(n, "data-language")
	if m := brush.FindStringSubmatch(class); m != nil {
		language = m[1]
	}
	if plainLanguage.MatchString(language) && !strings.Contains(class, "language-") {
		set(n, "class", "language-"+language)
	}
}

var plainLanguage = regexp.MustCompile(`^[A-Za-z0-9_+#.-]+$`)

// lines makes breaks of the ends of lines below an element.
func lines(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		if child.Type == html.TextNode {
			for i, s := range strings.Split(strings.Trim(child.Data, "\n"), "\n") {
				if i > 0 {
					n.InsertBefore(&html.Node{Type: html.ElementNode, Data: "br", DataAtom: atom.Br}, child)
				}
				n.InsertBefore(&html.Node{Type: html.TextNode, Data: s}, child)
			}
			n.RemoveChild(child)
		} else {
			lines(child)
		}
		child = next
	}
}

// rawHTML writes an element on one line, with the attributes that posts may have.
func rawHTML(n *html.Node) string {
	var b strings.Builder
	writeHTML(&b, n, false)
	return b.String()
}

func rawChildren(n *html.Node) string {
	var b strings.Builder
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		writeHTML(&b, child, false)
	}
	return b.String()
}

// void are the elements without an end.
var void = []string{"img", "br", "hr", "wbr", "col"}

func writeHTML(b *strings.Builder, n *html.Node, pre bool) {
	switch {
	case n.Type == html.TextNode && pre:
		b.WriteString(strings.ReplaceAll(html.EscapeString(n.Data), "\n", "&#10;"))
		return
	case n.Type == html.TextNode:
		text := html.EscapeString(n.Data)
		if plain := line(text); plain != "" {
			if strings.TrimLeft(text, " \t\r\n") != text {
				plain = " " + plain
			}
			if strings.TrimRight(text, " \t\r\n") != text {
				plain += " "
			}
			b.WriteString(plain)
		} else if text != "" && !strings.Contains(text, "\n") {
			b.WriteByte(' ')
		}
		return
	case n.Type != html.ElementNode:
		return
	case strings.HasPrefix(n.Data, rawTag):
		text := n.FirstChild.Data
		if address, found := strings.CutPrefix(text, "<http"); found { // Markdown's form of a link
			text = html.EscapeString("http" + strings.TrimSuffix(address, ">"))
			text = `<a href="` + text + `">` + text + "</a>"
		}
		b.WriteString(text)
		return
	}
	name := n.Data
	if name != "div" && name != "span" && name != "tbody" {
		b.WriteString("<" + name)
		for _, a := range attributesOf(n, "href", "src", "alt", "title", "colspan", "rowspan", "lang", "dir", "start",
			"datetime", "scope", "align") {
			b.WriteString(" " + a.Key + `="` + html.EscapeString(line(a.Val)) + `"`)
		}
		if name == "img" && get(n, "alt") == "" {
			b.WriteString(` alt=""`)
		}
		b.WriteByte('>')
	} else {
		name = ""
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		writeHTML(b, child, pre || n.Data == "pre")
	}
	if name != "" && !slices.Contains(void, name) {
		b.WriteString("</" + name + ">")
	}
}
