package markdown_test

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/markdown"
)

// TestBareAddresses asserts what of a line becomes a link, each with the text that it shows; "" where nothing does.
func TestBareAddresses(t *testing.T) {
	for source, want := range map[string]string{
		// Where an address ends.
		"https://example.org":                          "https://example.org",
		"See https://example.org/a.":                   "https://example.org/a",
		"See https://example.org/a, and":               "https://example.org/a",
		"See https://example.org/a; then":              "https://example.org/a",
		"See https://example.org/a: that":              "https://example.org/a",
		"Is it https://example.org/a?":                 "https://example.org/a",
		"(see https://example.org/a)":                  "https://example.org/a",
		"(see https://example.org/a).":                 "https://example.org/a",
		"(https://example.org/a)b":                     "https://example.org/a",
		"[see https://example.org/a]":                  "https://example.org/a",
		"https://example.org/a_(b)":                    "https://example.org/a_(b)",
		"https://example.org/a_(b).":                   "https://example.org/a_(b)",
		"https://example.org/a(b and c)":               "https://example.org/a",
		"https://example.org/a?b[]=c&d[e]=f":           "https://example.org/a?b[]=c&d[e]=f",
		"\"https://example.org/a\"":                    "https://example.org/a",
		"\"https://example.org/a\", he said":           "https://example.org/a",
		"'https://example.org/a'":                      "https://example.org/a",
		"“https://example.org/a”":                      "https://example.org/a",
		"«https://example.org/a»":                      "https://example.org/a",
		"„https://example.org/a“":                      "https://example.org/a",
		"https://example.org/a…":                       "https://example.org/a",
		"https://example.org/a...":                     "https://example.org/a",
		"https://example.org/a!?":                      "https://example.org/a",
		"https://example.org/a—and on":                 "https://example.org/a",
		"https://example.org/a -- and on":              "https://example.org/a",
		"**https://example.org/a**":                    "https://example.org/a",
		"**https://example.org/a**b":                   "https://example.org/a",
		"*https://example.org/a*":                      "https://example.org/a",
		"_https://example.org/a_":                      "https://example.org/a",
		"~~https://example.org/a~~":                    "https://example.org/a",
		"https://example.org's":                        "https://example.org",
		"https://example.org/a's site":                 "https://example.org/a",
		"https://example.org/Schrödinger's_cat":        "https://example.org/Schrödinger's_cat",
		"https://fr.wikipedia.org/wiki/L’Équipe":       "https://fr.wikipedia.org/wiki/L’Équipe",
		"https://example.org/a&gt;":                    "https://example.org/a",
		"https://example.org/?a=1&amp;b=2":             "https://example.org/?a=1&b=2",
		"https://example.org/a|b":                      "https://example.org/a|b",
		"https://a.example/,https://b.example/":        "https://a.example/ https://b.example/",
		"https://example.org:8080/a":                   "https://example.org:8080/a",
		"https://example.org: there":                   "https://example.org",
		"https://example.org/~user/":                   "https://example.org/~user/",
		"https://example.org/a--b":                     "https://example.org/a--b",
		"https://example.org/@user":                    "https://example.org/@user",
		"https://example.org/#a":                       "https://example.org/#a",
		"https://example.org?a=b":                      "https://example.org?a=b",
		"https://example.org/a*b":                      "https://example.org/a",
		"https://web.example/web/*/https://x.example/": "https://web.example/web/*/https://x.example/",
		"https://example.org/a_b_c":                    "https://example.org/a_b_c",
		"https://example.org/_a_":                      "https://example.org/_a",
		"https://example.org/a<br>b":                   "https://example.org/a",
		"https://example.org/a\\_b":                    "https://example.org/a",
		"https://example.org./a":                       "https://example.org", // and the sentence goes on
		"https://example.org.":                         "https://example.org",
		"https://example.org/a\nb":                     "https://example.org/a",
		// Other scripts.
		"请看https://example.org/a，然后":             "https://example.org/a",
		"请看https://example.org。":                 "https://example.org",
		"请看https://example.org然后":                "https://example.org",
		"请看https://example.org/a然后":              "https://example.org/a",
		"请看https://example.org/a）":               "https://example.org/a",
		"「https://example.org/a」を":               "https://example.org/a",
		"https://example.org/aを見て":               "https://example.org/a",
		"https://example.org/を見て":                "https://example.org/",
		"https://example.org/a를 보세요":             "https://example.org/a",
		"https://example.org/을 보세요":              "https://example.org/",
		"https://ko.wikipedia.org/wiki/한국어":      "https://ko.wikipedia.org/wiki/한국어",
		"https://zh.wikipedia.org/wiki/测试":       "https://zh.wikipedia.org/wiki/测试",
		"https://zh.wikipedia.org/wiki/测试。":      "https://zh.wikipedia.org/wiki/测试",
		"https://example.org/?q=测试&p=1":          "https://example.org/?q=测试&p=1",
		"https://ja.wikipedia.org/wiki/ジャン・レノ":   "https://ja.wikipedia.org/wiki/ジャン・レノ",
		"https://de.wikipedia.org/wiki/Größe":    "https://de.wikipedia.org/wiki/Größe",
		"https://ru.wikipedia.org/wiki/Москва.":  "https://ru.wikipedia.org/wiki/Москва",
		"https://he.wikipedia.org/wiki/שלום":     "https://he.wikipedia.org/wiki/שלום",
		"https://ar.wikipedia.org/wiki/سلام، ثم": "https://ar.wikipedia.org/wiki/سلام",
		"https://hi.wikipedia.org/wiki/हिन्दी।":  "https://hi.wikipedia.org/wiki/हिन्दी",
		"https://th.wikipedia.org/wiki/ไทย":      "https://th.wikipedia.org/wiki/ไทย",
		"https://example.org/aครับ":              "https://example.org/a",
		"https://example.org/a🎉":                 "https://example.org/a",
		"https://example.org/🎉":                  "https://example.org/🎉",
		"https://en.wikipedia.org/wiki/A–B":      "https://en.wikipedia.org/wiki/A–B",
		"https://müller.example/":                "https://müller.example/",
		"http://例え.テスト/パス":                       "http://例え.テスト/パス",
		"http://abc中文.example":                   "http://abc中文.example",
		"http://президент.рф":                    "http://президент.рф",
		"http://xn--e1afmkfd.xn--p1ai":           "http://xn--e1afmkfd.xn--p1ai",
		"www.müller.example/a":                   "www.müller.example/a",
		// Schemes and hosts.
		"HTTPS://EXAMPLE.ORG/A":      "HTTPS://EXAMPLE.ORG/A",
		"Http://example.org":         "Http://example.org",
		"WWW.example.org":            "WWW.example.org",
		"http://localhost":           "http://localhost",
		"http://localhost:4000/a":    "http://localhost:4000/a",
		"http://localhost:4000.":     "http://localhost:4000",
		"http://localhost后":          "http://localhost",
		"http://blog.localhost:4000": "http://blog.localhost:4000",
		"http://127.0.0.1:8080/":     "http://127.0.0.1:8080/",
		"http://[::1]:4000/a":        "http://[::1]:4000/a",
		"http://intranet":            "",
		"http://1.2.3":               "",
		"http://":                    "",
		"https://.org":               "",
		"ftp://example.org":          "",
		"javascript://example.org":   "",
		"xhttps://example.org":       "",
		"link:https://example.org":   "https://example.org",
		"a/www.example.org":          "",
		"awww.example.org":           "",
		"www.":                       "",
		"www..a":                     "",
		"`https://example.org`":      "",
		"https\\://example.org":      "",
		// Inside of links an address is text.
		"[https://a.example](https://b.example)": "https://a.example",
		"[at https://a.example](/b)":             "at https://a.example",
		"[www.a.example and a@b.example](/b)":    "www.a.example and a@b.example",
		"[*https://a.example*][x]\n\n[x]: /b":    "https://a.example",
		`<a href="/b">https://a.example</a> c`:   "https://a.example",
		`<a href="/b">x</a> https://a.example`:   "x https://a.example",
		"<https://a.example/a>后":                 "https://a.example/a",
		"| https://a.example/a | b |\n|---|---|": "https://a.example/a",
		"# https://a.example/a":                  "https://a.example/a",
		"- https://a.example/a\n- www.b.example": "https://a.example/a www.b.example",
		"[^1]\n\n[^1]: https://a.example/a":      "1 https://a.example/a ↩︎",
		// E-mail.
		"a@example.org":           "a@example.org",
		"a.b+c-d_e@example.org.":  "a.b+c-d_e@example.org",
		"a_b_c@example.org":       "a_b_c@example.org",
		"*a@example.org*":         "a@example.org",
		"请写信到a@example.org。":      "a@example.org",
		"<a@example.org>":         "a@example.org",
		"(a@example.org)":         "a@example.org",
		"mail:a@example.org":      "a@example.org",
		"mailto:a@example.org":    "mailto:a@example.org",
		"xmpp:a@example.org":      "xmpp:a@example.org",
		"info@müller.example":     "info@müller.example",
		"a@example":               "",
		"a@example.org-":          "",
		"git@example.org:a/b.git": "",
		"ssh://git@example.org/a": "",
		"a@b@example.org":         "",
		"@example.org":            "",
		"a@-b.example":            "",
		"a@example.c0m":           "",
	} {
		doc := mustRender(t, source, markdown.Options{})
		var got []string
		mustQuery(t, doc).Find("a").Each(func(_ int, a *goquery.Selection) { got = append(got, a.Text()) })
		if strings.Join(got, " ") != want {
			t.Errorf("%q: links %q, want %q", source, got, want)
		}
	}
}

// TestBareAddressesDestinations asserts where they lead.
func TestBareAddressesDestinations(t *testing.T) {
	for source, want := range map[string]string{
		"HTTPS://EXAMPLE.ORG/A":            "https://EXAMPLE.ORG/A",
		"WWW.example.org/a":                "http://WWW.example.org/a",
		"https://müller.example/ü":         "https://xn--mller-kva.example/%C3%BC",
		"http://例え.テスト:8080/パス":            "http://xn--r8jz45g.xn--zckzah:8080/%E3%83%91%E3%82%B9",
		"https://example.org/?a=1&amp;b=2": "https://example.org/?a=1&b=2",
		"http://localhost:4000/a":          "http://localhost:4000/a",
		"http://[::1]:4000/a":              "http://[::1]:4000/a",
		"a@example.org":                    "mailto:a@example.org",
		"MAILTO:a@example.org":             "mailto:a@example.org",
		"xmpp:a@example.org":               "xmpp:a@example.org",
		"[https://a.example](/b)":          "/b",
	} {
		doc := mustRender(t, source, markdown.Options{})
		if got := mustQuery(t, doc).Find("a").AttrOr("href", ""); got != want {
			t.Errorf("%q leads to %q, want %q", source, got, want)
		}
	}
}
