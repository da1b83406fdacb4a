package frontmatter_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

// three are one file in each syntax.
func three() map[string]string {
	return map[string]string{
		"YAML": `---
title: "A: \"b\""
date: 2024-05-01T10:00:00+02:00
Draft: false
aliases: [/old/]
mine: {a: [1, two], b: yes}
taxonomies:
  tags: [go, "a, b"]
  categories: [Tech]
extra:
  nested: {x: 1}
---

Text.
`,
		"TOML": `+++
title = "A: \"b\""   # a comment
date = 2024-05-01T10:00:00+02:00
Draft = false
aliases = ["/old/"]
mine = { a = [1, "two"], b = "yes" }
[taxonomies]
tags = [
  "go",
  'a, b',
]
categories = ["Tech"]
[extra.nested]
x = 1
+++

Text.
`,
		"JSON": `{
  "title": "A: \"b\"",
  "date": "2024-05-01T10:00:00+02:00",
  "Draft": false,
  "aliases": ["/old/"],
  "mine": {"a": [1, "two"], "b": true},
  "taxonomies": {
    "tags": ["go", "a, b"],
    "categories": ["Tech"]
  },
  "extra": {"nested": {"x": 1}}
}

Text.
`,
	}
}

// TestFrontMatterIsAValue: what a file says does not depend on the syntax in which it says it, and
// one that was not edited comes back byte for byte.
func TestFrontMatterIsAValue(t *testing.T) {
	want := frontmatter.Fields{Title: `A: "b"`, Slug: "x", PublishedAt: at("2024-05-01T08:00:00Z"),
		Tags: []string{"go", "a, b", "Tech"}, Permalinks: []string{"/old"}, Body: "Text."}
	for name, text := range three() {
		for _, eol := range []string{"\n", "\r\n"} {
			for _, bom := range []string{"", "\ufeff"} {
				raw := bom + strings.ReplaceAll(text, "\n", eol)
				f := MustParse(t, "x.md", raw)
				if diff := cmp.Diff(want, f.Fields); diff != "" {
					t.Errorf("%s %q %q (-want +got):\n%s", name, eol, bom, diff)
				}
				var extra []string
				for _, e := range f.Extra {
					extra = append(extra, e.Key)
				}
				if diff := cmp.Diff([]string{"mine", "extra"}, extra); diff != "" {
					t.Fatalf("%s %q: keys that mean nothing here (-want +got):\n%s", name, eol, diff)
				}
				if got := f.Extra[0].Line; got != 6 {
					t.Errorf("%s %q: mine is in line %d, want 6", name, eol, got)
				}
				for field, want := range map[string]int{"title": 2, "published_at": 3, "permalinks": 5} {
					if got := f.LineOf(field); got != want {
						t.Errorf("%s %q: %s is in line %d, want %d", name, eol, field, got, want)
					}
				}
				if got := string(frontmatter.Render(&f, f.Fields)); got != raw {
					t.Errorf("%s: got\n%q\nwant\n%q", name, got, raw)
				}
			}
		}
	}
}

// TestAnEditStaysInItsSyntax: the file of an edited post is in the syntax that it was in, with the
// keys that mean nothing here.
func TestAnEditStaysInItsSyntax(t *testing.T) {
	for name, text := range three() {
		f := MustParse(t, "x.md", text)
		want := f.Fields
		want.Title, want.Tags, want.Draft, want.Pinned = "New \u2028\\ \"it\"", []string{"n"}, true, true
		got := string(frontmatter.Render(&f, want))
		mustSay(t, "x.md", got, want)
		first, _, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(got, first+"\n") {
			t.Errorf("%s: got\n%s\nwant %q at its start", name, got, first+"\n")
		}
		if !strings.HasSuffix(got, "\n\nText.\n") {
			t.Errorf("%s: got\n%s\nwant %q at its end", name, got, "\n\nText.\n")
		}
		again := MustParse(t, "x.md", got)
		if len(again.Extra) != 2 {
			t.Fatalf("%s: got %+v of\n%s\nwant 2 keys that mean nothing here", name, again.Extra, got)
		}
		for i, want := range f.Extra {
			if again.Extra[i].Text != want.Text {
				t.Errorf("%s: got %q, want %q", name, again.Extra[i].Text, want.Text)
			}
		}
	}
	const text = "---json\n{\"title\": \"a\", \"published\": false, \"mine\": 1}\n---\nb\n"
	f := MustParse(t, "x.md", text)
	want := f.Fields
	want.Draft = false
	got := string(frontmatter.Render(&f, want))
	const after = "---json\n{\n  \"title\": \"a\",\n  \"slug\": \"x\",\n  \"is_draft\": false,\n  \"mine\": 1\n}\n---\n" +
		"\nb\n"
	if got != after {
		t.Errorf("got\n%s\nwant\n%s", got, after)
	}
}

// TestPrivateInEachSyntax: a few of the words of TestWhatIsPrivateIsADraft.
func TestPrivateInEachSyntax(t *testing.T) {
	for _, text := range []string{
		"+++\ndate = 2024-01-01\ndraft = true\n+++\n", "+++\ndate = 2024-01-01\n[extra]\ndraft = true\n+++\n",
		"+++\ndate = 2024-01-01\n[build]\nrender = 'never'\n+++\n", "+++\ndate = 2024-01-01\nbuild.list = 'local'\n+++\n",
		"+++\ndate = 2024-01-01\nparams = { Private = true }\n+++\n", "+++\ndate = 2024-01-01\npassword = 'x'\n+++\n",
		"{\"date\": \"2024-01-01\", \"published\": false}\n", "{\"date\": \"2024-01-01\", \"published\": \"False\"}\n",
		"{\n\t\"date\": \"2024-01-01\",\n\t\"params\": {\"visibility\": \"members\"}\n}\n",
		"---toml\ndate = 2024-01-01\nhidden = true\n---\n", "---json\n{\"date\": \"2024-01-01\", \"draft\": 1}\n---\n",
		"--- yaml\ndate: 2024-01-01\nunlisted: true\n---\n",
	} {
		f, problems := frontmatter.Parse("x.md", []byte(text), nil)
		wantNoFailure(t, text, problems)
		if !f.Draft {
			t.Errorf("%q: got Draft %t, want true", text, f.Draft)
		}
		if f.PublishedAt == nil {
			t.Errorf("%q: got no date, want one", text)
		}
	}
	for text, line := range map[string]int{
		"+++\ndate = 2024-01-01\n\n[extra]\nstatus = 'ripe'\n+++\n":                            5,
		"{\n\"date\": \"2024-01-01\",\n\"params\": {\n  \"x\": 1,\n\"status\": \"ripe\"}\n}\n": 5,
	} {
		_, problems := frontmatter.Parse("x.md", []byte(text), nil)
		if len(problems) == 0 {
			t.Errorf("%q: got no problems, want one in line %d", text, line)
			continue
		}
		if first, last := problems[0].Line, problems[len(problems)-1].Line; first != line && last != line {
			t.Errorf("%q: got the first problem in line %d and the last in %d, want one in %d", text, first, last, line)
		}
	}
}
