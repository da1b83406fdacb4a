package posts_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// released returns how many releases there were, of all posts.
func (w *world) released() int {
	w.tb.Helper()
	return w.count("SELECT COUNT(*) FROM writes WHERE name = 'posts.release'")
}

// releaser runs the task with the world's clock until the test ends.
func (w *world) releaser() {
	w.tb.Helper()
	ctx, cancel := context.WithCancel(repotest.As(w.tb.Context(), repo.System))
	done := make(chan struct{})
	go func() {
		defer close(done)
		posts.Releaser(slog.New(slog.DiscardHandler), w.clock.Now)(ctx, w.primary)
	}()
	w.tb.Cleanup(func() { cancel(); <-done })
}

func (w *world) state(id int64) posts.State {
	w.tb.Helper()
	return w.post(id).State
}

func TestReleasesWhatIsOverdueAtTheStart(t *testing.T) {
	w := mustWorld(t)
	var ids []int64
	for _, in := range []time.Duration{time.Hour, 2 * time.Hour, 30 * time.Hour} {
		ids = append(ids,
			must(w, posts.Create{Title: "Later", Tags: []string{"a"}, Publish: true, PublishedAt: to(w.clock.Now().Add(in))}).ID)
	}
	w.clock.Advance(3 * time.Hour)
	w.releaser()
	repotest.Eventually(t, patience, "two are released", func() bool { return w.released() == 2 })
	states := []posts.State{w.state(ids[0]), w.state(ids[1]), w.state(ids[2])}
	if diff := cmp.Diff([]posts.State{posts.Published, posts.Published, posts.Scheduled}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	p := w.post(ids[0])
	if p.Revision != 1 {
		t.Errorf("got revision %d, want 1", p.Revision)
	}
	if want := w.clock.Now().Add(-2 * time.Hour); !p.PublishedAt.Equal(want) {
		t.Errorf("published at %v, want %v", p.PublishedAt, want)
	}
	if want := w.clock.Now(); !p.UpdatedAt.Equal(want) {
		t.Errorf("updated at %v, want %v", p.UpdatedAt, want)
	}
	// The clock of the test stands still, so the next date wakes nobody. A write does.
	w.clock.Advance(30 * time.Hour)
	must(w, posts.Create{Title: "Wakes"})
	repotest.Eventually(t, patience, "the third", func() bool { return w.state(ids[2]) == posts.Published })
	if n := w.released(); n != 3 {
		t.Errorf("got %d releases, want 3", n)
	}
}

func TestEarlierDateWakesTheReleaser(t *testing.T) {
	w := mustWorld(t)
	far := must(w, posts.Create{Title: "Far", Publish: true, PublishedAt: to(w.clock.Now().Add(24 * time.Hour))})
	w.releaser()
	near := must(w, posts.Create{Title: "Near", Publish: true, PublishedAt: to(w.clock.Now().Add(200 * time.Millisecond))})
	w.clock.Advance(200 * time.Millisecond)
	repotest.Eventually(t, patience, "the near one is released", func() bool {
		return w.state(near.ID) == posts.Published
	})
	if got := w.state(far.ID); got != posts.Scheduled {
		t.Errorf("the far one is %s, want %s", got, posts.Scheduled)
	}
	again := must(w, posts.Publish{Target: posts.Target{ID: far.ID}, At: to(w.clock.Now().Add(100 * time.Millisecond))})
	w.clock.Advance(100 * time.Millisecond)
	repotest.Eventually(t, patience, "the far one, at its new date", func() bool {
		return w.state(again.ID) == posts.Published
	})
	if n := w.released(); n != 2 {
		t.Errorf("got %d releases, want 2", n)
	}
}

func TestReleaseOnceWhoeverAsks(t *testing.T) {
	w := mustWorld(t)
	due := w.clock.Now().Add(time.Hour)
	ref := must(w, posts.Create{Title: "Later", Publish: true, PublishedAt: &due})
	system := repotest.As(t.Context(), repo.System)
	cmd := posts.Release{ID: ref.ID, Due: due}
	key := repo.WithKey(posts.ReleaseKey(ref.ID, due))
	if _, err := repo.Write(system, w.primary, cmd, key); !errors.Is(err, apperr.Conflict) {
		t.Errorf("before its time: got %v, want %v", err, apperr.Conflict)
	}
	if _, err := repo.Write(w.ctx, w.primary, cmd); !errors.Is(err, apperr.Forbidden) {
		t.Errorf("by the operator: got %v, want %v", err, apperr.Forbidden)
	}
	w.clock.Advance(time.Hour)
	first, one, err := repo.Do(system, w.primary, cmd, key)
	if err != nil {
		t.Fatal(err)
	}
	if one.Replayed {
		t.Fatalf("the first time: got %+v, want no replay", one)
	}
	second, two, err := repo.Do(system, w.replica, cmd, key)
	if err != nil {
		t.Fatal(err)
	}
	if !two.Replayed {
		t.Errorf("the second time: got %+v, want a replay", two)
	}
	if second != first {
		t.Errorf("the second time: got %+v, want %+v", second, first)
	}
	if two.Cursor != one.Cursor {
		t.Errorf("the second time: got the cursor %v, want %v", two.Cursor, one.Cursor)
	}
	if _, err := repo.Write(system, w.primary, cmd); !errors.Is(err, apperr.Conflict) {
		t.Errorf("again, with another key: got %v, want %v", err, apperr.Conflict)
	}
}

// TestSameDateAgainAfterTheRelease: the key of a release works once, so a post must never be
// scheduled again for the date at which it was released. It cannot be: the time of a write is never
// before that of the write before it, and by then that date has come.
func TestSameDateAgainAfterTheRelease(t *testing.T) {
	w := mustWorld(t)
	due := w.clock.Now().Add(time.Hour)
	ref := must(w, posts.Create{Title: "Later", Publish: true, PublishedAt: &due})
	target := posts.Target{ID: ref.ID}
	// The post is unpublished and scheduled again for the same date before that date comes.
	must(w, posts.Unpublish{Target: target})
	if ref = must(w, posts.Publish{Target: target}); ref.State != posts.Scheduled {
		t.Fatalf("the same date again: got %+v, want the state %s", ref, posts.Scheduled)
	}
	w.clock.Advance(time.Hour)
	w.releaser()
	repotest.Eventually(t, patience, "released", func() bool { return w.state(ref.ID) == posts.Published })
	// The clock of the next primary is hours behind.
	w.clock.Advance(-3 * time.Hour)
	must(w, posts.Unpublish{Target: target})
	if ref = must(w, posts.Publish{Target: target, At: &due}); ref.State != posts.Published {
		t.Errorf("by a clock that is behind: got %+v, want the state %s", ref, posts.Published)
	}
	// A primary whose clock is behind waits for its own clock, whatever the history has.
	soon := must(w, posts.Publish{Target: target, At: to(due.Add(time.Millisecond))})
	if soon.State != posts.Scheduled {
		t.Errorf("a little later: got %+v, want the state %s", soon, posts.Scheduled)
	}
	w.clock.Advance(3*time.Hour + time.Millisecond)
	must(w, posts.Create{Title: "Wakes"})
	repotest.Eventually(t, patience, "released again", func() bool { return w.state(ref.ID) == posts.Published })
	if n := w.released(); n != 2 {
		t.Errorf("got %d releases, want 2", n)
	}
}

func TestReleaserGoesOnWhereOnePostFails(t *testing.T) {
	w := mustWorld(t)
	due := w.clock.Now().Add(time.Hour)
	first := must(w, posts.Create{Title: "First", Publish: true, PublishedAt: &due})
	second := must(w, posts.Create{Title: "Second", Publish: true, PublishedAt: &due})
	third := must(w, posts.Create{Title: "Third", Publish: true, PublishedAt: &due})
	// Another write has used the second post's key.
	must(w, posts.Create{Title: "Squatter"}, repo.WithKey(posts.ReleaseKey(second.ID, due)))
	w.exec("CREATE TRIGGER refuse BEFORE UPDATE ON posts WHEN new.slug = 'first' BEGIN SELECT RAISE(ABORT, 'no'); END")
	w.clock.Advance(time.Hour)
	w.releaser()
	repotest.Eventually(t, patience, "the others are released", func() bool {
		return w.state(second.ID) == posts.Published && w.state(third.ID) == posts.Published
	})
	w.exec("DROP TRIGGER refuse")
	repotest.Eventually(t, patience, "the first, too", func() bool { return w.state(first.ID) == posts.Published })
}

// TestReleaseIsNoEdit: an author who edits a scheduled post while it is released has no conflict,
// and its file counts as unedited.
func TestReleaseIsNoEdit(t *testing.T) {
	w := mustWorld(t)
	due := w.clock.Now().Add(time.Hour)
	file := posts.Import{Path: "a.md", Raw: []byte("a"), Title: "A", Slug: "a", Body: "one", PublishedAt: &due}
	ref := must(w, file)
	w.clock.Advance(time.Hour)
	w.releaser()
	repotest.Eventually(t, patience, "released", func() bool { return w.state(ref.ID) == posts.Published })
	rows := w.rows()
	want := unchanged(ref)
	want.State = posts.Published
	if again := must(w, file); again != want {
		t.Errorf("the same file: got %+v, want %+v", again, want)
	}
	w.wantRows("the same file", rows)
	file.Raw, file.Body = []byte("b"), "two"
	want.Revision, want.Unchanged = 2, false
	if again := must(w, file); again != want {
		t.Errorf("the file changed: got %+v, want %+v", again, want)
	}
	got := must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 2, Body: to("three"), PublishedAt: &due})
	want.Revision = 3
	if got != want {
		t.Errorf("an edit: got %+v, want %+v", got, want)
	}
	key := posts.ReleaseKey(7, due)
	if !strings.HasPrefix(key, "release:7:20") {
		t.Errorf("got the key %q, want it to begin with %q", key, "release:7:20")
	}
	if len(key) > 200 {
		t.Errorf("the key %q has %d bytes, want at most 200", key, len(key))
	}
}
