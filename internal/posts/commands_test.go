package posts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestCreate(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{
		Title: "  Hello \u00a0 world ", Description: " About\nthis ", Body: "One\r\ntwo.\n\n## Part\n",
		Tags:       []string{"Go", "go", "Web dev"},
		Permalinks: []string{"about/", "/about"}, Publish: true,
	})
	if want := (posts.Ref{ID: 1, Slug: "hello-world", State: posts.Published, Revision: 1}); ref != want {
		t.Errorf("got %+v", ref)
	}
	p := w.post(ref.ID)
	if p.Title != "Hello world" || p.Description != "About this" || p.Body != "One\ntwo.\n\n## Part\n" ||
		p.Author != adaName || p.AuthorEmail != adaEmail {
		t.Errorf("got %+v", p)
	}
	if !slices.Equal(p.Labels, []string{"go", "web-dev"}) || !slices.Equal(p.Permalinks, []string{"/about"}) {
		t.Errorf("got %v %v", p.Labels, p.Permalinks)
	}
	if !p.PublishedAt.Equal(w.clock.Now()) || !p.Visible() || p.Minutes != 1 || p.Excerpt == "" || len(p.Headings) != 1 ||
		!strings.Contains(p.HTML, "<h2") {
		t.Errorf("got %+v", p)
	}
	draft := must(w, posts.Create{Title: "Later", Slug: "Über_uns.1"})
	if p := w.post(draft.ID); draft.Slug != "über_uns.1" || draft.State != posts.Draft || !p.PublishedAt.IsZero() ||
		p.Visible() {
		t.Errorf("got %+v", p)
	}
	dated := must(w, posts.Create{Title: "Dated", PublishedAt: to(w.clock.Now().Add(time.Hour))})
	if dated.State != posts.Draft {
		t.Errorf("got %+v", dated)
	}
}

func TestCreateRefuses(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "Taken", Permalinks: []string{"/taken"}})
	before := w.rows()
	long := strings.Repeat("é", 501)
	for name, c := range map[string]struct {
		cmd    posts.Create
		fields []string
	}{
		"nothing": {posts.Create{}, []string{"title"}},
		"all": {
			posts.Create{
				Title: long, Description: long, Body: strings.Repeat("x", posts.MaxBody+1), Slug: "a b", Tags: []string{"?"},
				Permalinks: []string{"/admin/x"}, PublishedAt: to(time.Date(99, 1, 1, 0, 0, 0, 0, time.UTC)),
			},
			[]string{"title", "description", "body", "slug", "tags", "permalinks", "published_at"},
		},
		"invisible title": {posts.Create{Title: "\u200b \u202f\u0301"}, []string{"title"}},
		"control": {
			posts.Create{Title: "a\x07", Description: "b\x7f", Body: "c\x00"}, []string{"title", "description", "body"},
		},
		"bidi":           {posts.Create{Title: "a\u202eb", Description: "a\u2066b"}, []string{"title", "description"}},
		"isolate closed": {posts.Create{Title: "a\u2069\u2066b"}, []string{"title"}},
		"no character":   {posts.Create{Title: "a\uffff"}, []string{"title"}},
		"taken slug":     {posts.Create{Title: "x", Slug: "TAKEN"}, []string{"slug"}},
		"taken link":     {posts.Create{Title: "x", Permalinks: []string{"/taken"}}, []string{"permalinks"}},
		"both taken": {
			posts.Create{Title: "x", Slug: "taken", Permalinks: []string{"/taken"}}, []string{"slug", "permalinks"},
		},
		"reserved slug":    {posts.Create{Title: "x", Slug: "new"}, []string{"slug"}},
		"unknown author":   {posts.Create{Title: "x", Author: "nobody@example.org"}, []string{"author"}},
		"many tags":        {posts.Create{Title: "x", Tags: manyTags(21)}, []string{"tags"}},
		"very many tags":   {posts.Create{Title: "x", Tags: manyTags(20_000)}, []string{"tags"}},
		"many links":       {posts.Create{Title: "x", Permalinks: manyLinks(21)}, []string{"permalinks"}},
		"too many to read": {posts.Create{Title: "x", Permalinks: manyLinks(20_000)}, []string{"permalinks"}},
		"far future": {
			posts.Create{Title: "x", PublishedAt: to(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))}, []string{"published_at"},
		},
		"a table too large": {
			posts.Create{Title: "x", Body: "|" + strings.Repeat("a|", 300) + "\n|" + strings.Repeat("-|", 300) + "\n"},
			[]string{"body"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(w, c.cmd)
			repotest.WantFields(t, err, c.fields...)
		})
	}
	if w.rows() != before {
		t.Error("a refusal left a row")
	}
}

