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
				if len(f.Extra) != 2 || f.Extra[0].Key != "mine" || f.Extra[0].Line != 6 || f.Extra[1].Key != "extra" {
					t.Errorf("%s %q: %+v", name, eol, f.Extra)
				}
				if f.LineOf("title") != 2 || f.LineOf("published_at") != 3 || f.LineOf("permalinks") != 5 {
					t.Errorf("%s: lines %d %d %d", name, f.LineOf("title"), f.LineOf("published_at"), f.LineOf("permalinks"))
				}
				if got := string(frontmatter.Render(&f, f.Fields)); got != raw {
					t.Errorf("%s: became\n%q", name, got)
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
		if !strings.HasPrefix(got, first+"\n") || !strings.HasSuffix(got, "\n\nText.\n") {
			t.Errorf("%s: %s", name, got)
		}
		again := MustParse(t, "x.md", got)
		if len(again.Extra) != 2 || again.Extra[0].Text != f.Extra[0].Text || again.Extra[1].Text != f.Extra[1].Text {
			t.Errorf("%s: %+v\n%s", name, again.Extra, got)
		}
	}
	const text = "---json\n{\"title\": \"a\", \"published\": false, \"mine\": 1}\n---\nb\n"
	f := MustParse(t, "x.md", text)
	want := f.Fields
	want.Draft = false
	if got := string(frontmatter.Render(&f, want)); got !=
		"---json\n{\n  \"title\": \"a\",\n  \"slug\": \"x\",\n  \"is_draft\": false,\n  \"mine\": 1\n}\n---\n\nb\n" {
		t.Errorf("%s", got)
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
		if frontmatter.Failed(problems) || !f.Draft || f.PublishedAt == nil {
			t.Errorf("%q: draft %t, %v, %v", text, f.Draft, f.PublishedAt, problems)
		}
	}
	for text, line := range map[string]int{
		"+++\ndate = 2024-01-01\n\n[extra]\nstatus = 'ripe'\n+++\n":                            5,
		"{\n\"date\": \"2024-01-01\",\n\"params\": {\n  \"x\": 1,\n\"status\": \"ripe\"}\n}\n": 5,
	} {
		_, problems := frontmatter.Parse("x.md", []byte(text), nil)
		if len(problems) == 0 || problems[len(problems)-1].Line != line && problems[0].Line != line {
			t.Errorf("%q: %v", text, problems)
		}
	}
}
