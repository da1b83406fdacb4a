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

func TestUpdate(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{
		Title: "One", Body: "old", Tags: []string{"a", "b"}, Permalinks: []string{"/one"}, Description: "d", Publish: true,
	})
	same, err := try(w, posts.Update{
		Target: posts.Target{Post: "ONE"}, Revision: 1, Title: to("One"), Body: to("old"), Tags: to([]string{"A", "b"}),
	})
	if err != nil {
		t.Fatalf("nothing to do: %v", err)
	}
	if want := unchanged(ref); same != want {
		t.Errorf("nothing to do: got %+v, want %+v", same, want)
	}
	w.wantRows("nothing to do", 1)
	created := w.clock.Now()
	w.clock.Advance(time.Minute)
	got := must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Title: to("Two"), Body: to("new *text*")})
	p := w.post(ref.ID)
	want := p
	want.Slug, want.Description, want.PublishedAt = "one", "d", created
	want.Labels, want.Permalinks = []string{"a", "b"}, []string{"/one"}
	want.Revision, want.Title, want.Body, want.UpdatedAt = 2, "Two", "new *text*", w.clock.Now()
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("the post (-want +got):\n%s", diff)
	}
	if got.Revision != 2 {
		t.Errorf("got %+v, want revision 2", got)
	}
	if !strings.Contains(p.HTML, "<em>text</em>") {
		t.Errorf("got %s, want <em>text</em> in it", p.HTML)
	}
	_, err = try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Body: to("mine")})
	if !errors.Is(err, apperr.Conflict) {
		t.Errorf("text of an old revision: got %v, want %v", err, apperr.Conflict)
	}
	if !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("text of an old revision: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	_, err = try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Title: to("mine")})
	if !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("title of an old revision: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	if got := w.post(ref.ID).Title; got != "Two" {
		t.Errorf("title of an old revision: got %q, want %q", got, "Two")
	}
	got = must(w, posts.Update{
		Target: posts.Target{ID: ref.ID}, Revision: 2, Slug: to("Deux"), Description: to(""), Tags: to([]string{}),
		Permalinks: to([]string{"/b", "/a"}),
	})
	p = w.post(ref.ID)
	want.Slug, want.Description, want.Labels, want.Permalinks = "deux", "", []string{}, []string{"/b", "/a"}
	want.Revision = 3
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("the post (-want +got):\n%s", diff)
	}
	if got.Slug != "deux" {
		t.Errorf("got %+v, want the slug %s", got, "deux")
	}
	if n := w.count("SELECT COUNT(*) FROM tags"); n != 0 {
		t.Errorf("%d tags are left that nobody carries, want 0", n)
	}
}

func TestUpdateOfWhateverIsThere(t *testing.T) {
	w := mustWorld(t)
	must(w, posts.Create{Title: "One", Publish: true})
	cmd := posts.Update{Target: posts.Target{Post: "one"}, Slug: to("two"), Body: to("Text.")}
	first, receipt, err := repo.Do(w.ctx, w.replica, cmd, repo.WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Replayed {
		t.Fatalf("the first time: got %+v, want no replay", receipt)
	}
	if first.Slug != "two" {
		t.Errorf("the first time: got %+v, want the slug %s", first, "two")
	}
	again, receipt, err := repo.Do(w.ctx, w.primary, cmd, repo.WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	if !receipt.Replayed {
		t.Errorf("the same again: got %+v, want a replay", receipt)
	}
	if again != first {
		t.Errorf("the same again: got %+v, want %+v", again, first)
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
				t.Errorf("%+v: got %v, want %v", target, err, apperr.NotFound)
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
		if ref.State != want {
			t.Errorf("%+v: got the state %s, want %s", u, ref.State, want)
		}
		if p := w.post(ref.ID); !p.PublishedAt.Equal(at) {
			t.Errorf("%+v: got the date %v, want %v", u, p.PublishedAt, at)
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
