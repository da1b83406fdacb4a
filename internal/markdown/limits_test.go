package markdown_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"blog/internal/markdown"
)

// series returns what f writes for 0, 1, 2, ... until it is n bytes long.
func series(n int, f func(b *strings.Builder, i int)) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		f(&b, i)
	}
	return b.String()[:n]
}

// pathological returns sources of up to n bytes that take a naive parser, or
// one of the stages after it, more than linear time.
func pathological(n int) map[string]string {
	times := func(s string) string { return strings.Repeat(s, n/len(s)) }
	cells := strings.Repeat("a|", 100)
	return map[string]string{
		"brackets":           times("["),
		"closing brackets":   times("]"),
		"links unclosed":     times("[a]("),
		"links in brackets":  times("[a](<b"),
		"links in parens":    times("[a](b ("),
		"links with quotes":  times("[a](b '"),
		"links nested":       strings.Repeat("[", n/6) + "a" + strings.Repeat("](b)", n/6),
		"images nested":      strings.Repeat("![", n/6) + "a" + strings.Repeat("](b)", n/6),
		"images":             times("![a](b.png)"),
		"images, different":  series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "![](%d.png)", i) }),
		"references":         series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[%d]: x\n", i) }),
		"references apart":   series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "[%d]: x\n\n[%d]\n\n", i, i) }),
		"references used":    "[a]: " + strings.Repeat("x", n/100) + "\n\n" + strings.Repeat("[a]", n/100),
		"full references":    times("[a][b]"),
		"parens":             "[a](" + strings.Repeat("(", n-4),
		"quotes":             times(">"),
		"quotes, again":      times(strings.Repeat(">", 100) + "a\n"),
		"quotes, deeper":     series(n, func(b *strings.Builder, i int) { b.WriteString(strings.Repeat("> ", i) + "a\n\n") }),
		"quote, lazy":        "> a\n" + strings.Repeat("a\n", n/2-2),
		"lists in a line":    times("- "),
		"numbers in a line":  times("1. "),
		"lists, deeper":      series(n, func(b *strings.Builder, i int) { b.WriteString(strings.Repeat(" ", 2*i) + "- a\n") }),
		"items":              times("- a\n"),
		"tasks":              times("- [x] a\n"),
		"stars":              times("*"),
		"stars apart":        times("*a "),
		"stars mixed":        times("*a_ "),
		"stars, strong":      times("**a *b "),
		"stars, three":       times("a***"),
		"stars, then closed": strings.Repeat("a**b", n/5) + strings.Repeat("c* ", n/20),
		"tildes":             times("~~a ~b "),
		"ticks":              series(n, func(b *strings.Builder, i int) { b.WriteString(strings.Repeat("`", i+1) + "a") }),
		"tags unclosed":      times("<a "),
		"tags":               times("x<b>"),
		"tags, quotes":       times("x <a b=\""),
		"tags, different":    series(n, func(b *strings.Builder, i int) { fmt.Fprintf(b, "<b title=%d>", i) }) + times("<p>x"),
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
		"headings":           times("# a\n"),
		"headings, raw":      times("<h1>a"),
		"hashes":             "# " + strings.Repeat("#", n-2),
		"setext":             strings.Repeat("a\n", n/2-2) + "===",
		"addresses":          times("http://a.b "),
		"addresses, www":     times("www."),
		"mail":               times("a@"),
		"mail, dots":         times("a."),
		"quotation marks":    times("\"'"),
		"ampersands":         times("&"),
		"entities":           times("&a"),
		"escapes":            times("\\"),
		"empty lines":        times("\n"),
		"spaces":             strings.Repeat(" ", n-1) + "a",
		"tabs":               times("a\t\n"),
		"fences":             times("```\n"),
		"fence, long name":   "```" + strings.Repeat("a", n-3),
		"code blocks":        times("```go\nx\n```\n"),
		"code, go":           "```go\n" + times("func f() { return `"),
		"code, html":         "```html\n" + times("<a <!-- "),
		"code, one token":    "```c\n" + times("/*"),
		"one word":           times("a"),
		"one word, Chinese":  times("字"),
		"marks":              "a" + times("\u0301"),
		"no direction":       times("> 1 "),
		"bytes":              times("\xff\x00"),
	}
}

var size = flag.Int("size", 100_000, "bytes of each pathological source in TestBounded")

// TestBounded renders pathological sources. Seconds would say more about the
// machine than about the code, so it asserts none: with -size 1000000, which
// to run is worth its half a minute after a change of the limits, a stage that
// is more than linear runs into the time limit of go test.
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
				t.Errorf("%d bytes of HTML", len(doc.HTML))
			}
		})
	}
}

// TestSmallPathological asserts the same of what can be checked wholly.
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
		"long": strings.Repeat("a", markdown.MaxSource+1),
		"wide": wide,
	} {
		if _, err := markdown.New(markdown.Words{}).Render(source, markdown.Options{}); !errors.Is(err, markdown.ErrTooComplex) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	const part = "## A part with `code`\n\nSome *prose* with a [link](https://example.org), a footnote[^1] and \"quotes\", " +
		"long enough to look like what people write when they have something to say.\n\n" +
		"```go\nfunc add(a, b int) int {\n\treturn a + b // the sum\n}\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- one\n- two\n\n"
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
