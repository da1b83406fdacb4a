package markdown_test

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"blog/internal/markdown"
)

var update = flag.Bool("update", false, "write the golden files")

// mustRender renders a source that has to be renderable.
func mustRender(tb testing.TB, source string, opt markdown.Options) markdown.Document {
	tb.Helper()
	doc, err := markdown.New(markdown.Words{}).Render(source, opt)
	if err != nil {
		tb.Fatalf("Render(%.80q): %v", source, err)
	}
	mustHold(tb, doc)
	return doc
}

func mustQuery(tb testing.TB, doc markdown.Document) *goquery.Document {
	tb.Helper()
	q, err := goquery.NewDocumentFromReader(strings.NewReader(doc.HTML))
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// describe returns all parts of a document in a form that is easy to read in a diff.
func describe(doc markdown.Document) string {
	var b strings.Builder
	b.WriteString(doc.HTML)
	b.WriteString("\n==== headings\n")
	for _, h := range doc.Headings {
		b.WriteString(strings.Repeat("  ", h.Level-2) + h.ID + " | " + h.Text + "\n")
	}
	b.WriteString("==== plain\n" + doc.Plain)
	b.WriteString("\n==== excerpt\n" + doc.Excerpt)
	b.WriteString("\n==== images\n" + strings.Join(doc.Images, "\n") + "\n")
	return b.String()
}

func TestGolden(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("got no sources in testdata, want some")
	}
	opt := markdown.Options{
		Prefix: "golden",
		Image: func(dest string) (string, int, int, bool) {
			if dest == "missing.png" {
				return "", 0, 0, false
			}
			return "/media/0123abcd/" + url.PathEscape(filepath.Base(dest)), 640, 480, true
		},
		Link: func(dest string) (string, bool) {
			name, ok := strings.CutSuffix(dest, ".md")
			return "/posts/" + name, ok
		},
	}
	for _, path := range sources {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(mustRender(t, string(source), opt))
			golden := strings.TrimSuffix(path, ".md") + ".golden"
			if *update {
				if err = os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s, to be made again by -update after Version is raised (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestHeadingLevels(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"from one":       {"# a\n## b\n# c", "h2 h3 h2"},
		"from two":       {"## a\n### b\n## c", "h2 h3 h2"},
		"from four":      {"#### a\n##### b", "h2 h3"},
		"holes":          {"# a\n#### b\n## c\n###### d", "h2 h3 h3 h4"},
		"deeper first":   {"### a\n## b\n### c", "h2 h2 h3"},
		"quoted":         {"# a\n## b\n> # c\n\n### d", "h2 h3 h4 h4"},
		"six levels":     {"# 1\n## 2\n### 3\n#### 4\n##### 5\n###### 6", "h2 h3 h4 h5 h6 h6"},
		"underlined":     {"a\n===\nb\n---", "h2 h3"},
		"raw":            {"<h1>a</h1>\n\n<h2 id=\"nav\" class=\"x\">b</h2>", "h2 h3"},
		"empty are gone": {"# a\n\n#\n\n## <!-- -->\n\n<h3></h3>\n\n## b", "h2 h3"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := mustRender(t, c.source, markdown.Options{})
			var got []string
			mustQuery(t, doc).Find("h1,h2,h3,h4,h5,h6").Each(func(_ int, s *goquery.Selection) {
				got = append(got, goquery.NodeName(s))
			})
			if strings.Join(got, " ") != c.want {
				t.Errorf("levels %v, want %s", got, c.want)
			}
		})
	}
}

func TestHeadingIDs(t *testing.T) {
	for source, want := range map[string]string{
		"# Hello, World!":              "h-hello-world",
		"# Über `go vet` & *more*":     "h-über-go-vet-more",
		"# Привет мир":                 "h-привет-мир",
		"# 你好，世界":                      "h-你好-世界",
		"# שלום עולם":                  "h-שלום-עולם",
		"# हिन्दी में":                 "h-हिन्दी-में",
		"# 🎉🎉":                         "h-section",
		"# ???":                        "h-section",
		"# It's":                       "h-its",
		"# [a link](https://x.y) here": "h-a-link-here",
		"# A footnote[^1]\n\n[^1]: x":  "h-a-footnote",
		"# ![a picture](x.png)":        "h-a-picture",
		"# C++":                        "h-c",
		"# 3.14":                       "h-3-14",
		"# a\n# a\n# a 2\n# a":         "h-a h-a-2 h-a-2-2 h-a-3",
		"# a-2\n# a\n# a":              "h-a-2 h-a h-a-3",
		"# 🎉\n# !":                     "h-section h-section-2",
		"> # quoted\n\n# not":          "h-not",
		"# " + strings.Repeat("a", 99): "h-" + strings.Repeat("a", 80),
		// What an author gives.
		"## Title {#my-id}":                        "my-id",
		"## Title {#My_ID.2:x}":                    "My_ID.2:x",
		"## Title {#my_id_x} ##":                   "my_id_x",
		"## Title ## {#a}":                         "a",
		"Title {#a}\n===\n\nTwo\nlines {#b}\n---":  "a b",
		"## Title {: #a}":                          "a",
		"## Title {#a .note data-x=\"1 2\"}":       "a",
		"## Title {.note #a}":                      "a",
		"## Title {.note}":                         "h-title",
		"## 标题 {#标题}":                              "标题",
		"## A {#x}\n## B {#x}\n## C {#X}":          "x x-2 X",
		"## A {#main}\n## B {#fn-post:1}":          "h-main h-fn-post:1",
		"## A {#post}\n## B {#post}\n## C {#f}":    "post h-post-2 f",
		"## A {#post-7} ":                          "h-post-7",
		"## A {#}\n## B {# x}\n## C {x}":           "h-a h-b-x h-c-x",
		"## A \\{#a}":                              "h-a-a",
		"## `{#a}`":                                "h-a",
		"## A {#a} b":                              "h-a-a-b",
		"## A {#<b>}":                              "h-b",
		"## {#a}":                                  "",
		"> ## quoted {#a}\n\n## A {#a}":            "a-2",
		"- ## item {#a}":                           "a",
		"## A {#" + strings.Repeat("a", 400) + "}": "h-" + strings.Repeat("a", 80),
	} {
		doc := mustRender(t, source, markdown.Options{})
		var got []string
		for _, h := range doc.Headings {
			got = append(got, h.ID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: ids %q, want %q", source, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	opt := markdown.Options{Link: func(dest string) (string, bool) {
		name, ok := strings.CutSuffix(dest, ".md")
		return "/posts/" + name, ok
	}}
	for _, c := range [][2]string{
		{"[a](https://x.y/z)", `<a href="https://x.y/z" rel="external noopener">a</a>`},
		{"[a](//x.y)", `<a href="//x.y" rel="external noopener">a</a>`},
		{"[a](////x.y/z)", `<a href="//x.y/z" rel="external noopener">a</a>`},
		{"[a](/about)", `<a href="/about">a</a>`},
		{"[a](other.md?q=1#there)", `<a href="/posts/other?q=1#there">a</a>`},
		{"[a](mailto:a@b.c)", `<a href="mailto:a@b.c">a</a>`},
		{"[a](javascript:alert(1))", `a`},
		{"[a](JaVaScRiPt:alert(1))", `a`},
		{"[a](data:text/html,x)", `a`},
		{"[a](file:///x)", `a`},
		{"[a](vbscript:x)", `a`},
		{"[a](tel:+49-30-1234)", `<a href="tel:+49-30-1234">a</a>`},
		{"[a](sms:+493012?body=b)", `<a href="sms:+493012?body=b">a</a>`},
		{"[a](xmpp:a@b.c?join)", `<a href="xmpp:a@b.c?join">a</a>`},
		{"[a](matrix:r/room:b.c)", `<a href="matrix:r/room:b.c">a</a>`},
		{"[a](matrix:u/me:b.c?x=y)", `<a href="matrix:u/me:b.c?x=y">a</a>`},
		{"[a](geo:52.5,13.4)", `<a href="geo:52.5,13.4">a</a>`},
		{"[a](magnet:?xt=urn:b:c)", `<a href="magnet:?xt=urn:b:c">a</a>`},
		{"[a](ftp://x.y/z)", `<a href="ftp://x.y/z">a</a>`},
		{"[a](TEL:112)", `<a href="tel:112">a</a>`},
		{"<tel:+4930>", `<a href="tel:+4930">tel:+4930</a>`},
		{"<MAILTO:a@b.c>", `<a href="mailto:a@b.c">MAILTO:a@b.c</a>`},
		{"![a](tel:112)", `<span class="missing-image">a</span>`},
		{`<a rel="me" href="https://x.y/@z">a</a>`, `<a href="https://x.y/@z" rel="me external noopener">a</a>`},
		{`<a rel="nofollow ME" href="/z">a</a>`, `<a href="/z" rel="me">a</a>`},
		{`<a rel="me" href="mailto:a@b.c">a</a>`, `<a href="mailto:a@b.c" rel="me">a</a>`},
		{`<a rel="home" href="/z">a</a>`, `<a href="/z">a</a>`},
		{"[a](https://müller.de/ü)", `<a href="https://xn--mller-kva.de/%C3%BC" rel="external noopener">a</a>`},
		{"[a](//例え.テスト:8080/)", `<a href="//xn--r8jz45g.xn--zckzah:8080/" rel="external noopener">a</a>`},
		{"[a](https://a\u202eb.c)", `a`},
		{"<a href='java\nscript:x'>", ``},
		{"[a](&#x6a;avascript:x)", `a`},
		{"x@example.org", `<a href="mailto:x@example.org">x@example.org</a>`},
		{"www.example.org", `<a href="http://www.example.org" rel="external noopener">www.example.org</a>`},
	} {
		source, want := c[0], c[1]
		doc := mustRender(t, source, opt)
		want = `<p dir="auto">` + want + `</p>`
		if got := strings.TrimSpace(doc.HTML); got != want {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
	}
	for _, c := range [][2]string{
		{"## T {#my-id}\n\n[a](#my-id) [b](#h-my-id) [c](#My-ID) [d](#t)", "#my-id #my-id #my-id #t"},
		{
			"## My title\n\n[a](#my-title) [b](#h-my-title) [c](#My-Title) [d](#my title)",
			"#h-my-title #h-my-title #h-my-title",
		},
		{"## T {#main}\n\n[a](#main) [b](#h-main)", "#h-main #h-main"},
		{"## A & B\n\n[a](#a--b) [b](#a-b)", "#h-a-b #h-a-b"},
		{"## A\n## A\n## A\n\n[a](#a) [b](#a-1) [c](#a-2) [d](#a-3)", "#h-a #h-a-2 #h-a-2 #h-a-3"},
		{
			"## Größe\n\n[a](#Größe) [b](#gr%C3%B6%C3%9Fe) [c](#größe)",
			"#h-gr%C3%B6%C3%9Fe #h-gr%C3%B6%C3%9Fe #h-gr%C3%B6%C3%9Fe",
		},
		{"[later](#my-id)\n\n## T {#my-id}", "#my-id"},
	} {
		source, want := c[0], c[1]
		var got []string
		mustQuery(t, mustRender(t, source, opt)).Find("a").Each(func(_ int, a *goquery.Selection) {
			got = append(got, a.AttrOr("href", ""))
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%q: links to %q, want %q", source, got, want)
		}
	}
	doc := mustRender(t, "# Über uns\n\n[a](#über-uns) [b](#h-über-uns) [c](#nowhere)", markdown.Options{})
	for i, want := range []string{"#h-%C3%BCber-uns", "#h-%C3%BCber-uns", "#nowhere"} {
		if got := mustQuery(t, doc).Find("a").Eq(i).AttrOr("href", ""); got != want {
			t.Errorf("link %d leads to %q, want %q", i, got, want)
		}
	}
}

func TestImages(t *testing.T) {
	asked := map[string]int{}
	opt := markdown.Options{Image: func(dest string) (string, int, int, bool) {
		asked[dest]++
		switch dest {
		case "a b.png", "/media/x.png":
			return "/media/1/ab.png", 30, 20, true
		case "evil.png":
			return "javascript:alert(1)", 0, 0, true
		case "/media/gone.png":
			return "", 0, 0, true
		}
		return "", 0, 0, false
	}}
	for source, want := range map[string]string{
		"![alt](a%20b.png \"t\")": `<img alt="alt" decoding="async" height="20" loading="lazy" ` +
			`src="/media/1/ab.png" title="t" width="30"/>`,
		"![](<a b.png>)": `<img alt="" decoding="async" height="20" loading="lazy" ` +
			`src="/media/1/ab.png" width="30"/>`,
		"![x](/media/x.png)": `<img alt="x" decoding="async" height="20" loading="lazy" ` +
			`src="/media/1/ab.png" width="30"/>`,
		"![x](/media/y.png)":                 `<img alt="x" decoding="async" loading="lazy" src="/media/y.png"/>`,
		"![gone](/media/gone.png)":           `<span class="missing-image">gone</span>`,
		"![gone](none.png)":                  `<span class="missing-image">gone</span>`,
		"![](none.png)":                      ``,
		"![e](evil.png)":                     `<span class="missing-image">e</span>`,
		"![d](data:image/png;base64,AAAA)":   `<span class="missing-image">d</span>`,
		"![far](https://x.y/z.png)":          `<a href="https://x.y/z.png" rel="external noopener">far</a>`,
		"[![far](https://x.y/z.png)](/here)": `<a href="/here"><span class="missing-image">far</span></a>`,
		`a <img src="a%20b.png" onerror=x style=y width=7 height="8">`: `a <img alt="" decoding="async" height="8" ` +
			`loading="lazy" src="/media/1/ab.png" width="7"/>`,
	} {
		doc := mustRender(t, source, opt)
		want = `<p dir="auto">` + want + `</p>`
		if got := strings.TrimSpace(doc.HTML); got != want {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
	}
	if n := asked["https://x.y/z.png"]; n > 0 {
		t.Errorf("an image of another host was asked for %d times, want 0", n)
	}
	doc := mustRender(t, "![](b.png) ![](a/b.png) ![](b.png) ![](/c.png) ![](https://x/d.png)", markdown.Options{})
	if got := strings.Join(doc.Images, " "); got != "b.png a/b.png" {
		t.Errorf("got the images %q, want %q", got, "b.png a/b.png")
	}
}

func TestDirection(t *testing.T) {
	for name, c := range map[string]struct{ source, selector, want string }{
		"paragraph":     {"שלום", "p", "auto"},
		"tight list":    {"- שלום", "ul", "rtl"},
		"tight item":    {"- שלום", "li", "auto"},
		"loose item":    {"- שלום\n\n- b", "li", "rtl"},
		"quote":         {"> `code` שלום world", "blockquote", "rtl"},
		"left quote":    {"> hello", "blockquote", "ltr"},
		"cell":          {"|a|\n|-|\n|שלום|", "td", "auto"},
		"heading":       {"# שלום", "h2", "auto"},
		"author's own":  {`<p dir="rtl">x</p>`, "p", "rtl"},
		"code":          {"> שלום\n>\n>     x", "pre", "ltr"},
		"digits say no": {"> 123", "blockquote", ""},
	} {
		t.Run(name, func(t *testing.T) {
			doc := mustRender(t, c.source, markdown.Options{})
			if got := mustQuery(t, doc).Find(c.selector).First().AttrOr("dir", ""); got != c.want {
				t.Errorf("dir=%q, want %q in %s", got, c.want, doc.HTML)
			}
		})
	}
}

func TestFootnotes(t *testing.T) {
	source := "a[^x] b[^y] c[^x]\n\n[^x]: one\n[^y]: two\n\n    more\n"
	doc := mustRender(t, source, markdown.Options{Prefix: "p-7"})
	q := mustQuery(t, doc)
	for _, id := range []string{"fn-p-7:1", "fn-p-7:2", "fn-p-7:ref1", "fn-p-7:ref1.2", "fn-p-7:ref2"} {
		if n := q.Find(`[id="` + id + `"]`).Length(); n != 1 {
			t.Errorf("%d elements have the id %s, want 1, in %s", n, id, doc.HTML)
		}
		if q.Find(`a[href="#`+id+`"]`).Length() == 0 {
			t.Errorf("got no link to %s, want one, in %s", id, doc.HTML)
		}
	}
	for _, prefix := range []string{"a b", "a:b", `"`, strings.Repeat("a", 65), "é"} {
		if _, err := markdown.New(markdown.Words{}).Render("a", markdown.Options{Prefix: prefix}); err == nil {
			t.Errorf("prefix %q: got no error, want one", prefix)
		}
	}
	mustRender(t, "[^1]: [^2]: nested\n\n[^1] [^2]\n\n> [^3]: quoted\n\n[^3]", markdown.Options{})
}

func TestTasks(t *testing.T) {
	q := mustQuery(t, mustRender(t, "- [x] a\n- [ ] b\n- c", markdown.Options{}))
	if n := q.Find(`ul.tasks > li.task > input[type=checkbox][disabled]`).Length(); n != 2 {
		t.Errorf("got %d boxes, want 2", n)
	}
	if n := q.Find(`input[checked][aria-label="Done"]`).Length(); n != 1 {
		t.Errorf("got %d ticked boxes, want 1", n)
	}
}

func TestTables(t *testing.T) {
	doc := mustRender(t, "| a | b |\n|--:|:-:|\n| 1 | 2 |\n", markdown.Options{})
	const cell = `div.table[tabindex="0"][role=region][aria-label="a b"] > table td.align-right`
	if n := mustQuery(t, doc).Find(cell).Length(); n != 1 {
		t.Errorf("got %d of %s, want 1, in %s", n, cell, doc.HTML)
	}
}

func TestCode(t *testing.T) {
	doc := mustRender(t, "```go\nfunc f() {}\n```\n\n```nosuch\n<b>\n```\n\n    plain\n", markdown.Options{})
	q := mustQuery(t, doc)
	const keyword = `figure.code[data-language="Go"] > pre.chroma[tabindex="0"][aria-label="Go"] > code > span.kd`
	if n := q.Find(keyword).Length(); n != 1 {
		t.Errorf("got %d of %s, want 1, in %s", n, keyword, doc.HTML)
	}
	if n := q.Find(`pre[aria-label="Code"]`).Length(); n != 2 {
		t.Errorf("got %d blocks that are named Code, want 2", n)
	}
	if n := q.Find("figure[data-language]").Length(); n != 1 {
		t.Errorf("got %d figures with a language, want 1", n)
	}
	if got := q.Find("pre").Eq(1).Text(); got != "<b>\n" {
		t.Errorf("got the code %q, want %q", got, "<b>\n")
	}
}
