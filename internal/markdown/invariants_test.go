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
		tb.Errorf("a parser sees another document:\n got %q\nwant %q", clip(again.String()), clip(doc.HTML))
	}
	previous := 1
	for _, h := range doc.Headings {
		if !ids[h.ID] {
			tb.Errorf("got no element with the id %q of heading %+v, want one", h.ID, h)
		}
		if h.Level < 2 {
			tb.Errorf("heading %+v: got level %d, want at least 2", h, h.Level)
		}
		if most := min(previous+1, 6); h.Level > most {
			tb.Errorf("heading %+v after level %d: got level %d, want at most %d", h, previous, h.Level, most)
		}
		if h.Text == "" {
			tb.Errorf("heading %+v: got the text %q, want some", h, h.Text)
		}
		previous = h.Level
	}
	for name, s := range map[string]string{"html": doc.HTML, "plain": doc.Plain, "excerpt": doc.Excerpt} {
		if !utf8.ValidString(s) {
			tb.Errorf("%s: got %q, want UTF-8", name, clip(s))
		}
		if strings.ContainsRune(s, 0) {
			tb.Errorf("%s: got %q, want no NUL in it", name, clip(s))
		}
	}
	if n := utf8.RuneCountInString(doc.Excerpt); n > 280 {
		tb.Errorf("the excerpt has %d characters, want at most 280", n)
	}
	if doc.ReadingMinutes < 1 {
		tb.Errorf("got %d minutes, want at least 1", doc.ReadingMinutes)
	}
}

func holdElement(tb testing.TB, n *html.Node, ids map[string]bool) {
	tb.Helper()
	if n.Type == html.TextNode {
		return
	}
	if n.Type != html.ElementNode {
		tb.Errorf("%q is a node of the type %v, want %v", n.Data, n.Type, html.ElementNode)
	}
	if forbidden[n.Data] {
		tb.Errorf("got an element %q, want none that is forbidden", n.Data)
	}
	if n.Namespace != "" {
		tb.Errorf("%q has the namespace %q, want none", n.Data, n.Namespace)
	}
	for _, a := range n.Attr {
		switch {
		case !attributes[a.Key] || a.Namespace != "":
			tb.Errorf("<%s> has an attribute %q of the namespace %q, want only known ones of none", n.Data, a.Key, a.Namespace)
		case a.Key == "id" && n.Data[0] == 'h':
			if ids[a.Val] {
				tb.Errorf("<%s> has the id %q twice, want it once", n.Data, a.Val)
			}
			if markdown.IsPageID(a.Val) {
				tb.Errorf("<%s> has the id %q of the page, want one of the text", n.Data, a.Val)
			}
			if !headingPattern.MatchString(a.Val) {
				tb.Errorf("<%s> has the id %q, want one like %v", n.Data, a.Val, headingPattern)
			}
			ids[a.Val] = true
		case a.Key == "id":
			if ids[a.Val] {
				tb.Errorf("<%s> has the id %q twice, want it once", n.Data, a.Val)
			}
			if !idPattern.MatchString(a.Val) {
				tb.Errorf("<%s> has the id %q, want one like %v", n.Data, a.Val, idPattern)
			}
			ids[a.Val] = true
		case a.Key == "href", a.Key == "src", a.Key == "cite":
			holdAddress(tb, n, a)
		case a.Key == "tabindex" && a.Val != "0":
			tb.Errorf("<%s> has the tabindex %q, want 0", n.Data, a.Val)
		}
	}
}

// holdAddress checks where an attribute of an element leads.
func holdAddress(tb testing.TB, n *html.Node, a html.Attribute) {
	tb.Helper()
	value := strings.ToLower(strings.TrimSpace(a.Val))
	if colon := strings.IndexByte(value, ':'); colon >= 0 && !strings.ContainsAny(value[:colon], "/?#") {
		scheme := value[:colon]
		if !safelisted[scheme] {
			tb.Errorf("<%s> leads to %q, want one of the schemes %v", n.Data, a.Val, safelisted)
		}
		if a.Key != "href" && scheme != "http" && scheme != "https" {
			tb.Errorf("<%s> has the %s %q, want one of http or https", n.Data, a.Key, a.Val)
		}
	}
	if a.Key != "src" {
		return
	}
	if got, want := elsewhere.MatchString(value), plays(n.Data); got != want {
		tb.Errorf("<%s> has the src %q of another host: %t, want %t", n.Data, a.Val, got, want)
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
