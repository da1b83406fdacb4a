package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestOddCallsReachNobodyElse: whatever one call of a batch does, the others are executed once.
func TestOddCallsReachNobodyElse(t *testing.T) {
	for how, fails := range map[string]bool{
		"unread row": false, "unread rows": false, "unread rows, refused": true, "slow": false,
		"slow, overlooked": false, "panic": true, "refuse": true, "end": true, "end, overlooked": true, "upkeep": false,
		"bad upkeep": false, "ending upkeep": false, "no change": false,
	} {
		t.Run(how, func(t *testing.T) {
			l := MustHold(t)
			first := ask(l, put{Item: "first"}, repo.WithKey("first"))
			o := ask(l, odd{Item: "odd", How: how}, repo.WithKey("odd"))
			second := ask(l, put{Item: "second"})
			replay := ask(l, put{Item: "first"}, repo.WithKey("first"))
			l.run()
			l.succeeded(first, second)
			if failed := o.err != nil; failed != fails {
				t.Errorf("the odd one: got the error %v, want one: %t", o.err, fails)
			}
			if strings.HasPrefix(how, "slow") {
				if l.commits < 2 { // the first one has waited
					t.Errorf("got all in %d commits, want 2 at least", l.commits)
				}
			}
			expectReplayed(t, "the replay", replay.receipt, replay.err, true)
			if got, want := replay.receipt.Cursor, first.receipt.Cursor; got != want {
				t.Errorf("the replay: got the row %v, want %v", got, want)
			}
			want, row := 2, !fails && how != "no change"
			if row {
				want = 3
			}
			if how == "upkeep" {
				want++
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != want {
				t.Errorf("%d items, want %d", n, want)
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes WHERE key = 'odd'"); (n == 1) != row {
				t.Errorf("%d rows of the odd one, want one: %t", n, row)
			}
			l.hold()
			after := ask(l, put{Item: "after"})
			l.run()
			l.succeeded(second, after)
		})
	}
}

// TestRetainedTx: a Tx that is retained beyond its Apply does not write into the part of the call that runs then.
func TestRetainedTx(t *testing.T) {
	l := MustHold(t)
	first := ask(l, odd{Item: "first", How: "retain"})
	second := ask(l, odd{Item: "second", How: "use retained"})
	third := ask(l, put{Item: "third"})
	l.run()
	l.succeeded(first, third)
	if second.err == nil {
		t.Error("the use of a Tx whose Apply has returned: got no error, want one")
	}
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != 2 {
		t.Errorf("%d items, want 2", n)
	}
	if l.commits != 1 {
		t.Errorf("%d commits, want 1", l.commits)
	}
}

// TestUpkeepOnceABatch: an upkeep that many calls ask for runs once, and refused calls ask for none.
func TestUpkeepOnceABatch(t *testing.T) {
	l := MustHold(t)
	for i := range 5 {
		ask(l, odd{Item: fmt.Sprint(i), How: "upkeep"})
	}
	l.run()
	l.succeeded(l.answers...)
	if n := MustCount(t, l.r, "SELECT value FROM items WHERE name = 'upkeep'"); n != 5 {
		t.Errorf("upkeep was told of %d writes, want 5", n)
	}
	if l.commits != 1 {
		t.Errorf("%d commits, want 1", l.commits)
	}
}

// TestAnswersOfABatchThatWasNotCommitted: nothing of it is answered, refusals and replays that rest on its rows
// included.
func TestAnswersOfABatchThatWasNotCommitted(t *testing.T) {
	undone := func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), deleteFailed) }
	done := func(tx *sql.Tx) error { return errors.Join(tx.Commit(), deleteFailed) }
	for name, c := range map[string]struct {
		commit func(tx *sql.Tx) error
		free   uint64
		reason string
	}{
		"done":         {done, 1 << 30, ""},
		"undone":       {undone, 1 << 30, apperr.OutcomeUnknown},
		"undone, full": {undone, 4096, apperr.DiskFull},
		"SQLite is full": {func(tx *sql.Tx) error {
			return errors.Join(tx.Rollback(),
				sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: sqlite3.ErrNoExtended(sqlite3.ErrFull)})
		}, 1 << 30, apperr.DiskFull},
	} {
		t.Run(name, func(t *testing.T) {
			l := MustHold(t, func(o *repo.Options) { o.LiteFS = true })
			l.r.SetFree(c.free)
			before := askOnce(l, odd{Item: "before", How: "refuse"}, "before") // rests on nothing of the batch
			first := askOnce(l, put{Item: "first"}, "first")
			refused := askOnce(l, odd{Item: "x", How: "refuse"}, "x")
			reused := askOnce(l, put{Item: "other"}, "first")
			idle := askOnce(l, idle{Item: "idle"}, "idle")
			last := askOnce(l, put{Item: "last"}, "last")
			l.commit = c.commit
			l.run()
			expectCode(t, "before the first row", before.err, apperr.Conflict)
			for i, a := range []*answer{first, refused, reused, idle, last} {
				if c.reason != "" {
					if !apperr.HasReason(a.err, c.reason) {
						t.Errorf("call %d: %v, want the reason %s", i, a.err, c.reason)
					}
					continue
				}
				if want := []error{nil, apperr.Conflict, apperr.Conflict, nil, nil}[i]; !errors.Is(a.err, want) {
					t.Errorf("call %d: %v, want %v", i, a.err, want)
				}
			}
			want := 0
			if c.reason == "" {
				want = 2
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		})
	}
}

