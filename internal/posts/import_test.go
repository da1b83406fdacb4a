package posts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// mustFile parses text as a file and returns its import.
func mustFile(tb testing.TB, name, text string, pictures map[string]string) posts.Import {
	tb.Helper()
	f, problems := frontmatter.Parse(name, []byte(text), time.UTC)
	if frontmatter.Failed(problems) {
		tb.Fatal(problems)
	}
	return posts.NewImport(f, pictures)
}

const published = `---
title: A title
slug: A-Slug
description: About it
published_at: 2024-05-01 10:00:00 +02:00
tags: [Go, "Web dev"]
permalinks: [/old/path, about]
author: Ada Lovelace
other: kept
---

Some *text*.
`

func TestImport(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "2024/a.md", published, nil)
	ref := must(w, file)
	if want := (posts.Ref{ID: 1, Slug: "a-slug", State: posts.Published, Revision: 1}); ref != want {
		t.Errorf("got %+v", ref)
	}
	p := w.post(ref.ID)
	at := time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC)
	if p.Title != "A title" || p.Description != "About it" || !p.PublishedAt.Equal(at) || p.Author != adaName ||
		p.Body != "Some *text*." || !strings.Contains(p.HTML, "<em>") {
		t.Errorf("got %+v", p)
	}
	if !slices.Equal(p.Labels, []string{"go", "web-dev"}) || !slices.Equal(p.Permalinks, []string{"/old/path", "/about"}) {
		t.Errorf("got %v %v", p.Labels, p.Permalinks)
	}
	w.clock.Advance(time.Hour)
	rows := w.rows()
	if again := must(w, file); !again.Unchanged {
		t.Errorf("twice: got %+v, want it unchanged", again)
	}
	if got := w.rows(); got != rows {
		t.Errorf("twice: got %d rows, want %d", got, rows)
	}
	if diff := cmp.Diff(p, w.post(ref.ID)); diff != "" {
		t.Errorf("twice (-want +got):\n%s", diff)
	}
	file.Force = true
	if again := must(w, file); !again.Unchanged || w.rows() != rows {
		t.Errorf("twice, by force: %+v", again)
	}
	next := mustFile(t, "2024/a.md", strings.Replace(published, "*text*", "more", 1), nil)
	if got := must(w, next); got.Revision != 2 || got.Unchanged || w.post(1).Body != "Some more." {
		t.Errorf("changed: %+v", got)
	}
	// A change outside the fields of a post: readers see no difference, but the export needs the
	// file.
	next = mustFile(t, "2024/a.md", strings.Replace(published, "other: kept", "other: changed", 1), nil)
	next.Body = "Some more."
	rows = w.rows()
	if got := must(w, next); !got.Unchanged || got.Revision != 2 || w.rows() != rows+1 || w.touched() != nil {
		t.Errorf("another comment: %+v, touches %v", got, w.touched())
	}
	if must(w, next); w.rows() != rows+1 {
		t.Error("it was remembered twice")
	}
}

func TestImportOfEachState(t *testing.T) {
	w := mustWorld(t)
	now := w.clock.Now()
	future := now.Add(48 * time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		front string
		want  posts.State
		date  time.Time
	}{
		"nothing":      {"", posts.Draft, time.Time{}},
		"draft":        {"is_draft: true", posts.Draft, time.Time{}},
		"draft dated":  {"is_draft: yes\npublished_at: 2024-05-01", posts.Draft, time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)},
		"date":         {"date: 2024-05-01", posts.Published, time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)},
		"no date":      {"is_draft: false", posts.Published, now},
		"future":       {"published_at: " + future, posts.Scheduled, now.Add(48 * time.Hour)},
		"empty values": {"is_draft:\npublished_at:\ntags:\nauthor:", posts.Draft, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			file := mustFile(t, strings.ReplaceAll(name, " ", "-")+".md", "---\n"+c.front+"\n---\nText\n", nil)
			ref := must(w, file)
			if p := w.post(ref.ID); ref.State != c.want || !p.PublishedAt.Equal(c.date) {
				t.Errorf("got %s at %v", ref.State, p.PublishedAt)
			}
			rows := w.rows()
			if again := must(w, file); !again.Unchanged || w.rows() != rows {
				t.Errorf("twice: %+v", again)
			}
		})
	}
	w.clock.Advance(time.Hour) // a post that was published without a date keeps the date it got
	file := mustFile(t, "no-date.md", "---\nis_draft: false\n---\nOther\n", nil)
	if ref := must(w, file); !w.post(ref.ID).PublishedAt.Equal(now) {
		t.Errorf("got %v", w.post(ref.ID).PublishedAt)
	}
}

