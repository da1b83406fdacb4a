package frontmatter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need Europe/Berlin on every machine

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

func MustLoad(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}

func MustParse(tb testing.TB, name, text string) frontmatter.File {
	tb.Helper()
	f, problems := frontmatter.Parse(name, []byte(text), MustLoad(tb, "Europe/Berlin"))
	if frontmatter.Failed(problems) {
		tb.Fatalf("%v\n%s", problems, text)
	}
	return f
}

func at(s string) *time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	t = t.UTC()
	return &t
}

const full = `---
title: "Hello: a post"
slug: hello
published_at: 2024-05-01 10:30
is_draft: no
description: >
  Folded
  over lines
author: Ada
tags:
  - Go
  - SQLite
  - Go
layout: post   # theirs
permalinks: /old/hello
nested:
  a: [1, 2]

# a note
---

# Heading

Text
---
more
`

func TestParseReadsEveryField(t *testing.T) {
	f, problems := frontmatter.Parse("posts/x.md", []byte(full), MustLoad(t, "Europe/Berlin"))
	wantNoFailure(t, "the file", problems)
	if len(problems) != 2 {
		t.Errorf("got the problems %v, want 2", problems)
	}
	want := frontmatter.Fields{Title: "Hello: a post", Slug: "hello", Description: "Folded over lines", Author: "Ada",
		PublishedAt: at("2024-05-01T08:30:00Z"), Tags: []string{"Go", "SQLite"}, Permalinks: []string{"/old/hello"},
		Body: "# Heading\n\nText\n---\nmore"}
	if diff := cmp.Diff(want, f.Fields); diff != "" {
		t.Errorf("the fields (-want +got):\n%s", diff)
	}
	has := map[string]bool{"title": f.HasTitle, "slug": f.HasSlug, "date": f.HasDate, "draft": f.HasDraft}
	if diff := cmp.Diff(map[string]bool{"title": true, "slug": true, "date": true, "draft": true}, has); diff != "" {
		t.Errorf("what the file gives (-want +got):\n%s", diff)
	}
	if got := string(f.Raw); got != full {
		t.Errorf("got the file %q, want %q", got, full)
	}
	extra := []frontmatter.Extra{
		{Key: "layout", Text: "layout: post   # theirs", Line: 14}, {Key: "nested", Text: "nested:\n  a: [1, 2]", Line: 16},
	}
	if diff := cmp.Diff(extra, f.Extra); diff != "" {
		t.Errorf("what the blog does not know (-want +got):\n%s", diff)
	}
}

func TestWhatIsLeftOutFollowsFromNameAndHeading(t *testing.T) {
	for _, c := range []struct{ name, text, title, slug string }{
		{"a/2024-01-02-my-first_post.md", "text", "My first post", "my-first-post"},
		{"posts/hello-world/index.md", "", "Hello world", "hello-world"},
		{"index.md", "", "Index", "index"},
		{"Grüße aus Köln.markdown", "", "Grüße aus Köln", "grüße-aus-köln"},
		{"x.md", "```\n# no\n```\n\n#nor this\n\n# The `real` *one* [here](/x) ##\n", "The real one here", "x"},
		{"x.md", "---\ntitle:\nslug: \"\"\ntags:\n---\n# Heading", "Heading", "x"},
		{"x.md", "---\ntitle: ~\n---\ntext", "X", "x"},
		{"x.md", "---\n---\n", "X", "x"},
		{"x.md", "---\n# only a comment\n...\ntext", "X", "x"},
		{"x.md", "", "X", "x"},
		{"日本.md", "", "日本", "日本"},
		{"It's ½ done!.md", "", "It's ½ done!", "its-½-done"},
	} {
		f := MustParse(t, c.name, c.text)
		if f.Title != c.title {
			t.Errorf("%s: got the title %q, want %q", c.name, f.Title, c.title)
		}
		if f.Slug != c.slug {
			t.Errorf("%s: got the slug %q, want %q", c.name, f.Slug, c.slug)
		}
		if f.HasTitle {
			t.Errorf("%s: got HasTitle %t, want false", c.name, f.HasTitle)
		}
		if f.HasSlug {
			t.Errorf("%s: got HasSlug %t, want false", c.name, f.HasSlug)
		}
		if f.Tags != nil {
			t.Errorf("%s: got the tags %q, want nil", c.name, f.Tags)
		}
		if !f.Draft {
			t.Errorf("%s: got Draft %t, want true", c.name, f.Draft)
		}
	}
}

