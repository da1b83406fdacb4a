package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"blog/internal/sqlite"
)

// walk is a gate with a clock and a timer that the test turns.
type walk struct {
	sqlite.Gate
	tb     testing.TB
	now    time.Time
	pauses []time.Duration
	end    func() // of the newest rest
}

func newWalk(tb testing.TB) *walk {
	tb.Helper()
	w := &walk{tb: tb, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.Gate = sqlite.NewGate(func() time.Time { return w.now }, func(d time.Duration, f func()) {
		w.pauses, w.end = append(w.pauses, d), f
	})
	return w
}

func (w *walk) wait(d time.Duration) { w.now = w.now.Add(d) }

// open reports whether one more may enter, who then has.
func (w *walk) open() bool {
	w.tb.Helper()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	return w.Enter(gone) == nil
}

func (w *walk) mustEnter() {
	w.tb.Helper()
	if !w.open() {
		w.tb.Fatal("the gate is shut")
	}
}

func TestGateShutsAfterALongRun(t *testing.T) {
	w := newWalk(t)
	w.mustEnter()
	w.wait(sqlite.LongestRun / 2)
	w.mustEnter()
	w.Leave() // the first: the second still reads
	w.wait(sqlite.LongestRun)
	if w.open() {
		t.Fatal("reads go on for ever")
	}
	waiting := make(chan error, 1)
	go func() { waiting <- w.Enter(context.Background()) }()
	w.wait(350 * time.Millisecond)
	if len(w.pauses) != 0 {
		t.Fatal("a rest with somebody inside")
	}
	w.Leave()
	if w.open() {
		t.Fatal("no rest")
	}
	// LiteFS may have waited for 500 ms: by then it tries every 32 ms.
	if len(w.pauses) != 1 || w.pauses[0] < 40*time.Millisecond || w.pauses[0] > 60*time.Millisecond {
		t.Fatalf("rests of %v, want 1 of them, at least %v and at most %v", w.pauses, 40*time.Millisecond,
			60*time.Millisecond)
	}
	w.end()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	w.mustEnter()
	w.Leave()
	w.Leave()
	if len(w.pauses) != 1 {
		t.Errorf("rests of %v after a short run, want 1 of them", w.pauses)
	}
}

func TestGateStaysOpenWithPauses(t *testing.T) {
	w := newWalk(t)
	for range 50 {
		w.mustEnter()
		w.wait(sqlite.LongestRun)
		w.mustEnter()
		w.Leave()
		w.Leave()
	}
	// A long read alone is no reason either, until another comes.
	w.mustEnter()
	w.wait(time.Second)
	w.Leave()
	if len(w.pauses) != 0 {
		t.Errorf("rests of %v, want 0 of them", w.pauses)
	}
}

func TestGateLetsTheFeedPass(t *testing.T) {
	w := newWalk(t)
	w.mustEnter()
	w.wait(2 * sqlite.LongestRun)
	if w.open() {
		t.Fatal("not shut")
	}
	w.Pass()
	w.Leave()
	if len(w.pauses) != 0 {
		t.Fatal("a rest while the feed reads")
	}
	w.Leave()
	w.Pass() // in the rest: it ends when it would have
	w.Leave()
	if len(w.pauses) != 1 {
		t.Fatalf("rests of %v, want 1 of them", w.pauses)
	}
	w.end()
	w.mustEnter()
	w.Leave()
}

func TestGateIsLeftByWhoGivesUp(t *testing.T) {
	w := newWalk(t)
	w.mustEnter()
	w.wait(2 * sqlite.LongestRun)
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error, 1)
	go func() { waiting <- w.Enter(ctx) }()
	cancel()
	if err := <-waiting; err == nil {
		t.Fatal("it is in")
	}
	w.Leave()
	w.end()
	w.mustEnter()
	w.Leave()
	if len(w.pauses) != 1 {
		t.Errorf("rests of %v, want 1 of them", w.pauses)
	}
}

// TestWhoWaitsAtTheGate: readers of a replica, and neither those of a primary, into which nothing replicates, nor the
// program's own short reads.
func TestWhoWaitsAtTheGate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	db, err := sqlite.OpenWriter(t.Context(), path, sqlite.JournalDelete)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), "CREATE TABLE items (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if err = db.Close(); err != nil {
		t.Fatal(err)
	}
	primary := false
	d, err := sqlite.Open(path, sqlite.Options{LiteFS: true, Writes: func() bool { return primary }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWalk(t)
	d.SetGate(w.Gate)
	w.mustEnter()
	w.wait(2 * sqlite.LongestRun)
	if w.open() {
		t.Fatal("the gate is open")
	}
	type view func(ctx context.Context, fn func(rd sqlite.Reader) error) error
	for _, c := range []struct {
		who     string
		primary bool
		view    view
		waits   bool
	}{
		{"a reader of a replica", false, d.View, true},
		{"a replica's feed", false, d.ViewReserved, false},
		{"a reader of a primary", true, d.View, false},
	} {
		primary = c.primary
		limit := 15 * time.Second
		if c.waits {
			limit = 50 * time.Millisecond // it waits for as long as it may
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := c.view(ctx, func(rd sqlite.Reader) error {
			return rd.QueryRowContext(ctx, "SELECT COUNT(*) FROM items").Scan(new(int))
		})
		cancel()
		if waited := errors.Is(err, context.DeadlineExceeded); waited != c.waits || !waited && err != nil {
			t.Errorf("%s: %v; want a wait: %v", c.who, err, c.waits)
		}
	}
}
