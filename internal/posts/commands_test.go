package posts_test

import (
	"errors"
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
		t.Errorf("got %+v, want %+v", ref, want)
	}
	p := w.post(ref.ID)
	want := p
	want.Title, want.Description, want.Body = "Hello world", "About this", "One\ntwo.\n\n## Part\n"
	want.Author, want.AuthorEmail, want.PublishedAt = adaName, adaEmail, w.clock.Now()
	want.State, want.Minutes = posts.Published, 1
	want.Labels, want.Permalinks = []string{"go", "web-dev"}, []string{"/about"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("the post (-want +got):\n%s", diff)
	}
	if p.Excerpt == "" {
		t.Errorf("got the excerpt %q, want one", p.Excerpt)
	}
	if len(p.Headings) != 1 {
		t.Errorf("got the headings %v, want one", p.Headings)
	}
	if !strings.Contains(p.HTML, "<h2") {
		t.Errorf("got %s, want <h2 in it", p.HTML)
	}
	draft := must(w, posts.Create{Title: "Later", Slug: "Über_uns.1"})
	if want := (posts.Ref{ID: 2, Slug: "über_uns.1", State: posts.Draft, Revision: 1}); draft != want {
		t.Errorf("got %+v, want %+v", draft, want)
	}
	if p = w.post(draft.ID); !p.PublishedAt.IsZero() {
		t.Errorf("the draft has the date %v, want none", p.PublishedAt)
	}
	if p.Visible() {
		t.Errorf("the draft is %s, want %s", p.State, posts.Draft)
	}
	dated := must(w, posts.Create{Title: "Dated", PublishedAt: to(w.clock.Now().Add(time.Hour))})
	if dated.State != posts.Draft {
		t.Errorf("got %+v, want the state %s", dated, posts.Draft)
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
	w.wantRows("refused", before)
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
	p := w.post(ref.ID)
	if len(p.Labels) != 20 {
		t.Errorf("got %d tags, want 20", len(p.Labels))
	}
	if len(p.Permalinks) != 20 {
		t.Errorf("got %d permalinks, want 20", len(p.Permalinks))
	}
	if _, err := try(w, posts.Create{Title: "\u2067שלום\u2069 world"}); err != nil {
		t.Errorf("balanced isolates: %v", err)
	}
	second := must(w, posts.Create{Title: strings.Repeat("語", 120)})
	if _, problem := posts.CheckSlug(second.Slug); problem != "" {
		t.Errorf("the next slug %s: got the problem %q, want none", second.Slug, problem)
	}
	if !strings.HasSuffix(second.Slug, "-2") {
		t.Errorf("got the next slug %s, want -2 at its end", second.Slug)
	}
}

func TestAuthors(t *testing.T) {
	w := mustEmpty(t)
	_, err := try(w, posts.Create{Title: "x"})
	repotest.WantFields(t, err, "author")
	if !apperr.HasReason(err, posts.NoAuthor) {
		t.Errorf("got %v, want the reason %s", err, posts.NoAuthor)
	}
	if got := apperr.From(err).Message; !strings.Contains(got, "blog user add") {
		t.Errorf("got %q, want %q in it", got, "blog user add")
	}
	w.addUser(adaEmail, adaName)
	w.addUser("grace@example.org", "Grace Hopper")
	for author, want := range map[string]string{
		"": adaEmail, " GRACE@example.org": "grace@example.org", "Grace  Hopper": "grace@example.org",
	} {
		ref := must(w, posts.Create{Title: "x", Author: author})
		if p := w.post(ref.ID); p.AuthorEmail != want {
			t.Errorf("%q: got %s, want %s", author, p.AuthorEmail, want)
		}
	}
}

// TestUpdateOfWhateverIsThere: an operator may leave the revision out, which means the revision
// that the post has under the lock, also in a retry and after a change of the slug. An author, who
// has edited a certain text, has to send it.
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
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		want := posts.Ref{ID: target.ID, Slug: "one", State: s.want, Revision: s.revision, Unchanged: s.nothing}
		if ref != want {
			t.Errorf("%+v: got %+v, want %+v", s, ref, want)
		}
		if !p.PublishedAt.Equal(s.date) {
			t.Errorf("%+v: got the date %v, want %v", s, p.PublishedAt, s.date)
		}
		if got := w.rows() == rows; got != s.nothing {
			t.Errorf("%+v: without a write is %t, want %t", s, got, s.nothing)
		}
	}
	_, err := try(w, posts.Publish{Target: target, At: to(time.Time{})})
	repotest.WantFields(t, err, "published_at")
	for _, target := range []posts.Target{{ID: 99}, {Post: "nowhere"}} {
		if _, err := try(w, posts.Publish{Target: target}); !errors.Is(err, apperr.NotFound) {
			t.Errorf("publish %+v: got %v, want %v", target, err, apperr.NotFound)
		}
		if _, err := try(w, posts.Unpublish{Target: target}); !errors.Is(err, apperr.NotFound) {
			t.Errorf("unpublish %+v: got %v, want %v", target, err, apperr.NotFound)
		}
	}
	if _, err := try(w, posts.Publish{Target: target, Revision: 1}); !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("publish an old revision: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	if _, err := try(w, posts.Unpublish{Target: target, Revision: 1}); !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("unpublish an old revision: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
}

func TestDelete(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{Title: "One", Tags: []string{"a"}, Permalinks: []string{"/one"}, Publish: true})
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Slug: to("two")})
	must(w, posts.Pin{Target: posts.Target{ID: ref.ID}})
	_, err := try(w, posts.Delete{Target: posts.Target{ID: ref.ID}, Revision: 1})
	if !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("an old revision: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	got := must(w, posts.Delete{Target: posts.Target{Post: "two"}, Revision: 2})
	if want := (posts.Ref{ID: ref.ID, Slug: "two", State: posts.Published, Revision: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := try(w, posts.Delete{Target: posts.Target{Post: "two"}}); !errors.Is(err, apperr.NotFound) {
		t.Errorf("twice: got %v, want %v", err, apperr.NotFound)
	}
	for _, table := range []string{"posts", "old_slugs", "permalinks", "tags", "post_tags", "imports", "pins", "search"} {
		if n := w.count("SELECT COUNT(*) FROM " + table); n != 0 {
			t.Errorf("%d rows are left in %s, want 0", n, table)
		}
	}
	again := must(w, posts.Create{Title: "One"})
	if again.ID == ref.ID {
		t.Errorf("the next one is %+v, want another id than %d", again, ref.ID)
	}
	if again.Slug != "one" {
		t.Errorf("the next one is %+v, want the slug %s", again, "one")
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
	if err != nil {
		t.Fatal(err)
	}
	if !two.Replayed {
		t.Errorf("got %+v, want a replay", two)
	}
	if two.Cursor != one.Cursor {
		t.Errorf("got the cursor %v, want %v", two.Cursor, one.Cursor)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the result of the replay (-first +again):\n%s", diff)
	}
	c.Body = "other"
	if _, err := try(w, c, repo.WithKey("k")); !apperr.HasReason(err, apperr.KeyReused) {
		t.Errorf("another text: got %v, want the reason %s", err, apperr.KeyReused)
	}
}