func TestPinned(t *testing.T) {
	for front, want := range map[string]bool{
		"title: a": false, "pinned: true": true, "pinned: Yes": true, "pinned: off": false, "pinned:": false,
	} {
		if f := MustParse(t, "x.md", "---\n"+front+"\n---\n"); f.Pinned != want {
			t.Errorf("%s: got Pinned %t, want %t", front, f.Pinned, want)
		}
	}
}

func TestDraftAndDate(t *testing.T) {
	for _, c := range []struct {
		front       string
		draft, date bool
	}{
		{"", true, false},
		{"is_draft: false", false, false},
		{"is_draft: true", true, false},
		{"published_at: 2024-01-01", false, true},
		{"date: 2024-01-01", false, true},
		{"date: 2024-01-01\ndraft: true", true, true},
		{"is_draft: \"yes\"\npublished_at: 2024-01-01", true, true},
		{"is_draft: No\npublished_at:", false, false},
		{"draft: off", false, false},
		{"is_draft:", true, false},
		{"date: 2024-01-01\npublished_at: 2024-01-01", false, true},
		{"date: 2024-01-01\npublished_at:", false, true},
	} {
		f := MustParse(t, "x.md", "---\n"+c.front+"\n---\n")
		if f.Draft != c.draft {
			t.Errorf("%q: got Draft %t, want %t", c.front, f.Draft, c.draft)
		}
		if got := f.PublishedAt != nil; got != c.date {
			t.Errorf("%q: got the date %v, want one: %t", c.front, f.PublishedAt, c.date)
		}
	}
}

