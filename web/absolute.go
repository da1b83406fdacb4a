package web

import (
	"strings"

	"golang.org/x/net/html"
)

// absoluteLinks makes the links of a post's HTML hold outside of its page: many
// feed readers overlook xml:base. site is the public address without a slash at
// its end, page the post's own.
func absoluteLinks(body, site, page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		if kind == html.ErrorToken { // the end: there are no others in memory
			return b.String()
		}
		raw := string(z.Raw()) // before Token, which uses it up
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
