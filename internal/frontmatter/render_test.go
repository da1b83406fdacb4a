package frontmatter_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

func TestRenderGivesTheSameBytesWhereNothingWasEdited(t *testing.T) {
	for _, text := range []string{full, "", "text", "\ufeff" + strings.ReplaceAll(full, "\n", "\r\n"), "---\n---",
		"---\ntitle: a\n---", "\n\n  code\n\n\n",
		"---\n  title: a\n  slug: b\n---\n\n\nbody  \n\n", "---\n{title: a, x: [1]}\n---\nb", "---\nis_draft: false\n---\n"} {
		f := MustParse(t, "x.md", text)
		if got := frontmatter.Render(&f, f.Fields); string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

func TestRenderChangesOnlyWhatChanged(t *testing.T) {
	rendersEdits(t, []edit{
		{"title", full, func(f *frontmatter.Fields) { f.Title = "Next: \"it\"" },
			strings.Replace(full, `title: "Hello: a post"`, `title: "Next: \"it\""`, 1)},
		{"folded text", full, func(f *frontmatter.Fields) { f.Description = "Short" },
			strings.Replace(full, "description: >\n  Folded\n  over lines\n", "description: Short\n", 1)},
		{"list keeps its form", full, func(f *frontmatter.Fields) { f.Tags = []string{"C: x"} },
			strings.Replace(full, "  - Go\n  - SQLite\n  - Go\n", "  - \"C: x\"\n", 1)},
		{"list emptied", full, func(f *frontmatter.Fields) { f.Tags = nil },
			strings.Replace(full, "tags:\n  - Go\n  - SQLite\n  - Go\n", "", 1)},
		{"body", full, func(f *frontmatter.Fields) { f.Body = "New\n" },
			full[:strings.Index(full, "# Heading")] + "New\n"},
		{"body with crlf", "---\r\ntitle: a\r\n---\r\n\r\nold\r\n\r\n", func(f *frontmatter.Fields) { f.Body = "a\nb" },
			"---\r\ntitle: a\r\n---\r\n\r\na\r\nb\r\n\r\n"},
		{"body where there was none", "---\ntitle: a\n---", func(f *frontmatter.Fields) {
			f.Body = "b"
		}, "---\ntitle: a\n---\n\nb\n"},
		{"comment stays", "---\ntitle: a # why\nslug: b\n---\n", func(f *frontmatter.Fields) {
			f.Title = "c"
		}, "---\ntitle: c # why\nslug: b\n---\n"},
	})
}

// TestRenderState: a change of state, pin or date changes the one line that says it, or adds it.
func TestRenderState(t *testing.T) {
	rendersEdits(t, []edit{
		{"publish", "---\ntitle: a\n\n# end\n---\nb", func(f *frontmatter.Fields) {
			f.Draft, f.PublishedAt = false, at("2024-05-01T10:00:00Z")
		},
			"---\ntitle: a\n\n# end\npublished_at: 2024-05-01T10:00:00Z\n---\nb"},
		{"unpublish", "---\ndate: 2024-05-01\n---\nb", func(f *frontmatter.Fields) {
			f.Draft = true
		}, "---\ndate: 2024-05-01\nis_draft: true\n---\nb"},
		{"pin", "---\ntitle: a\n---\nb", func(f *frontmatter.Fields) { f.Pinned = true },
			"---\ntitle: a\npinned: true\n---\nb"},
		{"unpin", "---\ntitle: a\npinned: yes\nslug: b\n---\n", func(f *frontmatter.Fields) { f.Pinned = false },
			"---\ntitle: a\nslug: b\n---\n"},
		{"pin where the file says no", "---\npinned: no # not yet\n---\nb", func(f *frontmatter.Fields) { f.Pinned = true },
			"---\npinned: true # not yet\n---\nb"},
		{"another day", "---\ndate: 2024-05-01\n---\nb", func(f *frontmatter.Fields) {
			f.PublishedAt = at("2024-05-01T22:00:00Z")
		}, "---\ndate: 2024-05-02\n---\nb"},
	})
}

// TestRenderOtherForms: files whose front matter has another form than a key a line, or none.
func TestRenderOtherForms(t *testing.T) {
	rendersEdits(t, []edit{
		{"no front matter", "# A\n\ntext", func(f *frontmatter.Fields) {
			f.Tags = []string{"x"}
		}, "---\ntags: [x]\n---\n\n# A\n\ntext"},
		{"body only", "\n# A\n\ntext", func(f *frontmatter.Fields) { f.Body = "# A\n\nmore" }, "\n# A\n\nmore"},
		{"title came from the heading", "# A\n\ntext\n", func(f *frontmatter.Fields) {
			f.Body = "# B"
		}, "---\ntitle: A\n---\n\n# B\n"},
		{"body that looks like front matter", "text", func(f *frontmatter.Fields) { f.Body = "---\nslug: q\n---\nx" },
			"---\nslug: x\n---\n\n---\nslug: q\n---\nx"},
		{"flow", "---\n{title: a, mine: [1, 2]}\n---\nb\n", func(f *frontmatter.Fields) { f.Title = "c" },
			"---\ntitle: c\nslug: x\nmine: [1, 2]\n---\n\nb\n"},
		{"indented", "---\n  title: a\n  mine: 1\n---\n", func(f *frontmatter.Fields) {
			f.Title, f.Author = "c", "d"
		}, "---\n  title: c\n  mine: 1\n  author: d\n---\n"},
		{"anchor", "---\ntitle: &t a\nmine: *t\n---\n", func(f *frontmatter.Fields) {
			f.Title = "c"
		}, "---\ntitle: &t c\nmine: *t\n---\n"},
	})
}

// edit is a change of a file's fields, and the file after it.
type edit struct {
	name, before string
	edit         func(*frontmatter.Fields)
	after        string
}

func rendersEdits(t *testing.T, edits []edit) {
	t.Helper()
	for _, c := range edits {
		t.Run(c.name, func(t *testing.T) {
			f := MustParse(t, "x.md", c.before)
			want := f.Fields
			c.edit(&want)
			got := string(frontmatter.Render(&f, want))
			if got != c.after {
				t.Errorf("got\n%q\nwant\n%q", got, c.after)
			}
			mustSay(t, "x.md", got, want)
		})
	}
}

func mustSay(tb testing.TB, name, text string, want frontmatter.Fields) {
	tb.Helper()
	f, problems := frontmatter.Parse(name, []byte(text), MustLoad(tb, "Europe/Berlin"))
	if frontmatter.Failed(problems) {
		tb.Errorf("%q: got the problems %v, want no failure", text, problems)
	}
	if diff := cmp.Diff(frontmatter.Normal(want), f.Fields); diff != "" {
		tb.Errorf("%q (-want +got):\n%s", text, diff)
	}
}

// wantNoFailure checks that a file can be read; warnings are no failure.
func wantNoFailure(tb testing.TB, what string, problems []frontmatter.Problem) {
	tb.Helper()
	if frontmatter.Failed(problems) {
		tb.Errorf("%q: got the problems %v, want no failure", what, problems)
	}
}

func TestWhatTheImportMadeOfItIsNoEdit(t *testing.T) {
	text := "---\nis_draft: false\nslug: My-Post\n---\n\nbody\n"
	f := MustParse(t, "x.md", text)
	stored := f.Fields
	stored.PublishedAt, stored.Author, stored.Slug = at("2024-05-01T10:00:00Z"), "Ada", "my-post"
	f = f.Imported(stored)
	if got := frontmatter.Render(&f, stored); string(got) != text {
		t.Errorf("got %q, want %q", got, text)
	}
	stored.Title = "T"
	want := "---\nis_draft: false\nslug: my-post\ntitle: T\npublished_at: 2024-05-01T10:00:00Z\nauthor: Ada\n---\n\nbody\n"
	if got := frontmatter.Render(&f, stored); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestANewFileIsCanonical(t *testing.T) {
	f := frontmatter.Fields{Title: "A: b", Slug: "a-b", PublishedAt: at("2024-05-01T10:00:00Z"),
		Description: "What it is.", Author: "Ada",
		Tags: []string{"go", "a, b", "no"}, Permalinks: []string{"/old", "x?y=1"}, Body: "Text\r\n---\r\n\r\n"}
	want := `---
title: "A: b"
slug: a-b
published_at: 2024-05-01T10:00:00Z
description: What it is.
author: Ada
tags: [go, "a, b", "no"]
permalinks:
  - /old
  - "x?y=1"
---

Text
---
`
	got := frontmatter.Render(nil, f)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	mustSay(t, "a-b.md", string(got), f)
}

// FuzzParse reads whole files: nothing panics, a file that was not edited is returned byte for
// byte, and edits of every field are still there after Render and Parse.
func FuzzParse(f *testing.F) {
	for _, s := range []string{full, "", "---", "---\n---\n", "+++\n", "# A\n---\n",
		"\ufeff---\r\ntitle: a\r\n---\r\nb\r\n", "---\n{a: b}\n---\n",
		"---\ntitle: \"a\n---\n", "---\ntags:\n\t- a\n---\n", "---\n? a\n: b\n---\n", "---\ntitle: &a x\nslug: *a\n---\n",
		"---\n<<: {a: b}\n---\n",
		"---\ntitle: |+\n  a\n\n# c\nslug: b\n---\n", "---\ndate: 2024-05-01 10:30 Europe/Berlin\n---\n",
		"---\n!!map {a: b}\n---\n", "---\n'title': x\n---\n", "---\npinned: &p true\ndraft: *p\n---\n",
		"+++\ntitle = 'a'\ntags = ['x']\nmine = 1\n[extra]\ndraft = true\na.b = {c = [1]}\n[[m]]\n[[m]]\n+++\ntext",
		"{\"title\": \"a\", \"mine\": {\"b\": [1, null]}}\ntext", "---toml\nDate = 2024-01-01\n---\n",
		"---\npublished: no\ncategories: a b\nlayout: x\nauthor: {name: b}\npermalink: /:title/\n---\n"} {
		f.Add([]byte(s), "New: title", "new text\n---\n", "a,b", true)
	}
	loc := MustLoad(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, data []byte, text, body, tag string, draft bool) {
		file, problems := frontmatter.Parse("posts/x.md", data, loc)
		for _, p := range problems {
			if most := 1 + bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")); p.Line > most {
				t.Fatalf("got line %d, want at most %d, in %+v", p.Line, most, p)
			}
			if p.Line < 1 {
				t.Fatalf("got line %d, want at least 1, in %+v", p.Line, p)
			}
			if p.Message == "" {
				t.Fatalf("got %+v, want a message", p)
			}
		}
		if frontmatter.Failed(problems) {
			return
		}
		if got := frontmatter.Render(&file, file.Fields); !bytes.Equal(got, data) {
			t.Fatalf("got %q, want %q", got, data)
		}
		want := file.Fields
		want.Title, want.Body, want.Draft, want.Pinned = text, body, draft, !draft
		want.Tags = append(want.Tags, tag)
		if frontmatter.Normal(want).Title == "" || len(body)+len(text)+len(tag)+len(data) > 50_000 || len(want.Tags) > 200 {
			return
		}
		got := frontmatter.Render(&file, want)
		mustSay(t, "posts/x.md", string(got), want)
		again, _ := frontmatter.Parse("posts/x.md", got, loc)
		if back := frontmatter.Render(&again, want); !bytes.Equal(got, back) {
			t.Fatalf("rendered again: got %q, want %q", back, got)
		}
	})
}

// FuzzRender writes new files from any fields and reads them back.
func FuzzRender(f *testing.F) {
	f.Add("Title", "slug", "description", "Ada", "go", "/old", "# body\n", int64(1714550400), false)
	f.Add("- a: [b]", "{x}", "no", "1e3", "~", "null", "---\n---\n", int64(0), true)
	f.Add("\u2028\x00'\"\\", "*a", "&b", "!c", "|", ">", "\ufeff\r\n  x", int64(-1), true)
	f.Fuzz(func(t *testing.T, title, slug, description, author, tag, permalink, body string, unix int64, draft bool) {
		date := time.Unix(unix%4_000_000_000, 0)
		want := frontmatter.Normal(frontmatter.Fields{Title: title, Slug: slug, Description: description, Author: author,
			Tags: []string{tag, title}, Permalinks: []string{permalink}, Body: body, PublishedAt: &date, Draft: draft,
			Pinned: unix%3 == 0})
		if want.Title == "" || want.Slug == "" ||
			len(title)+len(slug)+len(description)+len(author)+len(tag)+len(permalink) > 10_000 {
			return
		}
		if unix%2 == 0 || date.Year() < 1901 {
			want.PublishedAt = nil
		}
		mustSay(t, "x.md", string(frontmatter.Render(nil, want)), want)
	})
}
