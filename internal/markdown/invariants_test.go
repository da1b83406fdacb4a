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
	headingPattern = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:-]*$`)
	idPattern      = regexp.MustCompile(`^(?:fn-[A-Za-z0-9_-]+:(?:ref)?[0-9]+(?:\.[0-9]+)?)$`)
	elsewhere      = regexp.MustCompile(`^(?:[a-z][a-z0-9+.-]*:|//)`)
	attributes     = map[string]bool{
		"href": true, "src": true, "alt": true, "title": true, "width": true, "height": true, "cite": true,
		"datetime": true, "open": true, "start": true, "reversed": true, "value": true, "colspan": true,
		"rowspan": true, "scope": true, "dir": true, "lang": true, "id": true, "class": true, "role": true,
		"tabindex": true, "aria-label": true, "data-language": true, "data-alert": true, "rel": true, "loading": true,
		"decoding": true, "type": true, "disabled": true, "checked": true, "controls": true, "preload": true,
	}
	// safelisted are what HTML's standard lets a page hand on to other programs, and the web's own.
	safelisted = map[string]bool{
		"http": true, "https": true, "mailto": true, "bitcoin": true, "ftp": true, "ftps": true, "geo": true, "im": true,
		"irc": true, "ircs": true, "magnet": true, "matrix": true, "mms": true, "news": true, "nntp": true,
		"openpgp4fpr": true, "sftp": true, "sip": true, "sms": true, "smsto": true, "ssh": true, "tel": true, "urn": true,
		"webcal": true, "xmpp": true,
	}
	forbidden = map[string]bool{
		"script": true, "style": true, "iframe": true, "object": true, "embed": true, "form": true,
		"button": true, "textarea": true, "select": true, "svg": true, "math": true, "base": true,
		"meta": true, "link": true, "template": true, "h1": true, "source": true, "track": true,
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
		case a.Key == "id" && n.Data[0] == 'h':
			if ids[a.Val] || markdown.IsPageID(a.Val) || !headingPattern.MatchString(a.Val) {
				tb.Errorf("<%s> has the id %q", n.Data, a.Val)
			}
			ids[a.Val] = true
		case a.Key == "id":
			if ids[a.Val] || !idPattern.MatchString(a.Val) {
				tb.Errorf("<%s> has the id %q", n.Data, a.Val)
			}
			ids[a.Val] = true
		case a.Key == "href", a.Key == "src", a.Key == "cite":
			if colon := strings.IndexByte(value, ':'); colon >= 0 && !strings.ContainsAny(value[:colon], "/?#") {
				if scheme := value[:colon]; !safelisted[scheme] || a.Key != "href" && scheme != "http" && scheme != "https" {
					tb.Errorf("<%s> leads to %q", n.Data, a.Val)
				}
			}
			if a.Key == "src" && elsewhere.MatchString(value) != plays(n.Data) {
				tb.Errorf("<%s> of another host, or of this one: %q", n.Data, a.Val)
			}
		case a.Key == "tabindex" && a.Val != "0":
			tb.Errorf("tabindex %q", a.Val)
		}
	}
}

// plays reports whether an element is a player, whose files are on other hosts.
func plays(name string) bool { return name == "video" || name == "audio" }

func clip(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}