func manyTags(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "t" + strings.Repeat("a", i%40) + string(rune('a'+i%26)) + string(rune('a'+i/26%26))
	}
	return out
}

func manyLinks(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "/p" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26))
	}
	return out
}

func TestLimitsThemselves(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{
		Title: strings.Repeat("é", posts.MaxTitle), Description: strings.Repeat("語", posts.MaxDescription),
		Body: strings.Repeat("Wort. ", posts.MaxBody/6),
		Tags: manyTags(20), Permalinks: manyLinks(20), Slug: strings.Repeat("語", 100), Publish: true,
	})
	if p := w.post(ref.ID); len(p.Labels) != 20 || len(p.Permalinks) != 20 {
		t.Errorf("got %d tags, %d permalinks", len(p.Labels), len(p.Permalinks))
	}
	if _, err := try(w, posts.Create{Title: "\u2067שלום\u2069 world"}); err != nil {
		t.Errorf("balanced isolates: %v", err)
	}
	second := must(w, posts.Create{Title: strings.Repeat("語", 120)})
	if _, problem := posts.CheckSlug(second.Slug); problem != "" || !strings.HasSuffix(second.Slug, "-2") {
		t.Errorf("the next slug %s %s", second.Slug, problem)
	}
}

func TestAuthors(t *testing.T) {
	w := mustEmpty(t)
	_, err := try(w, posts.Create{Title: "x"})
	repotest.WantFields(t, err, "author")
	if !apperr.HasReason(err, posts.NoAuthor) || !strings.Contains(apperr.From(err).Message, "blog user add") {
		t.Errorf("got %v", err)
	}
	w.addUser(adaEmail, adaName)
	w.addUser("grace@example.org", "Grace Hopper")
	for author, want := range map[string]string{
		"": adaEmail, " GRACE@example.org": "grace@example.org", "Grace  Hopper": "grace@example.org",
	} {
		ref := must(w, posts.Create{Title: "x", Author: author})
		if p := w.post(ref.ID); p.AuthorEmail != want {
			t.Errorf("%q: %s", author, p.AuthorEmail)
		}
	}
}

func TestUpdate(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{
		Title: "One", Body: "old", Tags: []string{"a", "b"}, Permalinks: []string{"/one"}, Description: "d", Publish: true,
	})
	same, err := try(w, posts.Update{
		Target: posts.Target{Post: "ONE"}, Revision: 1, Title: to("One"), Body: to("old"), Tags: to([]string{"A", "b"}),
	})
	if err != nil || !same.Unchanged || same.Revision != 1 || w.rows() != 1 {
		t.Errorf("nothing to do: %+v, %v", same, err)
	}
	w.clock.Advance(time.Minute)
	got := must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Title: to("Two"), Body: to("new *text*")})
	p := w.post(ref.ID)
	if got.Revision != 2 || p.Title != "Two" || p.Slug != "one" || !strings.Contains(p.HTML, "<em>text</em>") ||
		p.Description != "d" || len(p.Labels) != 2 || len(p.Permalinks) != 1 {
		t.Errorf("got %+v", p)
	}
	if !p.UpdatedAt.Equal(w.clock.Now()) || p.PublishedAt.Equal(p.UpdatedAt) {
		t.Errorf("dates: %v %v", p.PublishedAt, p.UpdatedAt)
	}
	_, err = try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Body: to("mine")})
	if !errors.Is(err, apperr.Conflict) || !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("body of an old revision: %v", err)
	}
	_, err = try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Title: to("mine")})
	if !apperr.HasReason(err, posts.RevisionMismatch) || w.post(ref.ID).Title != "Two" {
		t.Errorf("title of an old revision: %v", err)
	}
	got = must(w, posts.Update{
		Target: posts.Target{ID: ref.ID}, Revision: 2, Slug: to("Deux"), Description: to(""), Tags: to([]string{}),
		Permalinks: to([]string{"/b", "/a"}),
	})
	p = w.post(ref.ID)
	if got.Slug != "deux" || p.Description != "" || len(p.Labels) != 0 ||
		!slices.Equal(p.Permalinks, []string{"/b", "/a"}) {
		t.Errorf("got %+v", p)
	}
	if n := w.count("SELECT COUNT(*) FROM tags"); n != 0 {
		t.Errorf("%d tags are left that nobody carries", n)
	}
}