// TestCallerThatHasGone: a call whose caller does not wait any more is removed from its queue; nothing was done.
func TestCallerThatHasGone(t *testing.T) {
	l := MustHold(t)
	ctx, leave := context.WithCancel(operator())
	gone := askWithin(ctx, l, put{Item: "gone"})
	stays := ask(l, put{Item: "stays"})
	leave()
	repotest.Eventually(t, patience, "one has gone", func() bool { return l.r.Waiting() == 1 })
	l.run()
	l.succeeded(stays)
	if !errors.Is(gone.err, apperr.Unavailable) {
		t.Errorf("who has gone: %v, want %v", gone.err, apperr.Unavailable)
	}
	if apperr.HasReason(gone.err, apperr.OutcomeUnknown) {
		t.Errorf("who has gone: %v, want another reason than %v", gone.err, apperr.OutcomeUnknown)
	}
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestCallerThatGoesInsideAStatement ends neither the statement, nor with it the transaction: the others of the batch
// do not run again.
func TestCallerThatGoesInsideAStatement(t *testing.T) {
	j := &repotest.Journal{}
	l := MustHold(t, func(o *repo.Options) { o.Logger = j.JSON() })
	ctx, leave := context.WithCancel(operator())
	callerGoes = leave
	first := ask(l, put{Item: "first"})
	gone := askWithin(ctx, l, odd{Item: "gone", How: "its caller goes"})
	l.run()
	l.succeeded(first)
	if gone.err == nil {
		t.Error("the call whose caller has gone: got no error, want one")
	}
	if text := j.String(); strings.Contains(text, "has ended by itself") {
		t.Errorf("the caller has ended the transaction, want without %q:\n%s", "has ended by itself", text)
	}
}

// TestPoisonedCallFailsNobodyTwice: a call that ends the transaction runs alone from then on.
func TestPoisonedCallFailsNobodyTwice(t *testing.T) {
	l := MustHold(t)
	var good []*answer
	for i := range 20 {
		if i%5 == 4 {
			ask(l, odd{Item: fmt.Sprint("odd ", i), How: "end"})
			continue
		}
		good = append(good, ask(l, put{Item: fmt.Sprint(i)}))
	}
	l.run()
	l.succeeded(good...)
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != len(good) {
		t.Errorf("%d rows, want %d", n, len(good))
	}
}

// TestCommitThatHangs holds nobody whose time is up.
func TestCommitThatHangs(t *testing.T) {
	l := MustHold(t)
	hung, goOn := make(chan struct{}), make(chan struct{})
	l.commit = func(tx *sql.Tx) error { close(hung); <-goOn; return tx.Commit() }
	ctx, leave := context.WithCancel(operator())
	for i := range 3 {
		askWithin(ctx, l, put{Item: fmt.Sprint(i)})
	}
	l.release()
	<-hung
	leave()
	answered := make(chan struct{})
	go func() { l.wait.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(patience):
		close(goOn)
		t.Fatal("the callers wait for a COMMIT although their time is up, want them answered")
	}
	for i, a := range l.answers {
		if !apperr.HasReason(a.err, apperr.OutcomeUnknown) {
			t.Errorf("call %d: %v, want %s", i, a.err, apperr.OutcomeUnknown)
		}
	}
	l.commit = (*sql.Tx).Commit
	close(goOn)
	repo.MustWrite(operator(), l.r, put{Item: "after"})
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != 4 {
		t.Errorf("%d items, want 4", n)
	}
}

// TestTransactionLeftOpen: a transaction that a failure has left open on the connection fails no call.
func TestTransactionLeftOpen(t *testing.T) {
	c := MustCluster(t)
	if err := c.primary.ExecOnWriter(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	repo.MustWrite(operator(), c.primary, put{Item: "a"})
}

// TestApplyThatEndsItsGoroutine leaves nobody waiting, and no primary that cannot write.
func TestApplyThatEndsItsGoroutine(t *testing.T) {
	l := MustHold(t)
	ctx, leave := context.WithCancel(operator())
	gone := askWithin(ctx, l, odd{Item: "gone", How: "end the goroutine"})
	behind := askWithin(ctx, l, put{Item: "behind"})
	l.release()
	repotest.Eventually(t, patience, "nobody waits for the committer", func() bool { return l.r.Waiting() == 0 })
	leave()
	l.wait.Wait()
	for what, a := range map[string]*answer{"the call": gone, "the one behind it": behind} {
		if a.err == nil {
			t.Errorf("%s: got %+v and no error, want one", what, a.receipt)
		}
	}
	if l.r.Canary(t.Context()) == nil {
		t.Error("the canary of a primary that writes no more: got no error, want one")
	}
}

// TestApplyThatEndsItsGoroutineAnswersItsBatch, in a bubble of synctest: the calls before it in its batch, itself and
// those behind are answered at once, although nobody's time is up, and nothing of the batch is saved.
func TestApplyThatEndsItsGoroutineAnswersItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustHold(t)
		askOnce(l, put{Item: "before"}, "before")
		askOnce(l, odd{Item: "gone", How: "end the goroutine"}, "gone")
		askOnce(l, put{Item: "behind"}, "behind")
		l.release()
		synctest.Wait()
		if n := l.r.Calls(); n != 0 {
			t.Fatalf("%d calls have no answer, want 0", n)
		}
		for i, a := range l.answers {
			if !apperr.HasReason(a.err, apperr.NotNow) {
				t.Errorf("call %d: %v, want %s", i, a.err, apperr.NotNow)
			}
		}
		repotest.MustExec(t, l.path, "BEGIN IMMEDIATE; ROLLBACK") // nobody has the lock any more
		if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != 0 {
			t.Errorf("%d items, want none", n)
		}
	})
}

