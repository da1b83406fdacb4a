package repo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// hooked is a cluster whose primary calls hook inside the transaction of every
// user's write, before Apply.
func hooked(t *testing.T, hook func(ctx context.Context) error) *cluster {
	t.Helper()
	return MustCluster(t, func(o *repo.Options) {
		o.Authorize = func(ctx context.Context, _ *repo.Tx) error { return hook(ctx) }
	})
}

// empty checks that nothing was written, that the connection still works and
// that the key is free.
func empty(t *testing.T, c *cluster, key string) {
	t.Helper()
	if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) + (SELECT COUNT(*) FROM items)"); n != 0 {
		t.Errorf("%d rows were left, want 0", n)
	}
	_, receipt, err := repo.Do(operator(), c.primary, put{Item: "free"}, repo.WithKey(key))
	expectReplayed(t, "the key afterwards", receipt, err, false)
}

func TestCallerGoesAwayInsideTheTransaction(t *testing.T) {
	for _, where := range []string{"primary", "replica"} {
		t.Run(where, func(t *testing.T) {
			entered := make(chan struct{})
			left := make(chan struct{})
			c := hooked(t, func(ctx context.Context) error {
				close(entered)
				<-ctx.Done()
				close(left)
				return nil // overlooked: the statements that follow must not get through
			})
			ctx, cancel := context.WithCancel(as("user:1"))
			defer cancel()
			r, reason := c.primary, apperr.NoPrimary
			if where == "replica" {
				r, reason = c.replica, apperr.OutcomeUnknown
			}
			done := make(chan error, 1)
			go func() {
				_, err := repo.Write(ctx, r, put{Item: "a"}, repo.WithKey("k"))
				done <- err
			}()
			<-entered
			cancel()
			expectReason(t, "on the "+where, <-done, apperr.Unavailable, reason)
			<-left
			empty(t, c, "k")
		})
	}
}

// expectNotDone fails unless err is Unavailable and does not leave open whether something was done.
func expectNotDone(t *testing.T, what string, err error) {
	t.Helper()
	expectCode(t, what, err, apperr.Unavailable)
	if apperr.HasReason(err, apperr.OutcomeUnknown) {
		t.Errorf("%s: got %v, want another reason than %v", what, err, apperr.OutcomeUnknown)
	}
}

// Callers go away at every moment of a write. Here, where the disk is sound, each
// of them must get the answer that says exactly what happened.
func TestOutcomeIsKnownWheneverTheCallerGoesAway(t *testing.T) {
	c := MustCluster(t)
	answers := map[bool]int{}
	for i := range 300 {
		ctx, cancel := context.WithCancel(operator())
		timer := time.AfterFunc(time.Duration(i%100)*15*time.Microsecond, cancel)
		key := fmt.Sprint("k", i)
		_, err := repo.Write(ctx, c.primary, put{Item: key}, repo.WithKey(key))
		timer.Stop()
		cancel()
		if err != nil {
			expectNotDone(t, key, err)
		}
		rows := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes WHERE key = ?1) + (SELECT COUNT(*) FROM items "+
			"WHERE name = ?1)", key)
		if want := map[bool]int{true: 2, false: 0}[err == nil]; rows != want {
			t.Errorf("%s: %d rows after the error %v, want %d", key, rows, err, want)
		}
		answers[err == nil]++
	}
	t.Logf("%d saved, %d not", answers[true], answers[false])
}

func TestDeadlineInsideTheTransaction(t *testing.T) {
	c := hooked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	ctx, cancel := context.WithTimeout(as("user:1"), 100*time.Millisecond)
	defer cancel()
	_, err := repo.Write(ctx, c.primary, put{Item: "a"}, repo.WithKey("k"))
	expectNotDone(t, "a deadline", err)
	empty(t, c, "k")
}

func TestDeadlineWhileWaitingForTheConnection(t *testing.T) {
	entered := make(chan struct{})
	goOn := make(chan struct{})
	c := hooked(t, func(context.Context) error { close(entered); <-goOn; return nil })
	done := make(chan error, 1)
	go func() {
		_, err := repo.Write(as("user:1"), c.primary, put{Item: "slow"})
		done <- err
	}()
	<-entered
	_, err := repo.Write(within(t, 100*time.Millisecond), c.replica, put{Item: "hasty"})
	expectCode(t, "behind a slow write", err, apperr.Unavailable)
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the slow write: got %v, want no error", err)
	}
	repo.MustWrite(operator(), c.primary, put{Item: "after"})
	// The hasty one was called off before its turn came, or its caller would
	// have got an unknown outcome.
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes WHERE result LIKE '%operator%'"); n > 2 {
		t.Errorf("%d rows, want at most 2", n)
	}
}

