package web

import (
	"strings"

	"golang.org/x/net/html"
)

// absoluteLinks makes the links in a post's HTML absolute, so that they are right outside of its
// page: many feed readers ignore xml:base. site is the public address without a slash at its end,
// page that of the post.
func absoluteLinks(body, site, page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		if kind == html.ErrorToken { // the end; reading from memory has no other errors
			return b.String()
		}
		raw := string(z.Raw()) // before Token, which consumes it
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			b.WriteString(raw)
			continue
		}
		t := z.Token()
		changed := false
		for i, a := range t.Attr {
			if a.Key != "href" && a.Key != "src" {
				continue
			}
			switch {
			case strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//"):
				t.Attr[i].Val, changed = site+a.Val, true
			case strings.HasPrefix(a.Val, "#"):
				t.Attr[i].Val, changed = page+a.Val, true
			}
		}
		if changed {
			raw = t.String()
		}
		b.WriteString(raw)
	}
}
