package posts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/posts"
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
		t.Errorf("got %+v, want %+v", ref, want)
	}
	p := w.post(ref.ID)
	want := p
	want.Title, want.Description, want.Author, want.Body = "A title", "About it", adaName, "Some *text*."
	want.PublishedAt = time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC)
	want.Labels, want.Permalinks = []string{"go", "web-dev"}, []string{"/old/path", "/about"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("the post (-want +got):\n%s", diff)
	}
	if !strings.Contains(p.HTML, "<em>") {
		t.Errorf("got %s, want <em> in it", p.HTML)
	}
	w.clock.Advance(time.Hour)
	rows := w.rows()
	if again, want := must(w, file), unchanged(ref); again != want {
		t.Errorf("twice: got %+v, want %+v", again, want)
	}
	w.wantRows("twice", rows)
	if diff := cmp.Diff(p, w.post(ref.ID)); diff != "" {
		t.Errorf("twice (-want +got):\n%s", diff)
	}
	file.Force = true
	if again, want := must(w, file), unchanged(ref); again != want {
		t.Errorf("twice, by force: got %+v, want %+v", again, want)
	}
	w.wantRows("twice, by force", rows)
	next := mustFile(t, "2024/a.md", strings.Replace(published, "*text*", "more", 1), nil)
	ref.Revision = 2
	if got := must(w, next); got != ref {
		t.Errorf("changed: got %+v, want %+v", got, ref)
	}
	if got := w.post(1).Body; got != "Some more." {
		t.Errorf("changed: got %q, want %q", got, "Some more.")
	}
	// A change outside the fields of a post: readers see no difference, but the export needs the
	// file.
	next = mustFile(t, "2024/a.md", strings.Replace(published, "other: kept", "other: changed", 1), nil)
	next.Body = "Some more."
	rows = w.rows()
	if got, want := must(w, next), unchanged(ref); got != want {
		t.Errorf("another comment: got %+v, want %+v", got, want)
	}
	w.wantRows("another comment", rows+1)
	if got := w.touched(); got != nil {
		t.Errorf("another comment: touches %v, want nothing", got)
	}
	must(w, next)
	w.wantRows("another comment, twice", rows+1)
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
			if ref.State != c.want {
				t.Errorf("got the state %s, want %s", ref.State, c.want)
			}
			if p := w.post(ref.ID); !p.PublishedAt.Equal(c.date) {
				t.Errorf("got the date %v, want %v", p.PublishedAt, c.date)
			}
			rows := w.rows()
			if again, want := must(w, file), unchanged(ref); again != want {
				t.Errorf("twice: got %+v, want %+v", again, want)
			}
			if got := w.rows(); got != rows {
				t.Errorf("twice: got %d writes, want %d", got, rows)
			}
		})
	}
	w.clock.Advance(time.Hour) // a post that was published without a date keeps the date it got
	file := mustFile(t, "no-date.md", "---\nis_draft: false\n---\nOther\n", nil)
	if got := w.post(must(w, file).ID).PublishedAt; !got.Equal(now) {
		t.Errorf("got the date %v, want %v", got, now)
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
		if !errors.Is(err, apperr.Conflict) {
			t.Errorf("%s: got %v, want %v", name, err, apperr.Conflict)
		}
		if !apperr.HasReason(err, posts.Edited) {
			t.Errorf("%s: got %v, want the reason %s", name, err, posts.Edited)
		}
		if got := apperr.From(err).Message; !strings.Contains(got, "--force") {
			t.Errorf("%s: got %q, want --force in it", name, got)
		}
		w.wantRows(name, rows)
	}
	p := w.post(ref.ID)
	if p.Title != "Edited here" {
		t.Errorf("got the title %q, want %q", p.Title, "Edited here")
	}
	if p.Body != "Some *text*." {
		t.Errorf("got the text %q, want %q", p.Body, "Some *text*.")
	}
	// The edit is undone, so the post has what the file says.
	must(w, posts.Update{Target: target, Revision: 2, Title: to("A title")})
	ref.Revision = 3
	if got, want := must(w, file), unchanged(ref); got != want {
		t.Errorf("equal to what is here: got %+v, want %+v", got, want)
	}
	if got := must(w, changed); got.Revision != 4 {
		t.Errorf("then changed: got %+v, want revision 4", got)
	}
	if got := w.post(ref.ID).Body; got != "Any *text*." {
		t.Errorf("then changed: got %q, want %q", got, "Any *text*.")
	}
	must(w, posts.Unpublish{Target: target})
	if _, err := try(w, changed); !apperr.HasReason(err, posts.Edited) {
		t.Errorf("unpublished here: got %v, want the reason %s", err, posts.Edited)
	}
	changed.Force = true
	if got := must(w, changed); got.State != posts.Published {
		t.Errorf("by force: got %+v, want the state %s", got, posts.Published)
	}
	changed.Force = false
	rows := w.rows()
	if got := must(w, changed); !got.Unchanged {
		t.Errorf("after the force: got %+v, want it unchanged", got)
	}
	w.wantRows("after the force", rows)
	must(w, posts.Delete{Target: target})
	got := must(w, changed)
	if got.ID == ref.ID {
		t.Errorf("deleted here: got %+v, want another post than %d", got, ref.ID)
	}
	if got.Revision != 1 {
		t.Errorf("deleted here: got %+v, want revision 1", got)
	}
}

