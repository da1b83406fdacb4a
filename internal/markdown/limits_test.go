package markdown_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"

	"blog/internal/markdown"
)

// series returns what f writes for 0, 1, 2, ... until that has n bytes.
func series(n int, f func(b *strings.Builder, i int)) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		f(&b, i)
	}
	return b.String()[:n]
}

// pathological returns sources of up to n bytes for which a naive parser, or a stage after it,
// takes more than linear time.
func pathological(n int) map[string]string {
	all := pathologicalMarkdown(n)
	maps.Copy(all, pathologicalHTML(n))
	return all
}

// pathologicalMarkdown returns those of links, references, quotes, lists and emphasis.
func pathologicalMarkdown(n int) map[string]string {
	times := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"brackets":          times("["),
		"closing brackets":  times("]"),
		"links unclosed":    times("[a]("),
		"links in brackets": times("[a](<b"),
		"links in parens":   times("[a](b ("),
		"links with quotes": times("[a](b '"),
		"links nested":      strings.Repeat("[", n/6) + "a" + strings.Repeat("](b)", n/6),
		"images nested":     strings.Repeat("![", n/6) + "a" + strings.Repeat("](b)", n/6),
		"images":            times("![a](b.png)"),
		"images, different": series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "![](%d.png)", i) }),
		"references":        series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[%d]: x\n", i) }),
		"references apart":  series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[%d]: x\n\n[%d]\n\n", i, i) }),
		"references used":   "[a]: " + strings.Repeat("x", n/100) + "\n\n" + strings.Repeat("[a]", n/100),
		"full references":   times("[a][b]"),
		"parens":            "[a](" + strings.Repeat("(", n-4),
		"quotes":            times(">"),
		"quotes, again":     times(strings.Repeat(">", 100) + "a\n"),
		"quotes, deeper":    series(n, func(b *strings.Builder, i int) { b.WriteString(strings.Repeat("> ", i) + "a\n\n") }),
		"quote, lazy":       "> a\n" + strings.Repeat("a\n", n/2-2),
		"lists in a line":   times("- "),
		"numbers in a line": times("1. "),
		"lists, deeper": series(n, func(b *strings.Builder, i int) {
			b.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
		}),
		"items":              times("- a\n"),
		"tasks":              times("- [x] a\n"),
		"stars":              times("*"),
		"stars apart":        times("*a "),
		"stars mixed":        times("*a_ "),
		"stars, strong":      times("**a *b "),
		"stars, three":       times("a***"),
		"stars, then closed": strings.Repeat("a**b", n/5) + strings.Repeat("c* ", n/20),
		"tildes":             times("~~a ~b "),
		"tildes in a run":    "a " + times("~"),
		"stars, blocks":      times(strings.Repeat("**a *b ", 500) + "\n\n"),
		"references, long":   "[a]: " + strings.Repeat("x", n/4) + "\n\n" + strings.Repeat("[a] ", n/8),
		"images, long":       "[a]: " + strings.Repeat("x", n/4) + "\n\n" + strings.Repeat("![a] ", n/8),
		"titles, long":       "[a]: x '" + strings.Repeat("x", n/4) + "'\n\n" + strings.Repeat("[a] ", n/8),
		"ticks":              series(n, func(b *strings.Builder, i int) { b.WriteString(strings.Repeat("`", i+1) + "a") }),
	}
}

