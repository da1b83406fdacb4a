package dates_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/dates"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestOneWriteByAWrongClock: after a clock has jumped ten years ahead while the program runs, no post is
// released, no session ends, no picture is swept, and later writes are dated right.
func TestOneWriteByAWrongClock(t *testing.T) {
	w := mustWorld(t)
	fill(t, w, 10_100, w.machine.Truth())
	w.machine.Set(years)
	w.replicas.Set(years)
	before := w.machine.Truth()
	w.must(t, posts.Create{Title: "Wrong", Publish: true}, repo.WithKey("wrong"))
	woken := false
	w.tasks(t, "the tasks have run", func() bool {
		if !woken { // a write wakes the releaser, which would release posts that are due
			woken = true
			w.must(t, posts.Create{Title: "Wakes"})
			return false
		}
		// A post that is due by the right time is released, so the releaser has run.
		near := w.machine.Truth().Add(time.Second)
		ref := w.must(t, posts.Create{Title: "Due", Publish: true, PublishedAt: &near})
		w.machine.Pass(2 * time.Second)
		w.must(t, posts.Create{Title: "Wakes again"})
		repotest.Eventually(t, patience, "what is due is out", func() bool { return w.state(t, ref.ID) == posts.Published })
		return true
	})
	if state := w.state(t, w.post.ID); state != posts.Scheduled {
		t.Errorf("a post that is due in two days is %s, want %v", state, posts.Scheduled)
	}
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session has ended on the primary, want it alive")
	}
	if !w.alive(t, w.replica, w.replicaClock) {
		t.Error("the session has ended on the replica, want it alive")
	}
	if _, err := w.service(w.replica, w.replicaClock).Renew(signedIn(t, w), "a browser"); err != nil {
		t.Errorf("a write of who is signed in: got the error %v, want none", err)
	}
	if n := w.count(t, "SELECT COUNT(*) FROM media WHERE hash = ?", w.picture); n != 1 {
		t.Errorf("got %d pictures of a moment ago, want 1", n)
	}
	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE key = 'fill-1'"); n != 1 {
		t.Errorf("got %d rows of a key of today, want 1", n)
	}
	from, to := repo.FormatTime(before.Add(-time.Minute)), repo.FormatTime(before.Add(time.Minute))
	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE at NOT BETWEEN ? AND ?", from, to); n != 0 {
		t.Errorf("%d writes are dated otherwise, want 0", n)
	}
}

// TestReset: the command corrects what a clock that was ahead has dated, and repeats no write.
func TestReset(t *testing.T) {
	w := mustWorld(t)
	created := releasedByAWrongClock(t, w)
	now := w.machine.Truth()
	resetsOnce(t, w, now)

	if n := w.count(t, "SELECT COUNT(*) FROM writes WHERE at > ?", repo.FormatTime(now)); n != 0 {
		t.Errorf("%d writes are dated later, want 0", n)
	}
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session of before is over, want it alive")
	}
	// Keys of writes by the wrong clock still count.
	ref := w.must(t, posts.Create{Title: "By the wrong clock", Publish: true}, repo.WithKey("once"))
	if ref != created {
		t.Errorf("once more: got %+v, want %+v", ref, created)
	}
	if !w.receipt.Replayed {
		t.Errorf("once more: got %+v, want Replayed true", w.receipt)
	}
	wantEarly(t, w, now, created.ID, w.post.ID)

	// A post that was released too early can be scheduled for its date again, and is released then.
	w.must(t, posts.Unpublish{Target: posts.Target{ID: w.post.ID}})
	if ref := w.must(t, posts.Publish{Target: posts.Target{ID: w.post.ID}, At: &w.due}); ref.State != posts.Scheduled {
		t.Fatalf("got %+v, want State %v", ref, posts.Scheduled)
	}
	w.machine.Pass(49 * time.Hour)
	w.tasks(t, "the post is out at its time", func() bool { return w.state(t, w.post.ID) == posts.Published })
}

// releasedByAWrongClock has the primary run by a clock that is years ahead and then by the right one
// again. It returns the post that was made by the wrong clock, under the key once.
func releasedByAWrongClock(t *testing.T, w *world) posts.Ref {
	t.Helper()
	// The release before has no clock of its own, and believes the machine's.
	w.machine.Set(years)
	if _, err := w.clock.Reset(true); err != nil {
		t.Fatal(err)
	}
	w.tasks(t, "the post is out before its time", func() bool { return w.state(t, w.post.ID) == posts.Published })
	created := w.must(t, posts.Create{Title: "By the wrong clock", Publish: true}, repo.WithKey("once"))
	if w.alive(t, w.primary, w.clock) {
		t.Fatal("the session is alive by the wrong clock, want it ended")
	}
	w.machine.Set(0)
	if _, err := w.clock.Reset(true); err != nil { // as the next start does
		t.Fatal(err)
	}
	if problem := w.clock.Problem(); problem == "" {
		t.Error("writes are dated in ten years: got no problem, want one")
	}
	return created
}