func TestLists(t *testing.T) {
	for in, want := range map[string][]string{
		"tags: go":                         {"go"},
		"tags: go, sqlite ,, go":           {"go", "sqlite"},
		"tags: [go, \"a, b\", 2024, true]": {"go", "a, b", "2024", "true"},
		"tags:\n- go\n- ''\n-\n- c++":      {"go", "c++"},
		"tags: []":                         nil,
		"a: &x [p, q]\ntags: *x":           {"p", "q"},
		"tags: 2024":                       {"2024"},
	} {
		if diff := cmp.Diff(want, MustParse(t, "x.md", "---\n"+in+"\n---\n").Tags); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func TestLineEndsAndMarksDoNotMatter(t *testing.T) {
	want := MustParse(t, "x.md", full)
	for _, eol := range []string{"\r\n", "\r"} {
		for _, bom := range []string{"", "\ufeff"} {
			f, problems := frontmatter.Parse("x.md", []byte(bom+strings.ReplaceAll(full, "\n", eol)),
				MustLoad(t, "Europe/Berlin"))
			if diff := cmp.Diff(want.Fields, f.Fields); diff != "" {
				t.Errorf("%q %q: the fields (-want +got):\n%s%v", bom, eol, diff, problems)
			}
			if diff := cmp.Diff(want.Extra, f.Extra); diff != "" {
				t.Errorf("%q %q: what the blog does not know (-want +got):\n%s%v", bom, eol, diff, problems)
			}
		}
	}
}

func TestProblemsNameTheLineAndTheCure(t *testing.T) {
	for _, c := range []struct {
		text      string
		line      int
		says, fix string
	}{
		{"---\ntitle: a\nslug: b\n\nBody text: long\n", 1, "never closed", "after line 3"},
		{"---\ntitle: a\n----\nBody\n", 1, "never closed", "exactly --- in line 3"},
		{"---\ntitle: a\nslug: \"b\nis_draft: true\n---\n", 3, "never closed", `write slug: "b"`},
		{"---\ntitle: Go: the language\n---\n", 2, "colon", `write title: "Go: the language"`},
		{"---\nslug: x\ntitle: \"So\" he said\n---\n", 3, "behind the closing quote", `write title: '"So" he said'`},
		{"---\ntitle: [Draft] Plans\n---\n", 2, "bracket", `write title: "[Draft] Plans"`},
		{"---\ntitle: @home\n---\n", 2, "cannot begin with @", `"@home"`},
		{"---\ntitle: *bold* move\n---\n", 2, "cannot begin with *", `"*bold* move"`},
		{"---\ntitle: `x`\n---\n", 2, "cannot begin with `", "\"`x`\""},
		{"---\ntitle: !wow\n---\n", 2, "type", `"!wow"`},
		{"---\ntitle: a\ntags:\n\t- go\n---\n", 4, "tab", "  - go"},
		{"---\ntitle: a\ntags:\n  - go\n  - \"sqlite\n  - c\n---\n", 6 - 1, "never closed", `- "sqlite"`},
		{"---\ntitle: a\nsome words\nslug: x\n---\n", 3, "no key", "key: value"},
		{"---\ntitle:Hello\n---\n", 2, "no space after the colon", "write title: Hello"},
		{"---\ntags: [a, b\nslug: x\n---\n", 2, "bracket", "[a, b]"},
		{"---\ntitle: a\nslug: b\ntitle: c\n---\n", 4, "given twice, first in line 2", "keep one"},
		{"---\ntitle: [a, b]\n---\n", 2, "a list", "quotes"},
		{"---\ntitle: {a: b}\n---\n", 2, "a mapping", "quotes"},
		{"---\ntags:\n  a: b\n---\n", 2, "must be a list", "[one, two]"},
		{"---\ntags:\n  - a\n  - b: c\n---\n", 4, "one text", "quote"},
		{"---\nis_draft: maybe\n---\n", 2, "neither yes nor no", "is_draft: true"},
		{"---\npinned: 3\n---\n", 2, "neither yes nor no", "pinned: true"},
		{"---\npublished_at: 01/02/2024\n---\n", 2, "two days", "2024-02-01 (1 February) or 2024-01-02 (2 January)"},
		{"---\ndate: 2024-01-01\npublished_at: 2024-01-02\n---\n", 3, "date in line 2 says", "remove one"},
		{"---\nis_draft: true\ndraft: false\n---\n", 3, "is_draft in line 2 says", "remove one"},
		{"---\n- a\n- b\n---\n", 2, "no list of keys", "title: My post"},
		{"+++\ntitle = 'a'\nslug = b\n+++\n", 3, "TOML", `key = "value"`},
		{"+++\ntitle = 'a'\nslug = 'b'\ntitle = 'c'\n+++\n", 4, "TOML", "key"},
		{"+++\ntitle = 'a'\n\ntext\n", 1, "never closed", "write a line +++ after line 2"},
		{"{\n\"title\": \"a\",\n}\ntext", 2, "JSON", "commas"},
		{"{\"title\": \"a\"\ntext", 2, "JSON", "commas"},
		{"{\"title\": \"a\"} text", 1, "behind the object", "begin a line"},
		{"{\n\"title\": \"a\",\n\"title\": \"b\"\n}\n", 3, "JSON", "commas"},
		{"---json\n[1]\n---\n", 2, "no object", "title"},
		{"---js\nmodule.exports = {}\n---\n", 1, "programming language", "YAML"},
		{"---\ntitle: a\xff\n---\n", 2, "UTF-8", "Latin-1"},
		{"---\ntitle: a\n---\n\n\nbody \x00\n", 6, "NUL", "UTF-16"},
		{"---\ntitle: a\u2028b\n---\n", 2, "U+2028", "delete"},
		{"---\nslug: a\ntitle: a\x07b\n---\n", 3, "U+0007", "delete"},
		{"---\ntitle: a\n--- b\nslug: c\n---\n", 3, "", ""},
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			_, problems := frontmatter.Parse("p/x.md", []byte(strings.ReplaceAll(c.text, "\n", eol)), nil)
			var first frontmatter.Problem
			for _, p := range problems {
				if !p.Warning {
					first = p
					break
				}
			}
			if first.Line != c.line {
				t.Errorf("%q: got line %d, want %d, in %v", c.text, first.Line, c.line, first)
			}
			if !strings.Contains(first.Message, c.says) {
				t.Errorf("%q: got the message %q, want %q in it", c.text, first.Message, c.says)
			}
			if !strings.Contains(first.Hint, c.fix) {
				t.Errorf("%q: got the hint %q, want %q in it", c.text, first.Hint, c.fix)
			}
			if want := fmt.Sprintf("p/x.md:%d: ", c.line); !strings.HasPrefix(first.Error(), want) {
				t.Errorf("%q: got %q, want %q at its start", c.text, first.Error(), want)
			}
		}
	}
}

func TestLinesOfFields(t *testing.T) {
	f, problems := frontmatter.Parse("a.md",
		[]byte("---\r\nmood: calm\r\ntitle: A\r\ntags:\r\n  - x\r\ndate: 2024-05-01\r\n---\r\n\r\nText.\r\n![x](y.png)\r\n"),
		nil)
	if frontmatter.Failed(problems) {
		t.Fatal(problems)
	}
	for key, want := range map[string]int{
		"title": 3, "tags": 4, "published_at": 6, "date": 6, "slug": 1, "mood": 1, "": 1, "body": 9,
	} {
		if got := f.LineOf(key); got != want {
			t.Errorf("%s: line %d, want %d", key, got, want)
		}
	}
	for part, want := range map[string]int{"y.png": 10, "nowhere": 9, "": 9} {
		if got := f.LineWith(part); got != want {
			t.Errorf("%s: line %d, want %d", part, got, want)
		}
	}
	f, _ = frontmatter.Parse("x.md", []byte("---\ntitle: T\n---\n![](banana.png)\n![](my%20pic.png) ![](../na.png)\n"+
		"![](na.png) 100%\n<img src=\"a&amp;b.png\">\n![](%c3%BC.png)\n![](up%)"), nil)
	for part, want := range map[string]int{
		"na.png": 6, "my pic.png": 5, "a&b.png": 7, "\u00fc.png": 8, "up%": 9, "anana.png": 4, "../na.png": 5,
	} {
		if got := f.LineWith(part); got != want {
			t.Errorf("%s: line %d, want %d", part, got, want)
		}
	}
	f.Translated("new\ntext", func(n int) int { return 2 * n })
	if got := f.BodyLine(2); got != 7 {
		t.Errorf("got line %d, want 7", got)
	}
	if f.Body != "new\ntext" {
		t.Errorf("got the text %q, want %q", f.Body, "new\ntext")
	}
	if got := (frontmatter.File{}).LineWith("x"); got != 1 {
		t.Errorf("no file: got line %d, want 1", got)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		says       string
	}{
		{"x.md", "---\ntitle: a\nsubtitle: b\n---\n", 3, "write description"},
		{"x.md", "---\nKeywords: b\n---\n", 2, "write tags"},
		{"x.md", "---\ntags: #go\n---\n", 2, "comment"},
		{"x.md", "\n---\ntitle: a\n---\n", 2, "does not start in line 1"},
		{"2024-03-04-x.md", "text", 1, "write published_at: 2024-03-04"},
	} {
		_, problems := frontmatter.Parse(c.name, []byte(c.text), nil)
		if len(problems) != 1 {
			t.Errorf("%q: got the problems %v, want one", c.text, problems)
			continue
		}
		if p := problems[0]; !p.Warning {
			t.Errorf("%q: got %+v, want a warning", c.text, p)
		}
		if got := problems[0].Line; got != c.line {
			t.Errorf("%q: got line %d, want %d", c.text, got, c.line)
		}
		if got := problems[0].Error(); !strings.Contains(got, c.says) {
			t.Errorf("%q: got %q, want %q in it", c.text, got, c.says)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"file":  strings.Repeat("x", frontmatter.MaxSize+1),
		"front": "---\na: " + strings.Repeat("x", 70<<10) + "\n---\n",
		"list":  "---\ntags: [" + strings.Repeat("a,", 300) + "]\n---\n",
		"texts": "---\ntags: " + strings.Repeat("a,", 300) + "\n---\n",
	} {
		if _, problems := frontmatter.Parse("x.md", []byte(text), nil); !frontmatter.Failed(problems) {
			t.Errorf("%s: got the problems %v, want a failure", name, problems)
		}
	}
	// References that would expand to a billion texts are not expanded.
	bomb := "---\na: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	if _, problems := frontmatter.Parse("x.md", []byte(bomb+"tags: *j\n---\n"), nil); !frontmatter.Failed(problems) {
		t.Errorf("a list of lists as tags: got the problems %v, want a failure", problems)
	}
	if _, problems := frontmatter.Parse("x.md", []byte("---\ntags: &a [*a]\n---\n"), nil); !frontmatter.Failed(problems) {
		t.Errorf("a list that holds itself: got the problems %v, want a failure", problems)
	}
}
