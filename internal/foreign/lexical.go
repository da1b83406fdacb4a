package foreign

import (
	"html"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lexicalNode is a node of a document in Ghost's present form.
type lexicalNode struct {
	Type     string        `json:"type"`
	Children []lexicalNode `json:"children"`
	Text     loose         `json:"text"`
	Format   loose         `json:"format"`
	Tag      loose         `json:"tag"`
	ListType loose         `json:"listType"`
	Start    loose         `json:"start"`
	card
}

// lexical adds a document in lexical, and reports whether it could be read.
func (d *document) lexical(src string) bool {
	var doc struct {
		Root lexicalNode `json:"root"`
	}
	if err := json.Unmarshal([]byte(src), &doc, loosely); err != nil {
		return false
	}
	if json.Unmarshal([]byte(src), new(jsontext.Value), strictly) != nil {
		d.hideTwice()
	}
	for i := range doc.Root.Children {
		d.node(&doc.Root.Children[i], 0)
	}
	return true
}

var headingTag = regexp.MustCompile(`^h[1-6]$`)

// node adds a node with all that is in it.
func (d *document) node(n *lexicalNode, depth int) {
	if depth == maxDepth {
		d.lost("lexical", "it is nested too deep, and a part of it is left out")
	}
	if depth >= maxDepth {
		return
	}
	children := func() {
		for i := range n.Children {
			d.node(&n.Children[i], depth+1)
		}
	}
	within := func(tag, attrs string) {
		d.html.WriteString("<" + tag + attrs + ">")
		children()
		d.html.WriteString("</" + tag + ">")
	}
	switch strings.TrimPrefix(n.Type, "extended-") {
	case "root":
		children()
	case "paragraph":
		within("p", "")
	case "heading":
		if !headingTag.MatchString(string(n.Tag)) {
			n.Tag = "h2"
		}
		within(string(n.Tag), "")
	case "quote", "aside":
		within("blockquote", "")
	case "list":
		tag, attrs := "ul", ""
		if n.ListType == "number" || n.Tag == "ol" {
			tag = "ol"
			if number(string(n.Start)) > 1 {
				attrs = ` start="` + html.EscapeString(string(n.Start)) + `"`
			}
		}
		within(tag, attrs)
	case "listitem":
		within("li", "")
	case "link", "autolink", "at-link":
		within("a", ` href="`+html.EscapeString(string(n.URL))+`"`)
	case "text", "code-highlight":
		d.html.WriteString(formatted(html.EscapeString(string(n.Text)), number(string(n.Format))))
	case "linebreak":
		d.html.WriteString("<br>")
	case "tab":
		d.html.WriteString(" ")
	case "zwnj", "tk":
		d.html.WriteString(html.EscapeString(string(n.Text)))
	default:
		if !d.card(n.Type, &n.card) {
			d.lost(short(n.Type), "this card is not known here; the text in it stays")
			children()
		}
	}
}

// formatted puts a text in the elements that its format means.
func formatted(text string, format int) string {
	if strings.TrimSpace(text) == "" {
		return text
	}
	for _, f := range []struct {
		bit int
		tag string
	}{{16, "code"}, {32, "sub"}, {64, "sup"}, {128, "mark"}, {8, "u"}, {4, "s"}, {2, "em"}, {1, "strong"}} {
		if format&f.bit != 0 {
			text = "<" + f.tag + ">" + text + "</" + f.tag + ">"
		}
	}
	return text
}