// resetsOnce runs the command: only the operator may, a retry is a replay, and the second command finds
// nothing to do.
func resetsOnce(t *testing.T, w *world, now time.Time) {
	t.Helper()
	system := repotest.As(t.Context(), repo.System)
	if _, err := repo.Write(system, w.primary, dates.Reset{}); !errors.Is(err, apperr.Forbidden) {
		t.Errorf("by somebody else: %v, want %v", err, apperr.Forbidden)
	}
	done, first, err := repo.Do(w.ctx, w.replica, dates.Reset{}, repo.WithKey("reset"))
	if err != nil {
		t.Fatal(err)
	}
	if !done.Now.Equal(now) {
		t.Fatalf("got Now %v, want %v", done.Now, now)
	}
	if least := now.Add(years); done.Was.Before(least) {
		t.Fatalf("got Was %v, want at least %v", done.Was, least)
	}
	if done.Writes < 2 {
		t.Errorf("got %d writes, want at least 2", done.Writes)
	}
	if done.Sessions != 0 {
		t.Errorf("got %d sessions, want 0", done.Sessions)
	}
	if problem := w.clock.Problem(); problem != "" {
		t.Errorf("reset, and still %q, want none", problem)
	}
	again, second, err := repo.Do(w.ctx, w.replica, dates.Reset{}, repo.WithKey("reset"))
	if err != nil {
		t.Fatalf("the same key: %v", err)
	}
	if !second.Replayed {
		t.Errorf("the same key: got %+v, want Replayed true", second)
	}
	if second.Seq != first.Seq {
		t.Errorf("the same key: got row %d, want %d", second.Seq, first.Seq)
	}
	if again != done {
		t.Errorf("the same key: got %+v, want %+v", again, done)
	}
	rows := w.count(t, "SELECT COUNT(*) FROM writes")
	if _, err = repo.Write(w.ctx, w.replica, dates.Reset{}); err != nil {
		t.Fatalf("nothing to reset: %v", err)
	}
	if n := w.count(t, "SELECT COUNT(*) FROM writes"); n != rows {
		t.Errorf("nothing to reset: got %d rows, want %d", n, rows)
	}
}

// TestResetOfSessionsAndPictures: sessions and pictures that began by a clock that was ahead last as long as
// those that begin now.
func TestResetOfSessionsAndPictures(t *testing.T) {
	w := mustWorld(t)
	now := w.machine.Truth()
	later := repo.FormatTime(now.Add(years))
	repotest.MustExec(t, w.path, "UPDATE sessions SET created_at = ?, expires_at = ?",
		later, repo.FormatTime(now.Add(2*years)))
	repotest.MustExec(t, w.path, "UPDATE media SET added_at = ?1, used_at = ?1", later)
	repotest.MustExec(t, w.path, "UPDATE writes SET at = ? WHERE seq = (SELECT MAX(seq) FROM writes)", later)
	done, err := repo.Write(w.ctx, w.primary, dates.Reset{})
	if err != nil {
		t.Fatal(err)
	}
	if done.Sessions != 1 {
		t.Fatalf("got %d sessions, want 1", done.Sessions)
	}
	if done.Writes != 1 {
		t.Fatalf("got %d writes, want 1", done.Writes)
	}
	w.machine.Pass(26 * time.Hour)
	w.tasks(t, "the picture is swept", func() bool { return w.count(t, "SELECT COUNT(*) FROM media") == 0 })
	if !w.alive(t, w.primary, w.clock) {
		t.Error("the session is over after a day, want it alive")
	}
	w.machine.Pass(30 * 24 * time.Hour)
	if w.alive(t, w.primary, w.clock) {
		t.Error("the session lives after 31 days, want it ended")
	}
}

// TestResetNeedsAClock: a clock in doubt dates no writes back.
func TestResetNeedsAClock(t *testing.T) {
	w := mustWorld(t)
	w.machine.Set(-years)
	later := w.machine.Truth().Add(years)
	repotest.MustExec(t, w.path,
		"UPDATE writes SET at = ? WHERE seq = (SELECT MAX(seq) FROM writes)", repo.FormatTime(later))
	if _, err := repo.Write(w.ctx, w.replica, dates.Reset{}); !apperr.HasReason(err, apperr.ClockDoubted) {
		t.Errorf("got %v, want the reason %v", err, apperr.ClockDoubted)
	}
	done, err := repo.Write(w.ctx, w.replica, dates.Reset{Force: true})
	if err != nil {
		t.Fatalf("by force: %v", err)
	}
	if want := w.machine.Truth().Add(-years); !done.Now.Equal(want) {
		t.Errorf("by force: got Now %v, want %v", done.Now, want)
	}
}

func wantEarly(t *testing.T, w *world, now time.Time, ids ...int64) {
	t.Helper()
	var got []posts.Card
	err := w.replica.View(w.ctx, func(rd repo.Reader) (err error) {
		got, err = posts.After(w.ctx, rd, now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(ids) {
		t.Fatalf("got %d posts, want %d", len(got), len(ids))
	}
	for i, id := range ids {
		if got[i].ID != id {
			t.Errorf("got %d, want %d", got[i].ID, id)
		}
	}
}

// signedIn returns the context of the user with the world's session.
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
