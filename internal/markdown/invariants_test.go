package markdown_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"blog/internal/markdown"
)

var (
	idPattern  = regexp.MustCompile(`^(?:h-[\p{L}\p{M}\p{N}-]+|fn-[A-Za-z0-9_-]+:(?:ref)?[0-9]+(?:\.[0-9]+)?)$`)
	elsewhere  = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*:|//)`)
	attributes = map[string]bool{
		"href": true, "src": true, "alt": true, "title": true, "width": true, "height": true, "cite": true,
		"datetime": true, "open": true, "start": true, "reversed": true, "value": true, "colspan": true,
		"rowspan": true, "scope": true, "dir": true, "lang": true, "id": true, "class": true, "role": true,
		"tabindex": true, "aria-label": true, "data-language": true, "rel": true, "loading": true,
		"decoding": true, "type": true, "disabled": true, "checked": true,
	}
	forbidden = map[string]bool{
		"script": true, "style": true, "iframe": true, "object": true, "embed": true, "form": true,
		"button": true, "textarea": true, "select": true, "svg": true, "math": true, "base": true,
		"meta": true, "link": true, "template": true, "h1": true, "audio": true, "video": true,
	}
)

// mustHold checks what is true of every document, whatever its source.
func mustHold(tb testing.TB, doc markdown.Document) {
	tb.Helper()
	body := &html.Node{Type: html.ElementNode, Data: "article", DataAtom: atom.Article}
	nodes, err := html.ParseFragment(strings.NewReader(doc.HTML), body)
	if err != nil {
		tb.Fatalf("the output cannot be parsed: %v", err)
	}
	var again strings.Builder
	ids := map[string]bool{}
	for _, n := range nodes {
		if err := html.Render(&again, n); err != nil {
			tb.Fatal(err)
		}
		holdElement(tb, n, ids)
		for d := range n.Descendants() {
			holdElement(tb, d, ids)
		}
	}
	if again.String() != doc.HTML {
		tb.Errorf("a parser sees another document:\n got %q\nfrom %q", clip(again.String()), clip(doc.HTML))
	}
	previous := 1
	for _, h := range doc.Headings {
		if !ids[h.ID] {
			tb.Errorf("heading %q has an id that is not there", h.ID)
		}
		if h.Level < 2 || h.Level > min(previous+1, 6) || h.Text == "" {
			tb.Errorf("heading %+v after level %d", h, previous)
		}
		previous = h.Level
	}
	for name, s := range map[string]string{"html": doc.HTML, "plain": doc.Plain, "excerpt": doc.Excerpt} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			tb.Errorf("%s is no text: %q", name, clip(s))
		}
	}
	if n := utf8.RuneCountInString(doc.Excerpt); n > 280 {
		tb.Errorf("the excerpt has %d characters", n)
	}
	if doc.ReadingMinutes < 1 {
		tb.Errorf("%d minutes", doc.ReadingMinutes)
	}
}

func holdElement(tb testing.TB, n *html.Node, ids map[string]bool) {
	tb.Helper()
	if n.Type == html.TextNode {
		return
	}
	if n.Type != html.ElementNode || forbidden[n.Data] || n.Namespace != "" {
		tb.Errorf("there is a node %v %q %q", n.Type, n.Namespace, n.Data)
	}
	for _, a := range n.Attr {
		value := strings.ToLower(strings.TrimSpace(a.Val))
		switch {
		case !attributes[a.Key] || a.Namespace != "":
			tb.Errorf("<%s> has an attribute %q", n.Data, a.Key)
		case a.Key == "id":
			if ids[a.Val] || !idPattern.MatchString(a.Val) {
				tb.Errorf("<%s> has the id %q", n.Data, a.Val)
			}
			ids[a.Val] = true
		case a.Key == "href", a.Key == "src", a.Key == "cite":
			if colon := strings.IndexByte(value, ':'); colon >= 0 && !strings.ContainsAny(value[:colon], "/?#") {
				switch value[:colon] {
				case "http", "https", "mailto":
				default:
					tb.Errorf("<%s> leads to %q", n.Data, a.Val)
				}
			}
			if a.Key == "src" && elsewhere.MatchString(value) {
				tb.Errorf("an image of another host: %q", a.Val)
			}
		case a.Key == "tabindex" && a.Val != "0":
			tb.Errorf("tabindex %q", a.Val)
		}
	}
}

func clip(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}