// pathologicalHTML returns those of raw HTML, footnotes, tables and code, and of single characters.
func pathologicalHTML(n int) map[string]string {
	times := func(s string) string { return strings.Repeat(s, n/len(s)) }
	cells := strings.Repeat("a|", 100)
	return map[string]string{
		"tags unclosed": times("<a "),
		"tags":          times("x<b>"),
		"tags, quotes":  times("x <a b=\""),
		"tags, different": series(n, func(b *strings.Builder, i int) {
			fmt.Fprintf(b, "<b title=%d>", i)
		}) + times("<p>x"),
		"tags and blocks":    strings.Repeat("<i lang=de><b lang=en>", 60) + times("<p>x"),
		"blocks":             times("<div>\n"),
		"blocks closed":      times("<div>\n\n</div></p>\n\n"),
		"tables nested":      times("<table><td>"),
		"table, parts":       times("<table><tr>x"),
		"comments":           times("<!-- "),
		"instructions":       times("a<?"),
		"declarations":       times("a<!A "),
		"footnotes":          series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[^%d]\n\n[^%d]: x\n\n", i, i) }),
		"footnote, often":    "[^1]: a\n\n" + strings.Repeat("[^1] ", n/5-2),
		"footnotes nested":   series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[^%d]: ", i) }),
		"footnotes unclosed": times("[^"),
		"table, short rows":  cells + "\n" + strings.Repeat("-|", 100) + "\n" + strings.Repeat("a\n", n/2-200),
		"tables":             times("a|b\n-|-\n"),
		"pipes":              times("|a\n"),
		"definitions":        times("a\n: b\n"),
		"definitions apart":  times("a\n: b\n\n"),
		"definitions, terms": times("a\n") + ": b",
		"definitions nested": times(": "),
		"definitions, deeper": series(n, func(b *strings.Builder, i int) {
			b.WriteString(strings.Repeat("  ", i) + "a\n" + strings.Repeat("  ", i) + ": b\n")
		}),
		"definition, parts":  "a\n" + times(": b\n"),
		"alerts":             times("> [!NOTE]\n> a\n\n"),
		"alerts nested":      times("> [!NOTE]\n> "),
		"alert, long":        "> [!NOTE]\n" + times("> a\n"),
		"alert, kind":        "> [!" + times("N") + "]\n> a",
		"emoji":              times(":tada:"),
		"emoji, none":        times(":a"),
		"emoji, long":        ":" + times("a"),
		"headings":           times("# a\n"),
		"headings, raw":      times("<h1>a"),
		"headings, ids":      times("# a {#a}\n"),
		"heading, braces":    "# " + times("{"),
		"heading, values":    "# " + times("{a=\"") + "}",
		"heading, names":     "# {" + times("#a ") + "}",
		"heading, fragments": "# a {#a}\n\n" + times("[](#A-1)"),
		"headings, numbered": series(n/2, func(b *strings.Builder, i int) { fmt.Fprintf(b, "# a {#a-%d}\n", i) }) +
			strings.Repeat("# a {#a}\n", n/20),
		"headings, numbers": series(n, func(b *strings.Builder, i int) {
			b.WriteString("# a {#a" + strings.Repeat("-2", i%100) + "}\n")
		}),
		"hashes":             "# " + strings.Repeat("#", n-2),
		"setext":             strings.Repeat("a\n", n/2-2) + "===",
		"addresses":          times("http://a.b "),
		"addresses, www":     times("www."),
		"mail":               times("a@"),
		"mail, dots":         times("a."),
		"mail, underscores":  times("a_") + "@b.c",
		"mail, no end":       times("a@b_"),
		"addresses, broken":  times("http://a"),
		"addresses, dots":    times("http://a.b" + strings.Repeat(".", 500)),
		"addresses, parens":  times("http://a.b/(("),
		"addresses, one":     "http://a.b/" + times("字"),
		"addresses, labels":  "http://" + times("a."),
		"addresses, trimmed": times("http://a.b/" + strings.Repeat("&a;", 300)),
		"addresses, linked":  "[" + times("http://a.b ") + "](/c)",
		"www, broken":        times("www.1 "),
		"www, no end":        times("_www.1"),
		"www, Chinese":       times("-字www.1"),
		"mail, hosts":        times("a@b.1"),
		"unknown elements":   "<div>\n" + times("<x>\n"),
		"unknown, inline":    times("a <x>\n"),
		"unknown, one tag":   "a <x" + times("\na") + ">",
		"sections":           times("a<![CDATA["),
		"colons":             times(":"),
		"colons, lines":      times(":\n"),
		"colons, empty":      "a\n" + times(": \n"),
		"definitions, lazy":  times("a\n: b\nc\n"),
		"definitions quoted": times("> a\n> : b\n"),
		"alerts defined":     times("a\n: > [!NOTE]\n  > b\n\n"),
		"alert, long title":  "> [!NOTE] " + times("a") + "\n> a",
		"players":            times("![](https://a.b/c.mp4)"),
		"players unclosed":   times("<video src=https://a.b/c.mp4>a"),
		"players closed":     times("<video src=https://a.b/c.mp4>a</video>"),
		"player, sources":    "<video src=" + strings.Repeat("a", n/2) + ">" + strings.Repeat("<source src=a>", n/28),
		"player, ends":       "<video src=https://a.b/c.mp4>" + times("<p>a</audio>") + "</video>",
		"paragraphs":         times("a\n\n"),
		"paragraphs, links":  times("http://a.b\n\n"),
		"quotation marks":    times("\"'"),
		"quotes, single":     "a " + times("'"),
		"quotes, double":     "a " + times("\""),
		"dashes":             "a " + times("-"),
		"dashes apart":       times("a --b "),
		"dots":               "a " + times("."),
		"angles":             "a " + times("<<a"),
		"angles closed":      "a " + times(">>"),
		"frequent words":     times("und der "),
		"ampersands":         times("&"),
		"entities":           times("&a"),
		"escapes":            times("\\"),
		"empty lines":        times("\n"),
		"spaces":             strings.Repeat(" ", n-1) + "a",
		"tabs":               times("a\t\n"),
		"fences":             times("```\n"),
		"fence, long title":  "```go title=\"" + times("a"),
		"fence, ranges":      "```go {" + times("1-9,") + "}\n" + "x",
		"fence, lines":       "```go {1-999999}\n" + times("a\n"),
		"fence, lines apart": "```go {1,3,5,7,9}\n" + times("/*\n"),
		"fence, long name":   "```" + strings.Repeat("a", n-3),
		"code blocks":        times("```go\nx\n```\n"),
		"code, unknown":      times("```a:b\nx\n```\n"),
		"code, all unknown":  series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "```a%d\nx\n```\n", i) }),
		"table, code":        "|a|\n|-|\n" + times("|`a\\|`|\n"),
		"table, one cell":    "|a|\n|-|\n|" + times("`\\|` "),
		"code, go":           "```go\n" + times("func f() { return `"),
		"code, html":         "```html\n" + times("<a <!-- "),
		"code, one token":    "```c\n" + times("/*"),
		"one word":           times("a"),
		"one word, Chinese":  times("字"),
		"lines, Chinese":     times("字\n"),
		"lines, shared":      times("“\n"),
		"lines, all shared":  times("字\n" + strings.Repeat("“", 500)),
		"stars, Chinese":     times("**字。**"),
		"marks":              "a" + times("\u0301"),
		"no direction":       times("> 1 "),
		"bytes":              times("\xff\x00"),
	}
}

