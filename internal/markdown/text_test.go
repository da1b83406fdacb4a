package markdown_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"blog/internal/markdown"
)

func TestReadingMinutes(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   int
	}{
		"nothing":         {"", 1},
		"one word":        {"word", 1},
		"260 words":       {strings.Repeat("word ", 260), 1},
		"261 words":       {strings.Repeat("word ", 261), 2},
		"2600 words":      {strings.Repeat("it's ", 2600), 10},
		"500 characters":  {strings.Repeat("字", 500), 1},
		"5000 characters": {strings.Repeat("字。", 5000), 10},
		"both":            {strings.Repeat("word 字字 ", 260), 3},
		"Thai":            {strings.Repeat("สวัสดี", 1000), 5},
		"punctuation":     {strings.Repeat("— ", 5000), 1},
	} {
		if got := mustRender(t, c.source, markdown.Options{}).ReadingMinutes; got != c.want {
			t.Errorf("%s: %d minutes, want %d", name, got, c.want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("word ", 41) + "end. "
	for name, c := range map[string]struct{ source, want string }{
		"short":           {"# Title\n\nOne.\n\nTwo.", "One. Two."},
		"not code":        {"```\ncode\n```\n\nText[^1].\n\n[^1]: Note.", "Text."},
		"only a list":     {"# T\n\n- one\n- two", "one two"},
		"only a picture":  {"![a cat](cat.png)", "a cat"},
		"sentence":        {long + long, strings.Repeat("word ", 41) + "end."},
		"word":            {strings.Repeat("words ", 100), strings.TrimSpace(strings.Repeat("words ", 46)) + "…"},
		"one long word":   {strings.Repeat("a", 400), strings.Repeat("a", 279) + "…"},
		"Chinese":         {strings.Repeat("字", 400), strings.Repeat("字", 279) + "…"},
		"Chinese, a stop": {strings.Repeat("字", 220) + "。" + strings.Repeat("字", 99), strings.Repeat("字", 220) + "。"},
		"family":          {strings.Repeat("👨‍👩‍👧", 100), strings.Repeat("👨‍👩‍👧", 55) + "…"},
		"flags":           {"x" + strings.Repeat("🇩🇪", 200), "x" + strings.Repeat("🇩🇪", 139) + "…"},
		"marks":           {strings.Repeat("e\u0301\u0302", 200), strings.Repeat("e\u0301\u0302", 93) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustRender(t, c.source, markdown.Options{}).Excerpt
			if got != c.want {
				t.Errorf("got %q (%d), want %q", got, utf8.RuneCountInString(got), c.want)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	source := "# A *title*\n\nText with `code`, ![a picture](x.png) and a note[^1].\n\n```go\nfunc main() " +
		"{}\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n[^1]: The note."
	want := "A title\nText with code, a picture and a note.\nfunc main() {}\na b\n1 2\nThe note."
	if got := mustRender(t, source, markdown.Options{}).Plain; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestWords: what is read out can be in the reader's language.
func TestWords(t *testing.T) {
	doc, err := markdown.New(markdown.Words{Code: `"Code" & <b>`, Done: "Erledigt"}).
		Render("- [x] a\n\n      code\n", markdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, doc)
	q := mustQuery(t, doc)
	if n := q.Find(`input[aria-label="Erledigt"]`).Length(); n != 1 {
		t.Errorf("got %d boxes that are named Erledigt, want 1, in %s", n, doc.HTML)
	}
	if got, want := q.Find("pre").AttrOr("aria-label", ""), `"Code" & <b>`; got != want {
		t.Errorf("the block is named %q, want %q", got, want)
	}
}

// TestConcurrent: one renderer can be used by many goroutines.
func TestConcurrent(t *testing.T) {
	r := markdown.New(markdown.Words{})
	source := "# a\n\n```go\nfunc f() {}\n```\n\n- [ ] x[^1]\n\n[^1]: y <b id=x>z</b>\n"
	want, err := r.Render(source, markdown.Options{Prefix: "p"})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	for range 8 {
		go func() {
			doc, err := r.Render(source, markdown.Options{Prefix: "p"})
			if err != nil {
				doc.HTML = err.Error()
			}
			got <- doc.HTML
		}()
	}
	for range 8 {
		if html := <-got; html != want.HTML {
			t.Errorf("got %q, want %q", html, want.HTML)
		}
	}
}
