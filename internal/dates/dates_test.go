package dates_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"blog/internal/dates"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestOneWriteByAWrongClock: a clock that jumps ten years ahead while the program runs
// releases no post, ends no session, sweeps no picture, and dates nothing that comes.
func TestOneWriteByAWrongClock(t *testing.T) {
	w := mustWorld(t)
	fill(t, w, 10_100, w.machine.Truth())
	w.machine.Set(years)
	w.replicas.Set(years)
	before := w.machine.Truth()
	w.must(t, posts.Create{Title: "Wrong", Publish: true}, repo.WithKey("wrong"))
	woken := false
	w.tasks(t, "the tasks have run", func() bool {
		if !woken { // a write wakes the releaser, and what is due would come out before the next
			woken = true
			w.must(t, posts.Create{Title: "Wakes"})
			return false
		}
		// What is due by the right time comes out, so the releaser has been at work.
		near := w.machine.Truth().Add(time.Second)
		ref := w.must(t, posts.Create{Title: "Due", Publish: true, PublishedAt: &near})
		w.machine.Pass(2 * time.Second)
		w.must(t, posts.Create{Title: "Wakes again"})
		repotest.Eventually(t, patience, "what is due is out", func() bool { return w.state(t, ref.ID) == posts.Published })
		return true
	})
	if state := w.state(t, w.post.ID); state != posts.Scheduled {
		t.Errorf("a post that is due in two days is %s", state)
	}
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session has ended on the primary")
	}
	if !w.alive(t, w.replica, w.replicaClock) {
		t.Error("the session has ended on the replica")
	}
	if _, err := w.service(w.replica, w.replicaClock).Renew(signedIn(t, w), "a browser"); err != nil {
		t.Errorf("a write of who is signed in: %v", err)
	}
	if n := w.count(t, "SELECT COUNT(*) FROM media WHERE hash = ?", w.picture); n != 1 {
		t.Error("a picture of a moment ago is swept")
	}
	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE key = 'fill-1'"); n != 1 {
		t.Error("keys of today are forgotten")
	}
	from, to := repo.FormatTime(before.Add(-time.Minute)), repo.FormatTime(before.Add(time.Minute))
	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE at NOT BETWEEN ? AND ?", from, to); n != 0 {
		t.Errorf("%d writes are dated otherwise", n)
	}
}

// TestReset: what a clock that was ahead has dated is put right, and nothing is doubled.
func TestReset(t *testing.T) {
	w := mustWorld(t)
	// The release before had no clock of its own: it believes what the machine says.
	w.machine.Set(years)
	if _, err := w.clock.Reset(true); err != nil {
		t.Fatal(err)
	}
	w.tasks(t, "the post is out before its time", func() bool { return w.state(t, w.post.ID) == posts.Published })
	created := w.must(t, posts.Create{Title: "By the wrong clock", Publish: true}, repo.WithKey("once"))
	if w.alive(t, w.primary, w.clock) {
		t.Fatal("nothing has happened")
	}
	w.machine.Set(0)
	if _, err := w.clock.Reset(true); err != nil { // as at the next start
		t.Fatal(err)
	}
	if problem := w.clock.Problem(); problem == "" {
		t.Error("writes are dated in ten years, and nothing is said")
	}
	now := w.machine.Truth()

	system := repotest.As(t.Context(), repo.System)
	if _, err := repo.Write(system, w.primary, dates.Reset{}); !errors.Is(err, repo.Forbidden) {
		t.Errorf("by somebody else: %v", err)
	}
	done, first, err := repo.Do(w.ctx, w.replica, dates.Reset{}, repo.WithKey("reset"))
	if err != nil || !done.Now.Equal(now) || done.Was.Before(now.Add(years)) {
		t.Fatalf("got %+v, %v", done, err)
	}
	if done.Writes < 2 || done.Sessions != 0 {
		t.Errorf("%d writes and %d sessions", done.Writes, done.Sessions)
	}
	if problem := w.clock.Problem(); problem != "" {
		t.Errorf("reset, and still %q", problem)
	}
	again, second, err := repo.Do(w.ctx, w.replica, dates.Reset{}, repo.WithKey("reset"))
	if err != nil || !second.Replayed || second.Seq != first.Seq || again != done {
		t.Errorf("the same key: %+v, %v", again, err)
	}
	rows := w.count(t, "SELECT COUNT(*) FROM writes")
	_, err = repo.Write(w.ctx, w.replica, dates.Reset{})
	if err != nil || w.count(t, "SELECT COUNT(*) FROM writes") != rows {
		t.Errorf("nothing to reset: %v", err)
	}

	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE at > ?", repo.FormatTime(now)); n != 0 {
		t.Errorf("%d writes are dated later", n)
	}
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session of before is over")
	}
	// Keys of meanwhile are known.
	ref := w.must(t, posts.Create{Title: "By the wrong clock", Publish: true}, repo.WithKey("once"))
	if ref != created || !w.receipt.Replayed {
		t.Errorf("once more: %+v, %+v", ref, w.receipt)
	}
	wantEarly(t, w, now, created.ID, w.post.ID)

	// What was released too early can be scheduled for its date again, and comes out then.
	w.must(t, posts.Unpublish{Target: posts.Target{ID: w.post.ID}})
	if ref := w.must(t, posts.Publish{Target: posts.Target{ID: w.post.ID}, At: &w.due}); ref.State != posts.Scheduled {
		t.Fatalf("got %+v", ref)
	}
	w.machine.Pass(49 * time.Hour)
	w.tasks(t, "the post is out at its time", func() bool { return w.state(t, w.post.ID) == posts.Published })
}