func TestImportOntoWhatWasMadeHere(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "Here", Slug: "a-slug", Body: "mine"})
	_, err := try(w, mustFile(t, "a.md", published, nil))
	if !apperr.HasReason(err, posts.Edited) {
		t.Errorf("got %v, want the reason %s", err, posts.Edited)
	}
	if got := w.post(1).Body; got != "mine" {
		t.Errorf("got the text %q, want %q", got, "mine")
	}
}

func TestImportByAnOldSlug(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", published, nil)
	ref := must(w, file)
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Slug: to("renamed")})
	rows := w.rows()
	ref.Slug, ref.Revision = "renamed", 2
	if got, want := must(w, file), unchanged(ref); got != want {
		t.Errorf("the same file: got %+v, want %+v", got, want)
	}
	w.wantRows("the same file", rows)
	changed := mustFile(t, "a.md", strings.Replace(published, "Some", "Any", 1), nil)
	ref.Revision = 3
	if got := must(w, changed); got != ref {
		t.Errorf("a changed file: got %+v, want %+v", got, ref)
	}
	if got := w.post(ref.ID).Body; got != "Any *text*." {
		t.Errorf("a changed file: got %q, want %q", got, "Any *text*.")
	}
	// Another post has the old slug now, so the import is for that one.
	other := must(w, posts.Create{Title: "Other", Slug: "a-slug"})
	changed.Force = true
	if got := must(w, mustForce(changed)); got.ID != other.ID {
		t.Errorf("got %+v, want the post %d", got, other.ID)
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
	if !apperr.HasReason(err, posts.NoAuthor) {
		t.Errorf("got %v, want the reason %s", err, posts.NoAuthor)
	}
	if got := apperr.From(err).Message; !strings.Contains(got, "blog user add") {
		t.Errorf("got %q, want %q in it", got, "blog user add")
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
		t.Errorf("got %s, want %s", p.Author, "Grace Hopper")
	}
	bad.Author, bad.Body = "", "again"
	must(w, bad)
	if p := w.post(ref.ID); p.Author != "Grace Hopper" {
		t.Errorf("a file that names none: got %s, want %s", p.Author, "Grace Hopper")
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
			if p.Title != c.title {
				t.Errorf("got the title %q, want %q", p.Title, c.title)
			}
			if p.Body != c.body {
				t.Errorf("got the text %q, want %q", p.Body, c.body)
			}
			if got := string(file.Raw); got != c.text {
				t.Errorf("got the file %q, want %q", got, c.text)
			}
		})
	}
}

// TestAnImportWhosePictureIsGone: such an import is refused and leaves its key unused, so a caller
// that has the folder uploads the picture and repeats the import. A file that the release before
// sends without a picture is not stored with the picture missing.
