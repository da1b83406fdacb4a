package markdown_test

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/markdown"
)

const alertNote = `<div class="alert" data-alert="note" dir="ltr" role="note">` + "\n" +
	`<p class="alert-title" dir="auto"><strong>Note</strong></p>` + "\n"

// TestAlerts asserts what of a quote is an alert.
func TestAlerts(t *testing.T) {
	for _, c := range [][2]string{
		{"> [!NOTE]\n> text", alertNote + `<p dir="auto">text</p>` + "\n</div>"},
		{"> [!note]\n>\n> text", alertNote + `<p dir="auto">text</p>` + "\n</div>"},
		{">[!Note]  \n>text\n>*more*", alertNote + `<p dir="auto">text` + "\n" + `<em>more</em></p>` + "\n</div>"},
		{"> [!info]\n> text", alertNote + `<p dir="auto">text</p>` + "\n</div>"},
		{"> [!NOTE]\n> - a", alertNote + `<ul dir="ltr">` + "\n" + `<li dir="auto">a</li>` + "\n</ul>\n</div>"},
		{"> [!NOTE]\ntext", alertNote + `<p dir="auto">text</p>` + "\n</div>"},
		{
			"> [!NOTE]- A *title*\n> text",
			strings.Replace(alertNote, "Note<", "A <em>title</em><", 1) + `<p dir="auto">text</p>` + "\n</div>",
		},
		{
			"> [!NOTE] Only a title\n>\n> b",
			strings.Replace(alertNote, "Note<", "Only a title<", 1) + `<p dir="auto">b</p>` + "\n</div>",
		},
		{
			"> [!NOTE]\n> שלום",
			strings.Replace(alertNote, `dir="ltr"`, `dir="rtl"`, 1) + `<p dir="auto">שלום</p>` + "\n</div>",
		},
		{"> [!NOTE]", `<blockquote dir="ltr">` + "\n" + `<p dir="auto">[!NOTE]</p>` + "\n</blockquote>"},
		{"> [!NONE]\n> text", `<blockquote dir="ltr">` + "\n" + `<p dir="auto">[!NONE]` + "\ntext</p>\n</blockquote>"},
		{"> a\n> [!NOTE]", `<blockquote dir="ltr">` + "\n" + `<p dir="auto">a` + "\n[!NOTE]</p>\n</blockquote>"},
		{"> \\[!NOTE]\n> a", `<blockquote dir="ltr">` + "\n" + `<p dir="auto">[!NOTE]` + "\na</p>\n</blockquote>"},
		{"[!NOTE]\na", `<p dir="auto">[!NOTE]` + "\na</p>"},
		{
			"> [!NOTE](x)\n> a",
			`<blockquote dir="ltr">` + "\n" + `<p dir="auto"><a href="x">!NOTE</a>` + "\na</p>\n</blockquote>",
		},
	} {
		source, want := c[0], c[1]
		if got := strings.TrimSpace(mustRender(t, source, markdown.Options{}).HTML); got != want {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
	}
	for name, kind := range map[string]string{
		"NOTE": "note", "TIP": "tip", "IMPORTANT": "important", "WARNING": "warning", "CAUTION": "caution",
		"hint": "tip", "danger": "caution", "attention": "warning",
	} {
		doc := mustRender(t, "> > [!"+name+"]\n> > a", markdown.Options{})
		alert := `blockquote > div.alert[data-alert="` + kind + `"] > p.alert-title > strong`
		if n := mustQuery(t, doc).Find(alert).Length(); n != 1 {
			t.Errorf("%s: got %d of %s, want 1, in %s", name, n, alert, doc.HTML)
		}
	}
	doc := mustRender(t, "# a\n\n> [!TIP]\n> # b\n\nc", markdown.Options{})
	if len(doc.Headings) != 1 {
		t.Errorf("got the headings %+v, want one", doc.Headings)
	}
	if doc.Excerpt != "c" {
		t.Errorf("got the excerpt %q, want %q", doc.Excerpt, "c")
	}
	if want := "a\nTip\nb\nc"; doc.Plain != want {
		t.Errorf("got the plain text %q, want %q", doc.Plain, want)
	}
}

func TestDefinitionLists(t *testing.T) {
	for source, want := range map[string]string{
		"Term\n: Text":                    "dt:Term dd:Text",
		"Term\n\n: Text":                  "dt:Term dd:Text",
		"One\nTwo\n: Text\n: More":        "dt:One dt:Two dd:Text dd:More",
		"One\n: A\n\nTwo\n: B":            "dt:One dd:A dt:Two dd:B",
		"One\n: A\n\n  More\n":            "dt:One dd:A\nMore",
		"*One*\n: `A`":                    "dt:One dd:A",
		"One\n:no space":                  "",
		": nothing before":                "",
		"<dl>\n<dt>a</dt><dd>b</dd></dl>": "dt:a dd:b",
	} {
		doc := mustRender(t, source, markdown.Options{})
		var got []string
		mustQuery(t, doc).Find("dl > *").Each(func(_ int, of *goquery.Selection) {
			got = append(got, goquery.NodeName(of)+":"+strings.TrimSpace(of.Text()))
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q in %s", source, got, want, doc.HTML)
		}
	}
}

func TestEmoji(t *testing.T) {
	for source, want := range map[string]string{
		":tada:":              "🎉",
		"Done :+1::tada:!":    "Done 👍🎉!",
		"*:tada:*":            "*🎉*",
		"(:smile:)":           "(😄)",
		"测试:tada:后文":          "测试🎉后文",
		":nosuchemoji:":       ":nosuchemoji:",
		":octocat:":           ":octocat:",
		"10:100:30":           "10:100:30",
		"a:x:b":               "a:x:b",
		"std::on::x":          "std::on::x",
		":tada":               ":tada",
		"\\:tada:":            ":tada:",
		"`:tada:`":            ":tada:",
		"https://a.b/:tada:/": "https://a.b/:tada:/",
		"![:tada:](none.png)": "🎉",
		"# :tada: a":          "🎉 a",
		"[:tada:](/x)":        "🎉",
		"| :tada: |\n|---|":   "🎉",
	} {
		doc := mustRender(t, source, markdown.Options{Image: func(string) (string, int, int, bool) { return "", 0, 0, true }})
		if got := strings.TrimSpace(doc.Plain); got != strings.ReplaceAll(want, "*", "") {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

// TestFences asserts what the line that opens a block of code says of it.
func TestFences(t *testing.T) {
	for info, want := range map[string]struct {
		language, title string
		marked          string
	}{
		"go":                                    {"Go", "", ""},
		`go title="main.go"`:                    {"Go", "main.go", ""},
		`go title='a "b".go' {1,3}`:             {"Go", `a "b".go`, "1 3"},
		`go {1-2} title=main.go`:                {"Go", "main.go", "1 2"},
		"go{2-}":                                {"Go", "", "2"},
		"js {1, 3-4}":                           {"JavaScript", "", "1 3"},
		`go {linenos=true, hl_lines=[1,"2-3"]}`: {"Go", "", "1 2 3"},
		`python hl_lines="1 3"`:                 {"Python", "", "1 3"},
		`go {hl_lines=["2"] title="x.go"}`:      {"Go", "x.go", "2"},
		"js:src/main.js":                        {"JavaScript", "src/main.js", ""},
		`go filename="a.go"`:                    {"Go", "a.go", ""},
		`{.go title="a.go"}`:                    {"Go", "a.go", ""},
		"{r}":                                   {"R", "", ""},
		"c++ {2}":                               {"C++", "", "2"},
		`title="notes" {1}`:                     {"", "notes", "1"},
		"go {0} {9-1} {99}":                     {"Go", "", ""},
		"go {a}":                                {"Go", "", ""},
		"nosuch {3}":                            {"", "", "3"},
		"":                                      {"", "", ""},
		`go title=""`:                           {"Go", "", ""},
	} {
		doc := mustRender(t, "```"+info+"\n1 /* a\n2 b */\n3 c\n```\n", markdown.Options{})
		q := mustQuery(t, doc)
		var marked []string
		q.Find("pre mark").Each(func(_ int, line *goquery.Selection) { marked = append(marked, line.Text()[:1]) })
		figure := q.Find("figure.code")
		if got := figure.AttrOr("data-language", ""); got != want.language {
			t.Errorf("%q: got the language %q, want %q", info, got, want.language)
		}
		if got := figure.Find("figcaption").Text(); got != want.title {
			t.Errorf("%q: got the title %q, want %q", info, got, want.title)
		}
		if got := strings.Join(marked, " "); got != want.marked {
			t.Errorf("%q: got the marked lines %q, want %q", info, got, want.marked)
		}
		if got, code := q.Find("pre").Text(), "1 /* a\n2 b */\n3 c\n"; got != code {
			t.Errorf("%q: got the code %q, want %q", info, got, code)
		}
		if name := q.Find("pre").AttrOr("aria-label", ""); want.title != "" && name != want.title {
			t.Errorf("%q: the block is named %q, want %q", info, name, want.title)
		}
	}
}