// TestResetOfSessionsAndPictures: what began by a clock that was ahead has the life of
// what begins now.
func TestResetOfSessionsAndPictures(t *testing.T) {
	w := mustWorld(t)
	now := w.machine.Truth()
	later := repo.FormatTime(now.Add(years))
	repotest.MustExec(t, w.path, "UPDATE sessions SET created_at = ?, expires_at = ?",
		later, repo.FormatTime(now.Add(2*years)))
	repotest.MustExec(t, w.path, "UPDATE media SET added_at = ?1, used_at = ?1", later)
	repotest.MustExec(t, w.path, "UPDATE writes SET at = ? WHERE seq = (SELECT MAX(seq) FROM writes)", later)
	done, err := repo.Write(w.ctx, w.primary, dates.Reset{})
	if err != nil || done.Sessions != 1 || done.Writes != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	w.machine.Pass(26 * time.Hour)
	w.tasks(t, "the picture is swept", func() bool { return w.count(t, "SELECT COUNT(*) FROM media") == 0 })
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session is over after a day")
	}
	w.machine.Pass(30 * 24 * time.Hour)
	if w.alive(t, w.primary, w.clock) {
		t.Error("the session lives after 31 days")
	}
}

// TestResetNeedsAClock: a clock that cannot be relied on is none to date writes back by.
func TestResetNeedsAClock(t *testing.T) {
	w := mustWorld(t)
	w.machine.Set(-years)
	later := w.machine.Truth().Add(years)
	repotest.MustExec(t, w.path,
		"UPDATE writes SET at = ? WHERE seq = (SELECT MAX(seq) FROM writes)", repo.FormatTime(later))
	if _, err := repo.Write(w.ctx, w.replica, dates.Reset{}); !repo.HasReason(err, repo.ClockDoubted) {
		t.Errorf("got %v", err)
	}
	done, err := repo.Write(w.ctx, w.replica, dates.Reset{Force: true})
	if err != nil || !done.Now.Equal(w.machine.Truth().Add(-years)) {
		t.Errorf("by force: %+v, %v", done, err)
	}
}

func wantEarly(t *testing.T, w *world, now time.Time, ids ...int64) {
	t.Helper()
	var got []posts.Card
	err := w.replica.View(w.ctx, func(rd repo.Reader) (err error) {
		got, err = posts.After(w.ctx, rd, now)
		return err
	})
	if err != nil || len(got) != len(ids) {
		t.Fatalf("got %d posts, %v", len(got), err)
	}
	for i, id := range ids {
		if got[i].ID != id {
			t.Errorf("got %d, want %d", got[i].ID, id)
		}
	}
}

// signedIn is the context of who has the world's session.
func signedIn(t *testing.T, w *world) context.Context {
	t.Helper()
	_, session, err := w.service(w.primary, w.clock).Session(t.Context(), w.token)
	if err != nil {
		t.Fatal(err)
	}
	return repo.As(t.Context(), session.Actor())
}

// fill adds rows of before to the history, so that keys may be forgotten.
func fill(t *testing.T, w *world, n int, at time.Time) {
	t.Helper()
	repotest.MustExec(t, w.path, `
		WITH RECURSIVE more (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM more WHERE i < ?)
		INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
		SELECT 'fill-' || i, x'00', randomblob(32), 'test', 'operator', '[]', '{}', ? FROM more`, n, repo.FormatTime(at))
}