// TestDeadlineThatPassesInTheQueue: a call is not executed when its turn comes after its deadline.
func TestDeadlineThatPassesInTheQueue(t *testing.T) {
	t.Parallel()
	l := MustHold(t)
	const lateness = 2 * time.Second // which the clocks of two nodes may differ by
	call := &repo.Call{
		Name: put{}.Name(), Key: "late", Actor: repo.Actor{Name: repo.Operator}, Body: []byte(`{"item":"late"}`),
		Deadline: time.Now().Add(3*time.Second - lateness),
	}
	var answered error
	a := l.await(func(*answer) { answered = l.r.SuperCall(operator(), call) })
	repotest.Eventually(t, patience, "it is too late", func() bool { return time.Since(call.Deadline) > lateness })
	l.run()
	if a.err != nil {
		t.Error(a.err)
	}
	if !apperr.HasReason(answered, apperr.Expired) {
		t.Errorf("got %v, want the reason %s", answered, apperr.Expired)
	}
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// TestAStatementThatDoesNotEnd is interrupted: in an Apply the call is refused, and an upkeep is left to a later batch.
func TestAStatementThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{"endless": "", "endless upkeep": "long"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l := MustHold(t)
			l.r.SetApplyTime(time.Second)
			long := askOnce(l, odd{Item: "long", How: how}, "long")
			l.run()
			if want == "" {
				expectReason(t, "the answer", long.err, apperr.Unavailable, apperr.NotNow)
			} else if long.err != nil {
				t.Errorf("the answer: got %v, want no error", long.err)
			}
			query := "SELECT COALESCE(GROUP_CONCAT(name), '') = '" + want + "' FROM items"
			if MustCount(t, l.r, query) != 1 {
				t.Errorf("got other items, want %q alone", want)
			}
			repo.MustWrite(operator(), l.r, put{Item: "after"})
		})
	}
}