func TestTransactionThatEndedByItself(t *testing.T) {
	c := MustCluster(t)
	repotest.MustExec(t, c.path, endsAtAnItem)
	_, err := repo.Write(within(t, 100*time.Millisecond), c.primary, odd{Item: "odd", How: "end, overlooked"},
		repo.WithKey("k"))
	expectCode(t, "a transaction that has ended", err, apperr.Unavailable)
	empty(t, c, "k")
}

// TestApplyEndsNoTransaction: the transaction is that of other calls as well.
func TestApplyEndsNoTransaction(t *testing.T) {
	c := MustCluster(t)
	for _, query := range []string{
		"ROLLBACK", "commit", "\ufeffCOMMIT", "SELECT 1; \ufeff RELEASE call", " -- a comment\n COMMIT", "/* one */ END;",
		"BEGIN IMMEDIATE", "SAVEPOINT other", "RELEASE call",
		"ROLLBACK TO call", "DELETE FROM items; COMMIT", "INSERT OR ROLLBACK INTO writes (seq, key) VALUES (1, NULL)",
		"insert or /* so */ rollback into writes (seq, key) values (1, null)",
		"PRAGMA defer_foreign_keys = 1", "VACUUM", "ATTACH ':memory:' AS other",
	} {
		_, err := repo.Write(operator(), c.primary, loud{Query: query})
		expectCode(t, query, err, apperr.Internal)
	}
	empty(t, c, "k")
	for _, query := range []string{
		"INSERT INTO items (name, value) VALUES ('COMMIT', '; ROLLBACK'), ('it''s; END', '')",
		"/* ; COMMIT */ DELETE FROM items -- ; END",
		"UPDATE items SET value = CASE WHEN 1 THEN 'OR' ELSE \"name\" END",
	} {
		if _, err := repo.Write(operator(), c.primary, loud{Query: query}); err != nil {
			t.Errorf("%s: got %v, want no error", query, err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	c := MustCluster(t)
	// The limit is the connection's, which is discarded after the error.
	if err := c.primary.ExecOnWriter(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	large := put{Item: "large", Value: strings.Repeat("x", 100_000)}
	_, err := repo.Write(operator(), c.replica, large, repo.WithKey("k"))
	if e := expectReason(t, "without room", err, apperr.Unavailable, apperr.DiskFull); e.RetryAfter < 1 {
		t.Errorf("without room: got RetryAfter %d, want at least 1 s", e.RetryAfter)
	}
	_, receipt, err := repo.Do(operator(), c.replica, large, repo.WithKey("k"))
	expectReplayed(t, "with room again", receipt, err, false)
}

// TestDiskFullUnderLiteFS: LiteFS's mount says "I/O error" on a full disk, and also when the role is lost.
func TestDiskFullUnderLiteFS(t *testing.T) {
	for _, c := range []struct {
		free uint64
		full bool
	}{{4096, true}, {4 << 20, true}, {1 << 30, false}} {
		nodes := MustCluster(t)
		nodes.primary.SetFree(c.free)
		ctx := operator()
		if !c.full { // that is tried again until the deadline
			ctx = within(t, 300*time.Millisecond)
		}
		_, err := repo.Write(ctx, nodes.replica, fail{How: "io"}, repo.WithKey("k"))
		e := expectCode(t, fmt.Sprintf("with %d bytes left", c.free), err, apperr.Unavailable)
		if full := e.Reason == apperr.DiskFull; full != c.full {
			t.Errorf("with %d bytes left: got the reason %q, want %q: %t", c.free, e.Reason, apperr.DiskFull, c.full)
		}
		empty(t, nodes, "k")
	}
}

func TestPanicWedgesNothing(t *testing.T) {
	c := MustCluster(t)
	for _, r := range []*repo.Repo{c.primary, c.replica} {
		_, err := repo.Write(operator(), r, fail{How: "panic"}, repo.WithKey("k"))
		if e := expectCode(t, "a panic", err, apperr.Internal); strings.Contains(e.Message, "secret path") {
			t.Errorf("a panic: got the message %q, want it without %q", e.Message, "secret path")
		}
	}
	for _, want := range []string{"panicked", "commands_test.go"} { // the stack
		if log := c.log.String(); !strings.Contains(log, want) {
			t.Errorf("got the primary's log %s, want %q in it", log, want)
		}
	}
	empty(t, c, "k")
}
