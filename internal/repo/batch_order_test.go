package repo_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestBatchHasTheOrderOfArrival(t *testing.T) {
	l := MustHold(t)
	for i := range 40 {
		ask(l, put{Item: fmt.Sprint(i)})
	}
	l.run()
	l.succeeded(l.answers...)
	if l.commits != 1 {
		t.Errorf("%d commits, want 1", l.commits)
	}
	// Each row's mark follows from the one before and its own key, so every key has its own row.
	if n := MustCount(t, l.r, "SELECT COUNT(DISTINCT mark) FROM writes"); n != 40 {
		t.Errorf("%d marks, want 40", n)
	}
}

func TestBatchIsBounded(t *testing.T) {
	l := MustHold(t, func(o *repo.Options) { o.LiteFS = true })
	for i := range 3 * repo.MaxBatchCalls {
		ask(l, put{Item: fmt.Sprint(i)})
	}
	l.run()
	l.succeeded(l.answers...)
	if l.commits < 3 {
		t.Errorf("%d commits for %d calls, want at most %d calls in each", l.commits, len(l.answers), repo.MaxBatchCalls)
	}
	l.commits, l.answers = 0, nil
	l.hold()
	for i := range 12 { // the pages of one are a quarter of what a batch may have
		ask(l, put{Item: fmt.Sprint("large ", i), Value: strings.Repeat("x", repo.MaxBatchBytes/4)})
	}
	l.run()
	l.succeeded(l.answers...)
	if l.commits < 4 {
		t.Errorf("%d commits for %d bytes, want at most %d in each", l.commits, 12*repo.MaxBatchBytes/4, repo.MaxBatchBytes)
	}
}

// TestBatchAdmitsCallsForABoundedTime: calls that are in a batch wait for those that are admitted later.
func TestBatchAdmitsCallsForABoundedTime(t *testing.T) {
	l := MustHold(t)
	l.r.SetBatchTime(-time.Hour) // however slow this machine is
	for i := range 3 {
		ask(l, put{Item: fmt.Sprint(i)})
	}
	l.run()
	l.succeeded(l.answers...)
	if l.commits != 3 {
		t.Errorf("%d commits for 3 calls, want one for each", l.commits)
	}
}

// TestBatchesOfASlowDisk, in a bubble of synctest: on a machine where a COMMIT takes longer than a batch usually admits
// calls, those that come meanwhile share the next. Else each had a COMMIT of its own, and the more wait the less is
// done.
func TestBatchesOfASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustHold(t)
		l.r.SetBatchTime(-repo.MaxBatchTime / 2) // by itself no batch admits a second call
		l.commit = func(tx *sql.Tx) error {
			time.Sleep(4 * repo.MaxBatchTime)
			return tx.Commit()
		}
		commits := func(calls int) int {
			l.commits, l.answers = 0, nil
			for i := range calls {
				ask(l, put{Item: fmt.Sprint(i)})
			}
			l.run()
			l.succeeded(l.answers...)
			return l.commits
		}
		if n := commits(2); n != 2 {
			t.Errorf("%d commits of 2 calls before it is known how long one takes, want one for each", n)
		}
		l.hold()
		if n := commits(5); n != 1 {
			t.Errorf("%d commits of 5 calls, want 1", n)
		}
	})
}

// TestJobsComeFirst: the canary and the rollback for readers do not wait for the calls that wait.
func TestJobsComeFirst(t *testing.T) {
	l := MustHold(t)
	first := ask(l, put{Item: "first"})
	committing, goOn := make(chan struct{}), make(chan struct{})
	l.commit = func(tx *sql.Tx) error {
		if l.commits == 1 {
			close(committing)
			<-goOn
		}
		return tx.Commit()
	}
	l.release()
	<-committing
	second := ask(l, put{Item: "second"})
	seen := make(chan int, 1)
	go func() {
		release, err := l.r.HoldWriter(context.Background())
		if err != nil {
			t.Error(err)
			close(seen)
			return
		}
		defer release()
		seen <- l.r.Waiting()
	}()
	repotest.Eventually(t, patience, "the job waits", func() bool { return l.r.Jobs() == 1 })
	close(goOn)
	if n := <-seen; n != 1 {
		t.Errorf("%d calls waited when the job was done, want 1", n)
	}
	l.wait.Wait()
	l.succeeded(first, second)
}