// TestUpdateOfWhateverIsThere: an operator may leave the revision out, which means the revision
// that the post has under the lock, also in a retry and after a change of the slug. An author, who
// has edited a certain text, has to send it.
func TestUpdateOfWhateverIsThere(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "One", Publish: true})
	cmd := posts.Update{Target: posts.Target{Post: "one"}, Slug: to("two"), Body: to("Text.")}
	first, receipt, err := repo.Do(w.ctx, w.replica, cmd, repo.WithKey("k"))
	if err != nil || receipt.Replayed {
		t.Fatalf("%v, %+v", err, receipt)
	}
	again, receipt, err := repo.Do(w.ctx, w.primary, cmd, repo.WithKey("k"))
	if err != nil || !receipt.Replayed || again != first || again.Slug != "two" {
		t.Errorf("the same again: %+v, %+v, %v", again, receipt, err)
	}
	_, err = repo.Write(repotest.As(t.Context(), repo.System), w.primary, posts.Update{
		Target: posts.Target{ID: first.ID}, Title: to("x"),
	})
	repotest.WantFields(t, err, "revision")
}

func TestUpdateRefuses(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "Other", Permalinks: []string{"/other"}})
	ref := must(w, posts.Create{Title: "One", Publish: true})
	target := posts.Target{ID: ref.ID}
	for name, c := range map[string]struct {
		cmd    posts.Update
		fields []string
	}{
		"revision": {posts.Update{Target: target, Revision: -1}, []string{"revision"}},
		"all": {
			posts.Update{
				Target: target, Revision: -1, Title: to(" "), Slug: to(""), Description: to("\x01"), Body: to("\x00"),
				Tags: to([]string{""}), Permalinks: to([]string{"//"}), PublishedAt: to(time.Time{}),
			},
			[]string{"revision", "title", "slug", "description", "body", "tags", "permalinks", "published_at"},
		},
		"taken": {
			posts.Update{Target: target, Revision: 1, Slug: to("other"), Permalinks: to([]string{"other"})},
			[]string{"slug", "permalinks"},
		},
		"date needed": {posts.Update{Target: target, Revision: 1, ClearDate: true}, []string{"published_at"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(w, c.cmd)
			repotest.WantFields(t, err, c.fields...)
		})
	}
	for _, target := range []posts.Target{{}, {ID: 99}, {Post: "nowhere"}} {
		for _, cmd := range []posts.Update{
			{Target: target, Revision: 1, Title: to("x")}, {Target: target, Revision: 1, Body: to("x")},
		} {
			if _, err := try(w, cmd); !errors.Is(err, apperr.NotFound) {
				t.Errorf("%+v: %v", target, err)
			}
		}
	}
}

func TestStatesByUpdate(t *testing.T) {
	w := mustWorld(t)
	now := w.clock.Now()
	later := to(now.Add(time.Hour))
	ref := must(w, posts.Create{Title: "One"})
	step := func(u posts.Update, want posts.State, at time.Time) {
		t.Helper()
		u.Target, u.Revision = posts.Target{ID: ref.ID}, ref.Revision
		ref = must(w, u)
		if p := w.post(ref.ID); ref.State != want || !p.PublishedAt.Equal(at) {
			t.Errorf("%+v: %s at %v", u, p.State, p.PublishedAt)
		}
	}
	step(posts.Update{PublishedAt: later}, posts.Draft, *later)
	step(posts.Update{Publish: to(true)}, posts.Scheduled, *later)
	step(posts.Update{Title: to("Two")}, posts.Scheduled, *later)
	step(posts.Update{PublishedAt: &now}, posts.Published, now)
	step(posts.Update{PublishedAt: later}, posts.Scheduled, *later)
	step(posts.Update{Publish: to(false)}, posts.Draft, *later)
	step(posts.Update{ClearDate: true}, posts.Draft, time.Time{})
	step(posts.Update{Publish: to(true)}, posts.Published, now)
	step(posts.Update{Publish: to(false), ClearDate: true}, posts.Draft, time.Time{})
	step(posts.Update{Publish: to(true), PublishedAt: later}, posts.Scheduled, *later)
	step(posts.Update{Publish: to(true), ClearDate: true}, posts.Published, now)
}

