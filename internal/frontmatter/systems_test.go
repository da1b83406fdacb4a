package frontmatter_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

// TestTagsOfOtherSystems: words in one text are told from a tag with spaces, and the choice is said.
func TestTagsOfOtherSystems(t *testing.T) {
	for _, c := range []struct {
		name, front string
		want        []string
		said        bool
	}{
		{"x.md", "layout: post\ntags: go sqlite web", []string{"go", "sqlite", "web"}, true},
		{"_posts/2024-01-02-x.md", "tags: go sqlite", []string{"go", "sqlite"}, true},
		{"x.md", "layout: post\ntags: go, web dev", []string{"go", "web dev"}, false},
		{"x.md", "layout: post\ntags: [web dev]", []string{"web dev"}, false},
		{"x.md", "layout: post\npublished_at: 2024-01-01\ntags: web dev", []string{"web dev"}, false},
		{"x.md", "tags: web dev", []string{"web dev"}, false},
		{"x.md", "tags: '#one #two'", []string{"one", "two"}, true},
		{"x.md", "tags: ['#one', 'c#']", []string{"one", "c#"}, false},
		{"x.md", "tags: [a]\ncategories: [b, a]\ncategory: c", []string{"a", "b", "c"}, false},
		{"x.md", "categories:\n- [Sports, Ball]\n- News", []string{"Sports", "Ball", "News"}, false},
		{"x.md", "taxonomies: {tags: [a], categories: b}", []string{"a", "b"}, false},
		{"x.md", "layout: x\ncategories: jekyll update", []string{"jekyll", "update"}, true},
	} {
		f, problems := frontmatter.Parse(c.name, []byte("---\n"+c.front+"\n---\n"), nil)
		wantNoFailure(t, c.front, problems)
		if diff := cmp.Diff(c.want, f.Tags); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.name, c.front, diff)
		}
		choices := 0
		for _, p := range problems {
			if p.Kind == frontmatter.Choice && p.Field != "published_at" {
				choices++
			}
		}
		if got := choices > 0; got != c.said {
			t.Errorf("%s %q: got the problems %v, want a choice: %t", c.name, c.front, problems, c.said)
		}
	}
}

func TestAddressesOfOtherSystems(t *testing.T) {
	for _, c := range []struct {
		front string
		want  []string
		left  int
	}{
		{"aliases: [/old/, old/two.html, 'https://old.example/three/']", []string{"/old", "/old/two.html", "/three"}, 0},
		{"aliases: [My Note, Go, /x]", []string{"/x"}, 2},
		{"redirect_from: /a/index.html", []string{"/a"}, 0},
		{"redirect_from:\n  - /a\n  - /b/", []string{"/a", "/b"}, 0},
		{"permalink: /about/", []string{"/about"}, 0},
		{"permalink: /:year/:month/:day/:title/", []string{"/2024/05/01/s"}, 0},
		{"permalink: pretty\ncategories: [My News, b]", []string{"/my-news/b/2024/05/01/s"}, 0},
		{"permalink: date", []string{"/2024/05/01/s.html"}, 0},
		{"permalink: /:wrong/", nil, 1},
		{"permalink: \"/{{ title | slug }}/\"", nil, 1},
		{"url: /one/two/", []string{"/one/two"}, 0},
		{"url: https://else.example/x", nil, 1},
		{"permalinks: [/ours]\nalias: /theirs", []string{"/ours", "/theirs"}, 0},
		{"url: /", nil, 1},
		{"path: a/b", []string{"/a/b"}, 0},
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\nslug: s\ndate: 2024-05-01\n"+c.front+"\n---\n"), nil)
		wantNoFailure(t, c.front, problems)
		if diff := cmp.Diff(c.want, f.Permalinks); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.front, diff)
		}
		if got := said(problems, frontmatter.NoAddress); got != c.left {
			t.Errorf("%q: %d are said to be left out, want %d: %v", c.front, got, c.left, problems)
		}
		for _, a := range f.Addresses {
			if a.Line < 4 {
				t.Errorf("%q: got line %d of %s, want at least 4", c.front, a.Line, a.Path)
			}
			if a.Path == "/ours" {
				t.Errorf("%q: got the address %s, want only those of another system", c.front, a.Path)
			}
		}
	}
}