func TestImportNeverOverwritesAnEdit(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", published, nil)
	ref := must(w, file)
	target := posts.Target{ID: ref.ID}
	must(w, posts.Update{Target: target, Revision: 1, Title: to("Edited here")})
	changed := mustFile(t, "a.md", strings.Replace(published, "Some", "Any", 1), nil)
	for name, f := range map[string]posts.Import{"the same file": file, "a changed file": changed} {
		rows := w.rows()
		_, err := try(w, f)
		if !errors.Is(err, apperr.Conflict) || !apperr.HasReason(err, posts.Edited) ||
			!strings.Contains(apperr.From(err).Message, "--force") || w.rows() != rows {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := w.post(ref.ID); p.Title != "Edited here" || p.Body != "Some *text*." {
		t.Errorf("got %+v", p)
	}
	// The edit is undone, so the post has what the file says.
	must(w, posts.Update{Target: target, Revision: 2, Title: to("A title")})
	if got := must(w, file); !got.Unchanged || got.Revision != 3 {
		t.Errorf("equal to what is here: %+v", got)
	}
	if got := must(w, changed); got.Revision != 4 || w.post(ref.ID).Body != "Any *text*." {
		t.Errorf("then changed: %+v", got)
	}
	must(w, posts.Unpublish{Target: target})
	if _, err := try(w, changed); !apperr.HasReason(err, posts.Edited) {
		t.Errorf("unpublished here: %v", err)
	}
	changed.Force = true
	if got := must(w, changed); got.State != posts.Published {
		t.Errorf("by force: %+v", got)
	}
	changed.Force = false
	rows := w.rows()
	if got := must(w, changed); !got.Unchanged || w.rows() != rows {
		t.Errorf("after the force: %+v", got)
	}
	must(w, posts.Delete{Target: target})
	if got := must(w, changed); got.ID == ref.ID || got.Revision != 1 {
		t.Errorf("deleted here: %+v", got)
	}
}

func TestImportOntoWhatWasMadeHere(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "Here", Slug: "a-slug", Body: "mine"})
	_, err := try(w, mustFile(t, "a.md", published, nil))
	if !apperr.HasReason(err, posts.Edited) || w.post(1).Body != "mine" {
		t.Errorf("got %v", err)
	}
}

func TestImportByAnOldSlug(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", published, nil)
	ref := must(w, file)
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Slug: to("renamed")})
	rows := w.rows()
	if got := must(w, file); got.ID != ref.ID || got.Slug != "renamed" || !got.Unchanged || w.rows() != rows {
		t.Errorf("got %+v", got)
	}
	changed := mustFile(t, "a.md", strings.Replace(published, "Some", "Any", 1), nil)
	if got := must(w, changed); got.ID != ref.ID || got.Slug != "renamed" || w.post(ref.ID).Body != "Any *text*." {
		t.Errorf("got %+v", got)
	}
	// Another post has the old slug now, so the import is for that one.
	other := must(w, posts.Create{Title: "Other", Slug: "a-slug"})
	changed.Force = true
	if got := must(w, mustForce(changed)); got.ID != other.ID {
		t.Errorf("got %+v", got)
	}
}

// mustForce returns i with Force and without permalinks, which another post has.
func mustForce(i posts.Import) posts.Import {
	i.Force, i.Permalinks = true, nil
	return i
}

func TestImportRefuses(t *testing.T) {
	w := mustEmpty(t)
	good := posts.Import{Path: "a/b.md", Raw: []byte("x"), Title: "T", Slug: "t"}
	_, err := try(w, good)
	repotest.WantFields(t, err, "author")
	if !apperr.HasReason(err, posts.NoAuthor) || !strings.Contains(apperr.From(err).Message, "blog user add") {
		t.Errorf("got %v", err)
	}
	w.addUser(adaEmail, adaName)
	bad := good
	bad.Author = "nobody"
	_, err = try(w, bad)
	repotest.WantFields(t, err, "author")
	for _, path := range []string{
		"", ".", "../a.md", "/etc/passwd", "a/../b.md", "a//b.md", `a\b.md`, "a\x00.md", "a\n.md", strings.Repeat("x", 1001),
	} {
		bad = good
		bad.Path = path
		_, err = try(w, bad)
		repotest.WantFields(t, err, "path")
	}
	bad = posts.Import{
		Path: "x.md", Raw: make([]byte, 1<<20), Slug: "new", Title: "\x07", Description: strings.Repeat("x", 501),
		Body: "\x00", Tags: []string{"a b c", "/"}, Permalinks: []string{"/login"}, PublishedAt: &time.Time{},
	}
	_, err = try(w, bad)
	repotest.WantFields(t, err, "raw", "slug", "title", "description", "body", "tags", "permalinks", "published_at")
	ref := must(w, good)
	bad = good
	bad.Author, bad.Body = "nobody", "changed"
	_, err = try(w, bad)
	repotest.WantFields(t, err, "author")
	w.addUser("grace@example.org", "Grace Hopper")
	bad.Author = "grace@example.org"
	must(w, bad)
	if p := w.post(ref.ID); p.Author != "Grace Hopper" {
		t.Errorf("got %s", p.Author)
	}
	bad.Author, bad.Body = "", "again"
	must(w, bad)
	if p := w.post(ref.ID); p.Author != "Grace Hopper" {
		t.Errorf("a file that names none: %s", p.Author)
	}
	other := good
	other.Slug, other.Permalinks = "u", []string{"/x"}
	must(w, other)
	other.Slug = "v"
	_, err = try(w, other)
	repotest.WantFields(t, err, "permalinks")
}