func TestPublishAndUnpublish(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{Title: "One"})
	target := posts.Target{ID: ref.ID}
	now := w.clock.Now()
	for _, s := range []struct {
		publish  bool
		at       *time.Time
		want     posts.State
		date     time.Time
		revision int64
		nothing  bool
	}{
		{publish: true, want: posts.Published, date: now, revision: 2},
		{publish: true, want: posts.Published, date: now, revision: 2, nothing: true},
		{publish: true, at: to(now.Add(-time.Hour)), want: posts.Published, date: now.Add(-time.Hour), revision: 3},
		{publish: true, at: to(now.Add(time.Hour)), want: posts.Scheduled, date: now.Add(time.Hour), revision: 4},
		{
			publish: true, at: to(now.Add(time.Hour)), want: posts.Scheduled, date: now.Add(time.Hour), revision: 4,
			nothing: true,
		},
		{want: posts.Draft, date: now.Add(time.Hour), revision: 5},
		{want: posts.Draft, date: now.Add(time.Hour), revision: 5, nothing: true},
		{publish: true, want: posts.Scheduled, date: now.Add(time.Hour), revision: 6},
		{publish: true, want: posts.Published, date: now, revision: 7}, // publishing again: do not wait for the date
	} {
		rows := w.rows()
		var err error
		if s.publish {
			ref, err = try(w, posts.Publish{Target: target, Revision: ref.Revision, At: s.at})
		} else {
			ref, err = try(w, posts.Unpublish{Target: target, Revision: ref.Revision})
		}
		p := w.post(target.ID)
		if err != nil || ref.State != s.want || ref.Revision != s.revision || ref.Unchanged != s.nothing ||
			!p.PublishedAt.Equal(s.date) || s.nothing != (w.rows() == rows) {
			t.Errorf("%+v: %+v at %v, %v", s, ref, p.PublishedAt, err)
		}
	}
	_, err := try(w, posts.Publish{Target: target, At: to(time.Time{})})
	repotest.WantFields(t, err, "published_at")
	for _, target := range []posts.Target{{ID: 99}, {Post: "nowhere"}} {
		if _, err := try(w, posts.Publish{Target: target}); !errors.Is(err, apperr.NotFound) {
			t.Error(err)
		}
		if _, err := try(w, posts.Unpublish{Target: target}); !errors.Is(err, apperr.NotFound) {
			t.Error(err)
		}
	}
	if _, err := try(w, posts.Publish{Target: target, Revision: 1}); !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Error(err)
	}
	if _, err := try(w, posts.Unpublish{Target: target, Revision: 1}); !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{Title: "One", Tags: []string{"a"}, Permalinks: []string{"/one"}, Publish: true})
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Slug: to("two")})
	must(w, posts.Pin{Target: posts.Target{ID: ref.ID}})
	if _, err := try(w, posts.Delete{
		Target: posts.Target{ID: ref.ID}, Revision: 1,
	}); !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Error(err)
	}
	got := must(w, posts.Delete{Target: posts.Target{Post: "two"}, Revision: 2})
	if want := (posts.Ref{ID: ref.ID, Slug: "two", State: posts.Published, Revision: 2}); got != want {
		t.Errorf("got %+v", got)
	}
	if _, err := try(w, posts.Delete{Target: posts.Target{Post: "two"}}); !errors.Is(err, apperr.NotFound) {
		t.Error(err)
	}
	for _, table := range []string{"posts", "old_slugs", "permalinks", "tags", "post_tags", "imports", "pins", "search"} {
		if n := w.count("SELECT COUNT(*) FROM " + table); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if again := must(w, posts.Create{Title: "One"}); again.ID == ref.ID || again.Slug != "one" {
		t.Errorf("the next one is %+v", again)
	}
}

func TestKeysReplay(t *testing.T) {
	w := mustWorld(t)
	c := posts.Create{Title: "One", Publish: true}
	first, one, err := repo.Do(w.ctx, w.replica, c, repo.WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	again, two, err := repo.Do(w.ctx, w.primary, c, repo.WithKey("k"))
	if err != nil || !two.Replayed || one.Cursor != two.Cursor {
		t.Errorf("got %+v, %v, want a replay at %v", two, err, one.Cursor)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the result of the replay (-first +again):\n%s", diff)
	}
	c.Body = "other"
	if _, err := try(w, c, repo.WithKey("k")); !apperr.HasReason(err, apperr.KeyReused) {
		t.Error(err)
	}
}