func TestPeopleAndTextsOfOtherSystems(t *testing.T) {
	for front, want := range map[string]frontmatter.Fields{
		"author: {name: Ada L, url: x}":             {Author: "Ada L"},
		"author: {name: Ada, email: a@example.org}": {Author: "a@example.org"},
		"authors: [Ada, Bob]":                       {Author: "Ada"},
		"authors:\n- name: Ada":                     {Author: "Ada"},
		"author: Bob\nauthors: [Ada]":               {Author: "Bob"},
		"summary: S":                                {Description: "S"},
		"excerpt: E\nsummary: S":                    {Description: "S"},
		"description: D\nexcerpt: E\nSummary: S":    {Description: "D"},
		"DESCRIPTION: D":                            {Description: "D"},
		"description:\nexcerpt: E":                  {Description: "E"},
	} {
		f, problems := frontmatter.Parse("x.md", []byte("---\n"+front+"\n---\n"), nil)
		wantNoFailure(t, front, problems)
		if f.Author != want.Author {
			t.Errorf("%q: got the author %q, want %q", front, f.Author, want.Author)
		}
		if f.Description != want.Description {
			t.Errorf("%q: got the description %q, want %q", front, f.Description, want.Description)
		}
	}
}

// TestDatesInNames: a date in a file's name is the post's where the file is one of Jekyll's.
func TestDatesInNames(t *testing.T) {
	for _, c := range []struct {
		folder, name, text string
		public             bool
	}{
		{"", "_posts/2024-05-01-x.md", "---\n---\n", true},
		{"_posts", "2024-05-01-x.markdown", "---\ntitle: a\n---\n", true},
		{"", "a/_posts/b/2024-05-01-x.md", "---\n---\n", true},
		{"", "2024-05-01-x.md", "---\nlayout: post\n---\n", true},
		{"", "2024-05-01-x.md", "---\nlayout: post\npublished: false\n---\n", false},
		{"", "2024-05-01-x.md", "---\nlayout: post\npinned: true\n---\n", false},
		{"", "2024-05-01-x.md", "---\ntitle: a\n---\n", false},
		{"", "2024-05-01 Notes.md", "text", false},
		{"", "_posts/2024-05-01-x.md", "no front matter", false},
		{"", "_posts/2024-13-01-x.md", "---\n---\n", false},
		{"_drafts", "2024-05-01-x.md", "---\nlayout: post\n---\n", false},
	} {
		f, problems := frontmatter.ParseIn(c.folder, c.name, []byte(c.text), nil)
		what := c.folder + "/" + c.name + " " + c.text
		wantNoFailure(t, what, problems)
		if f.Draft == c.public {
			t.Errorf("%q: got Draft %t, want %t", what, f.Draft, !c.public)
		}
		if c.public {
			wantDay(t, what, f.PublishedAt, "2024-05-01")
		}
	}
}

// TestEditsOfOtherSystemsWords: what is edited here is written in our words, in the place of theirs.
func TestEditsOfOtherSystemsWords(t *testing.T) {
	const before = "---\nsummary: S\ncategories: [b]\ntags: [a]\naliases: [/x]\nauthors: [Ada]\n" +
		"pubDate: 2024-05-01\nmine: 1\n---\nText.\n"
	f := MustParse(t, "x.md", before)
	want := f.Fields
	want.Description, want.Tags, want.Permalinks, want.Author = "D", []string{"c"}, []string{"/y"}, "Bob"
	want.PublishedAt = at("2024-06-01T22:00:00Z")
	got := string(frontmatter.Render(&f, want))
	const after = "---\ndescription: D\ntags: [c]\npermalinks: [/y]\nauthor: Bob\n" +
		"published_at: 2024-06-02\nmine: 1\n---\nText.\n"
	if got != after {
		t.Errorf("got\n%s\nwant\n%s", got, after)
	}
	mustSay(t, "x.md", got, want)
}