func TestTitleFromTheHeadingIsShownOnce(t *testing.T) {
	w := mustWorld(t)
	for name, c := range map[string]struct{ text, title, body string }{
		"top":        {"# The *title*\n\nText\n\n# Part\n", "The title", "Text\n\n# Part"},
		"closed":     {"\n\n  # Title #\nText", "Title", "Text"},
		"in front":   {"---\ntags: [a]\n---\n# Title\n\nText", "Title", "Text"},
		"lower down": {"Intro\n\n# Title\n\nText", "Title", "Intro\n\n# Title\n\nText"},
		"given":      {"---\ntitle: Given\n---\n# Heading\n", "Given", "# Heading"},
		"deeper":     {"## Part\n\n# Title", "Title", "## Part\n\n# Title"},
		"hash tag":   {"#tag is no heading\n", "Hash tag", "#tag is no heading"},
		"code":       {"```\n# no\n```\n", "Code", "```\n# no\n```"},
		"alone":      {"# Alone", "Alone", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := mustFile(t, strings.ReplaceAll(name, " ", "-")+".md", c.text, nil)
			p := w.post(must(w, file).ID)
			if p.Title != c.title || p.Body != c.body {
				t.Errorf("got %q, %q", p.Title, p.Body)
			}
			if string(file.Raw) != c.text {
				t.Error("the file itself changed")
			}
		})
	}
}

func TestPicturesOfAnImport(t *testing.T) {
	w := mustWorld(t)
	one, two := mustUpload(w, 7), mustUpload(w, 8)
	const text = "---\nslug: p\npublished_at: 2024-05-01\n---\n![A](img/a%20b.png) ![again](img/a%20b.png) ![B](b.png) " +
		"![none](none.png)\n"
	file := mustFile(t, "p.md", text, map[string]string{
		"img/a b.png": one.Hash, "b.png": two.Hash, "unused.png": two.Hash,
	})
	ref := must(w, file)
	p := w.post(ref.ID)
	if strings.Count(p.HTML, `src="/media/`+one.Hash+`/a-b.png"`) != 2 || !strings.Contains(p.HTML, `width="7"`) ||
		!strings.Contains(p.HTML, two.Hash) || strings.Contains(p.HTML, "none.png") {
		t.Errorf("got %s", p.HTML)
	}
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 2 {
		t.Errorf("%d pictures are noted", n)
	}
	rows := w.rows()
	if got := must(w, file); !got.Unchanged || w.rows() != rows {
		t.Errorf("twice: %+v", got)
	}
	// After an edit here the post still has the pictures that its text names.
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Body: to("Only ![B](b.png) now")})
	if p := w.post(ref.ID); !strings.Contains(p.HTML, two.Hash) {
		t.Errorf("got %s", p.HTML)
	}
	public := func(p media.Picture) bool {
		return view(w, func(rd repo.Reader) (bool, error) { return media.Public(w.ctx, rd, p.Hash) })
	}
	if public(one) || !public(two) {
		t.Errorf("public are %v and %v", public(one), public(two))
	}
	file.Force = true
	must(w, file)
	if !public(one) {
		t.Error("the file's first picture is not back")
	}
	// A file whose picture has other content under the same name.
	three := mustUpload(w, 9)
	file = mustFile(t, "p.md", text, map[string]string{"img/a b.png": one.Hash, "b.png": three.Hash})
	if got := must(w, file); got.Unchanged || !public(three) || public(two) {
		t.Errorf("another picture: %+v", got)
	}
	must(w, posts.Unpublish{Target: posts.Target{ID: ref.ID}})
	if public(one) || public(three) {
		t.Error("an unpublished post's pictures are public")
	}
}

// TestAnImportWhosePictureIsGone: such an import is refused and leaves its key unused, so a caller
// that has the folder uploads the picture and repeats the import. A file that the release before
// sends without a picture is not stored with the picture missing.
func TestAnImportWhosePictureIsGone(t *testing.T) {
	w := mustWorld(t)
	pic := mustUpload(w, 7)
	file := mustFile(t, "p.md", "---\nslug: p\npublished_at: 2024-05-01\n---\n![A](a.png) ![none](none.png)\n",
		map[string]string{"a.png": pic.Hash})
	w.sweep()
	w.clock.Advance(26 * time.Hour)
	w.sweep()
	_, err := try(w, file, repo.WithKey("import"))
	if !apperr.HasReason(err, posts.PicturesGone) || apperr.From(err).Code != apperr.Conflict ||
		w.count("SELECT COUNT(*) FROM posts") != 0 {
		t.Errorf("got %v", err)
	}
	mustUpload(w, 7)
	ref := must(w, file, repo.WithKey("import"))
	if html := w.post(ref.ID).HTML; !strings.Contains(html, pic.Hash) || strings.Contains(html, "none.png") {
		t.Errorf("got %s", html)
	}
}

func mustUpload(w *world, n int) media.Picture {
	w.tb.Helper()
	p, err := media.Upload(w.ctx, w.replica, mustPNG(w.tb, n))
	if err != nil {
		w.tb.Fatal(err)
	}
	return p
}