var size = flag.Int("size", 100_000, "bytes of each pathological source in TestBounded")

// TestBounded renders pathological sources. It checks no durations, which would say more about the
// machine than about the code. With -size 1000000, which takes half a minute and is worth it after
// a change of the limits, a stage of more than linear time exceeds the time limit of go test.
func TestBounded(t *testing.T) {
	r := markdown.New(markdown.Words{})
	for name, source := range pathological(*size) {
		t.Run(name, func(t *testing.T) {
			source = source[:min(len(source), markdown.MaxSource)]
			doc, err := r.Render(source, markdown.Options{})
			if errors.Is(err, markdown.ErrTooComplex) {
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(doc.HTML) > 16<<20 {
				t.Errorf("got %d bytes of HTML, want at most %d", len(doc.HTML), 16<<20)
			}
		})
	}
}

// TestGrowth: a source twice as long takes about twice the memory. What is allocated is counted, because it
// is the same on every machine; a stage that copies what it has for each part of a source shows in it.
func TestGrowth(t *testing.T) {
	r := markdown.New(markdown.Words{})
	allocated := func(source string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := r.Render(source, markdown.Options{}); err != nil && !errors.Is(err, markdown.ErrTooComplex) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const small = 8 << 10
	one, two := pathological(small), pathological(2*small)
	for name := range one {
		a, b := allocated(one[name]), allocated(two[name])
		if most := 3*a + (2 << 20); b > most {
			t.Errorf("%s: got %d KB for %d bytes, want at most %d KB, as %d bytes take %d KB", name, b>>10, len(two[name]),
				most>>10, len(one[name]), a>>10)
		}
	}
}

// TestSmallPathological: what mustHold checks is true for small pathological sources.
func TestSmallPathological(t *testing.T) {
	r := markdown.New(markdown.Words{})
	for name, source := range pathological(3_000) {
		doc, err := r.Render(source, markdown.Options{})
		if errors.Is(err, markdown.ErrTooComplex) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mustHold(t, doc)
	}
}

func TestTooComplex(t *testing.T) {
	wide := strings.Repeat("a|", 5000) + "\n" + strings.Repeat("-|", 5000) + "\n" + strings.Repeat("a\n", 9000)
	for name, source := range map[string]string{
		"long":       strings.Repeat("a", markdown.MaxSource+1),
		"wide":       wide,
		"escaped":    "|`" + strings.Repeat(`\|`, 1500) + "`|\n|-|\n|`" + strings.Repeat(`\|`, 1500) + "`|",
		"references": "[a]: " + strings.Repeat("x", 10<<10) + "\n\n" + strings.Repeat("[a] ", 600),
	} {
		if _, err := markdown.New(markdown.Words{}).
			Render(source, markdown.Options{}); !errors.Is(err, markdown.ErrTooComplex) {
			t.Errorf("%s: got %v, want %v", name, err, markdown.ErrTooComplex)
		}
	}
}

// TestManySmallParagraphs asserts that a long text of short paragraphs stays small, and looks as it did.
func TestManySmallParagraphs(t *testing.T) {
	for name, c := range map[string]struct {
		source    string
		most      int
		direction string
	}{
		"paragraphs":  {strings.Repeat("a\n\n", 64<<10), 600 << 10, "ltr"},
		"items":       {strings.Repeat("- a\n", 48<<10), 600 << 10, "ltr"},
		"digits":      {strings.Repeat("1\n\n", 64<<10), 600 << 10, "ltr"},
		"from right":  {strings.Repeat("א\n\n", 48<<10), 600 << 10, "rtl"},
		"quotes":      {strings.Repeat("> a\n\n", 38<<10), 1400 << 10, "ltr"},
		"both":        {"א\n\n" + strings.Repeat("a\n\n", 20<<10), 600 << 10, "rtl"},
		"one of both": {strings.Repeat("a\n\n", 40<<10) + "א\n\n<p dir=\"ltr\">b</p>\n\n`א` c", 600 << 10, "ltr"},
	} {
		doc := mustRender(t, c.source, markdown.Options{})
		if len(doc.HTML) > c.most {
			t.Errorf("%s: got %d KB of HTML, want at most %d", name, len(doc.HTML)>>10, c.most>>10)
		}
		q := mustQuery(t, doc)
		if n := q.Find(`body > div[dir="` + c.direction + `"]`).Length(); n != 1 {
			t.Errorf("%s: %d parts have the direction %s, want 1, in %s", name, n, c.direction, clip(doc.HTML))
		}
		want := map[string]int{"both": 20 << 10, "one of both": 3}[name]
		if n := q.Find(`div p[dir]`).Length(); n != want {
			t.Errorf("%s: %d paragraphs have a direction, want %d", name, n, want)
		}
		if strings.Contains(doc.Excerpt, "\n") {
			t.Errorf("%s: got the excerpt %q, want one line", name, doc.Excerpt)
		}
		if doc.Excerpt == "" {
			t.Errorf("%s: got the excerpt %q, want some text", name, doc.Excerpt)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	const part = "## A part with `code`\n\nSome *prose* with a [link](https://example.org), a footnote[^1] and " +
		"\"quotes\", " +
		"long enough to look like what people write when they have something to say.\n\n" +
		"```go\nfunc add(a, b int) int {\n\treturn a + b // the sum\n}\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- one\n- " +
		"two\n\n"
	source := strings.Repeat(part, 20<<10/len(part)) + "[^1]: The note.\n"
	r := markdown.New(markdown.Words{})
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Render(source, markdown.Options{Prefix: "bench"}); err != nil {
			b.Fatal(err)
		}
	}
}