// TestBulkCallsStandAside: when both queues wait, each is served in its order, and bulk calls get the smaller part.
func TestBulkCallsStandAside(t *testing.T) {
	l := MustHold(t)
	value := strings.Repeat("x", repo.MaxBatchBytes/8)
	var pieces, puts []*answer
	for i := range 12 {
		pieces = append(pieces, ask(l, piece{Item: fmt.Sprint("piece ", i), Value: value}))
	}
	for i := range 12 {
		puts = append(puts, ask(l, put{Item: fmt.Sprint("put ", i)}))
	}
	l.run()
	l.succeeded(pieces...)
	l.succeeded(puts...)
	if last, fifth := puts[11].receipt.Seq, pieces[4].receipt.Seq; last > fifth { // four are half of a batch
		t.Errorf("the last put is row %d, want it before the fifth piece's %d", last, fifth)
	}
	if first, last := pieces[0].receipt.Seq, puts[11].receipt.Seq; first > last {
		t.Errorf("the first piece is row %d, want it before the last put's %d", first, last)
	}
}

// TestPruningIsBounded: a batch of many writes removes no more old rows than a commit may have pages.
func TestPruningIsBounded(t *testing.T) {
	l := MustHold(t)
	const old = 10_500 // and the newest 10,000 stay
	repotest.MustExec(t, l.path, `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
		SELECT 'old ' || i, x'', randomblob(32), 'items.put', 'operator', '[]', 'null', '2020-01-01T00:00:00.000Z'
		FROM n`, old)
	for i := range 40 {
		ask(l, put{Item: fmt.Sprint(i)})
	}
	l.run()
	l.succeeded(l.answers...)
	if n, want := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"), old+40-repo.PruneMost; n != want {
		t.Errorf("%d rows, want %d", n, want)
	}
	if l.commits != 1 {
		t.Errorf("%d commits, want 1", l.commits)
	}
}

// TestLargeBulkCallGetsItsTurn: a bulk call larger than half of a batch does not wait for ever.
func TestLargeBulkCallGetsItsTurn(t *testing.T) {
	l := MustHold(t)
	large := ask(l, piece{Item: "large", Value: strings.Repeat("x", repo.MaxBatchBytes-20<<10)})
	var puts []*answer
	for i := range 3 * repo.MaxBatchCalls {
		puts = append(puts, ask(l, put{Item: fmt.Sprint(i)}))
	}
	l.run()
	l.succeeded(puts...)
	if large.err != nil {
		t.Errorf("the large one: got %v, want no error", large.err)
	}
	if at, second := large.receipt.Seq, puts[repo.MaxBatchCalls].receipt.Seq; at > second {
		t.Errorf("the large one is row %d, want it before row %d, in the second batch", at, second)
	}
}

// TestBulkCallsDoNotFillABatch: when the next of the other calls does not fit, no bulk call goes in its place.
func TestBulkCallsDoNotFillABatch(t *testing.T) {
	l := MustHold(t)
	var pieces []*answer
	for i := range 8 {
		pieces = append(pieces, ask(l, piece{Item: fmt.Sprint("piece ", i), Value: strings.Repeat("x", 60<<10)}))
	}
	small := ask(l, put{Item: "small"})
	large := ask(l, put{Item: "large", Value: strings.Repeat("x", 160<<10)})
	l.run()
	l.succeeded(small, large)
	l.succeeded(pieces...)
	if at, fifth := large.receipt.Seq, pieces[4].receipt.Seq; at > fifth {
		t.Errorf("the large put is row %d, want it before the fifth piece's %d", at, fifth)
	}
}
