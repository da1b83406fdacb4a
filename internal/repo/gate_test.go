package repo_test

import (
	"context"
	"testing"
	"time"

	"blog/internal/repo"
)

// walk is a gate with a clock and a timer that the test turns.
type walk struct {
	repo.Gate
	tb    testing.TB
	now   time.Time
	rests []time.Duration
	end   func() // of the newest rest
}

func newWalk(tb testing.TB) *walk {
	tb.Helper()
	w := &walk{tb: tb, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.Gate = repo.NewGate(func() time.Time { return w.now }, func(d time.Duration, f func()) {
		w.rests, w.end = append(w.rests, d), f
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
	w.wait(repo.LongestRun / 2)
	w.mustEnter()
	w.Leave() // the first: the second still reads
	w.wait(repo.LongestRun)
	if w.open() {
		t.Fatal("reads go on for ever")
	}
	waiting := make(chan error, 1)
	go func() { waiting <- w.Enter(context.Background()) }()
	w.wait(350 * time.Millisecond)
	if len(w.rests) != 0 {
		t.Fatal("a rest with somebody inside")
	}
	w.Leave()
	if w.open() {
		t.Fatal("no rest")
	}
	// LiteFS may have waited for 500 ms: by then it tries every 32 ms.
	if len(w.rests) != 1 || w.rests[0] < 40*time.Millisecond || w.rests[0] > 60*time.Millisecond {
		t.Fatalf("rests of %v", w.rests)
	}
	w.end()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	w.mustEnter()
	w.Leave()
	w.Leave()
	if len(w.rests) != 1 {
		t.Errorf("rests of %v after a short run", w.rests)
	}
}

func TestGateStaysOpenWithPauses(t *testing.T) {
	w := newWalk(t)
	for range 50 {
		w.mustEnter()
		w.wait(repo.LongestRun)
		w.mustEnter()
		w.Leave()
		w.Leave()
	}
	// A long read alone is no reason either, until another comes.
	w.mustEnter()
	w.wait(time.Second)
	w.Leave()
	if len(w.rests) != 0 {
		t.Errorf("rests of %v", w.rests)
	}
}

func TestGateLetsTheFeedPass(t *testing.T) {
	w := newWalk(t)
	w.mustEnter()
	w.wait(2 * repo.LongestRun)
	if w.open() {
		t.Fatal("not shut")
	}
	w.Pass()
	w.Leave()
	if len(w.rests) != 0 {
		t.Fatal("a rest while the feed reads")
	}
	w.Leave()
	w.Pass() // in the rest: it ends when it would have
	w.Leave()
	if len(w.rests) != 1 {
		t.Fatalf("rests of %v", w.rests)
	}
	w.end()
	w.mustEnter()
	w.Leave()
}

func TestGateIsLeftByWhoGivesUp(t *testing.T) {
	w := newWalk(t)
	w.mustEnter()
	w.wait(2 * repo.LongestRun)
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
	if len(w.rests) != 1 {
		t.Errorf("rests of %v", w.rests)
	}
}
