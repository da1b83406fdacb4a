package app_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// bench is a node whose results of COMMITs the test sets.
type bench struct {
	log             repotest.Journal
	start           time.Time
	failing         repo.Writing // every COMMIT since the start has failed
	writing         atomic.Pointer[repo.Writing]
	primary, others atomic.Bool
	commits         app.Commits
	ended           atomic.Bool
}

const (
	writeStall    = 20 * time.Second
	checkInterval = 3 * time.Second
)

// watched runs work in a bubble, beside the watch of a primary whose COMMITs all fail from the
// start.
func watched(t *testing.T, others bool, work func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{start: time.Now()}
		b.failing = repo.Writing{State: repo.WriteFailing, Failed: 3, Since: b.start, Err: errors.New("database is locked")}
		b.writing.Store(&b.failing)
		b.primary.Store(true)
		b.others.Store(others)
		writing := func() repo.Writing { return *b.writing.Load() }
		b.commits = app.NewCommits(writing, b.primary.Load, b.others.Load, writeStall, b.log.Text())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.commits.Watch(ctx, checkInterval, func(error) { b.ended.Store(true) })
		}()
		work(t, b)
		stop()
		<-done
	})
}

// wait lets time pass and checks whether the watch has called end.
func (b *bench) wait(t *testing.T, until time.Duration, ended bool) {
	t.Helper()
	time.Sleep(time.Until(b.start.Add(until)))
	synctest.Wait()
	if b.ended.Load() != ended {
		t.Errorf("after %s: the end is asked for: %t, want %t", until, !ended, ended)
	}
}

// said checks how many lines the log has, and whether the status has a problem.
func (b *bench) said(t *testing.T, lines int, problem bool) {
	t.Helper()
	if n := strings.Count(b.log.String(), "no commit succeeds, and this node stays"); n != lines {
		t.Errorf("it is %d times in the log, want %d", n, lines)
	}
	if text := b.commits.Problem(); (text != "") != problem {
		t.Errorf("status says %q", text)
	}
}

// TestCommitsFailWhereOthersCanBeElected: the node ends so that another is elected, and not before
// WRITE_STALL is over.
func TestCommitsFailWhereOthersCanBeElected(t *testing.T) {
	watched(t, true, func(t *testing.T, b *bench) {
		t.Helper()
		b.wait(t, writeStall-1, false)
		b.wait(t, writeStall+checkInterval, true)
		b.said(t, 0, true)
	})
}

// hanging returns what is seen of writing when a step hangs since the start.
func (b *bench) hanging() *repo.Writing { return &repo.Writing{State: repo.WriteFit, Pending: b.start} }

// TestWriteHangsWhereOthersCanBeElected: nothing has failed, and the node ends after WRITE_STALL and two checks.
func TestWriteHangsWhereOthersCanBeElected(t *testing.T) {
	watched(t, true, func(t *testing.T, b *bench) {
		t.Helper()
		b.writing.Store(b.hanging())
		b.wait(t, writeStall+checkInterval-1, false)
		b.wait(t, writeStall+2*checkInterval, true)
		if text := b.commits.Problem(); !strings.Contains(text, "disk may hang") {
			t.Errorf("status says %q, want that the disk may hang", text)
		}
	})
}

// TestWritesThatAreSlow: steps that return, each after a long time, are no reason to end, also where a process that was
// stopped sees one of them once for longer than WRITE_STALL.
func TestWritesThatAreSlow(t *testing.T) {
	watched(t, true, func(t *testing.T, b *bench) {
		t.Helper()
		for range 100 {
			began := time.Now()
			b.writing.Store(&repo.Writing{State: repo.WriteFit, Pending: began})
			b.wait(t, began.Sub(b.start)+writeStall+checkInterval-1, false)
		}
		b.writing.Store(&repo.Writing{State: repo.WriteFit})
		b.wait(t, 2*time.Hour, false)
		b.said(t, 0, false)
	})
}

// TestStepSeenAtTwoTicksAtOnce: a process that was stopped may find two ticks at once. The step that it saw at the
// first has a whole interval from there on in which to return.
func TestStepSeenAtTwoTicksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var pending atomic.Pointer[repo.Writing]
		pending.Store(&repo.Writing{State: repo.WriteFit, Pending: start})
		stopped := false
		writing := func() repo.Writing {
			w := *pending.Load()
			if !stopped && time.Since(start) > writeStall { // one goroutine asks
				stopped = true
				time.Sleep(checkInterval - time.Millisecond)
			}
			return w
		}
		yes := func() bool { return true }
		var log repotest.Journal
		commits := app.NewCommits(writing, yes, yes, writeStall, log.Text())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			commits.Watch(ctx, checkInterval, func(err error) { t.Errorf("got the end: %v, want none", err) })
		}()
		time.Sleep(writeStall + checkInterval + 2*time.Second) // after two ticks at once, within an interval
		pending.Store(&repo.Writing{State: repo.WriteFit})
		time.Sleep(time.Hour)
		stop()
		<-done
	})
}

// TestWriteHangsWhereThisNodeIsAlone: the node says so once, and stays until there is another member.
func TestWriteHangsWhereThisNodeIsAlone(t *testing.T) {
	watched(t, false, func(t *testing.T, b *bench) {
		t.Helper()
		b.writing.Store(b.hanging())
		b.wait(t, time.Hour, false)
		b.said(t, 1, true)
		if text := b.log.String(); !strings.Contains(text, "a write has not returned for") {
			t.Errorf("the log says %s, want that a write has not returned", text)
		}
		b.others.Store(true)
		b.wait(t, time.Hour+2*checkInterval, true)
	})
}

// TestTooFewCommits: two failed commits prove nothing, however long ago they were.
func TestTooFewCommits(t *testing.T) {
	watched(t, true, func(t *testing.T, b *bench) {
		t.Helper()
		two := b.failing
		two.Failed = 2
		b.writing.Store(&two)
		b.wait(t, time.Hour, false)
		b.said(t, 0, false)
	})
}

// TestCommitsOfAnotherNode: commits that failed here before the role was lost no longer count.
func TestCommitsOfAnotherNode(t *testing.T) {
	watched(t, true, func(t *testing.T, b *bench) {
		t.Helper()
		b.primary.Store(false)
		b.wait(t, time.Hour, false)
		b.said(t, 0, false)
	})
}

// TestCommitsFailWhereThisNodeIsAlone: the node logs that commits fail, once each time, and stays
// until there is another member.
func TestCommitsFailWhereThisNodeIsAlone(t *testing.T) {
	watched(t, false, func(t *testing.T, b *bench) {
		t.Helper()
		b.wait(t, time.Hour, false)
		b.said(t, 1, true)
		b.writing.Store(&repo.Writing{State: repo.WriteFit})
		b.wait(t, time.Hour+2*checkInterval, false)
		b.said(t, 1, false)
		b.writing.Store(&b.failing)
		b.wait(t, time.Hour+4*checkInterval, false)
		b.said(t, 2, true)
		b.others.Store(true)
		b.wait(t, time.Hour+6*checkInterval, true)
	})
}
