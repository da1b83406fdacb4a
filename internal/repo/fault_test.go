package repo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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
		t.Errorf("%d rows were left", n)
	}
	if _, receipt, err := repo.Do(operator(), c.primary, put{Item: "free"}, repo.WithKey(key)); err != nil || receipt.Replayed {
		t.Errorf("the key afterwards: %+v, %v", receipt, err)
	}
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
			r := c.primary
			if where == "replica" {
				r = c.replica
			}
			done := make(chan error, 1)
			go func() {
				_, err := repo.Write(ctx, r, put{Item: "a"}, repo.WithKey("k"))
				done <- err
			}()
			<-entered
			cancel()
			if e := repo.AsError(<-done); e.Code != repo.Unavailable || (where == "primary") != (e.Reason == repo.NoPrimary) || (where == "replica") != (e.Reason == repo.OutcomeUnknown) {
				t.Errorf("got %v", e)
			}
			<-left
			empty(t, c, "k")
		})
	}
}

// Callers go away at every moment of a write. Here, where the disk is sound, each
// of them must be told exactly what happened.
func TestOutcomeIsKnownWheneverTheCallerGoesAway(t *testing.T) {
	c := MustCluster(t)
	told := map[bool]int{}
	for i := range 300 {
		ctx, cancel := context.WithCancel(operator())
		timer := time.AfterFunc(time.Duration(i%100)*15*time.Microsecond, cancel)
		key := fmt.Sprint("k", i)
		_, err := repo.Write(ctx, c.primary, put{Item: key}, repo.WithKey(key))
		timer.Stop()
		cancel()
		if err != nil && (repo.AsError(err).Code != repo.Unavailable || repo.HasReason(err, repo.OutcomeUnknown)) {
			t.Errorf("%s: %v", key, err)
		}
		rows := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes WHERE key = ?1) + (SELECT COUNT(*) FROM items WHERE name = ?1)", key)
		if want := map[bool]int{true: 2, false: 0}[err == nil]; rows != want {
			t.Errorf("%s: %d rows after %v", key, rows, err)
		}
		told[err == nil]++
	}
	t.Logf("%d saved, %d not", told[true], told[false])
}

func TestDeadlineInsideTheTransaction(t *testing.T) {
	c := hooked(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	ctx, cancel := context.WithTimeout(as("user:1"), 100*time.Millisecond)
	defer cancel()
	if _, err := repo.Write(ctx, c.primary, put{Item: "a"}, repo.WithKey("k")); repo.AsError(err).Code != repo.Unavailable || repo.HasReason(err, repo.OutcomeUnknown) {
		t.Errorf("got %v", err)
	}
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
	if _, err := repo.Write(within(t, 100*time.Millisecond), c.replica, put{Item: "hasty"}); repo.AsError(err).Code != repo.Unavailable {
		t.Errorf("behind a slow write: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the slow write: %v", err)
	}
	repo.MustWrite(operator(), c.primary, put{Item: "after"})
	// The hasty one was called off before its turn came, or its caller would
	// have been told that nobody knows.
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes WHERE result LIKE '%operator%'"); n > 2 {
		t.Errorf("%d rows", n)
	}
}

func TestTransactionThatEndedByItself(t *testing.T) {
	c := MustCluster(t)
	repotest.MustExec(t, c.path, "CREATE TRIGGER ending BEFORE INSERT ON items WHEN new.name = 'end' BEGIN SELECT RAISE(ROLLBACK, 'over'); END")
	_, err := repo.Write(within(t, 100*time.Millisecond), c.primary, odd{Item: "odd", How: "end, overlooked"}, repo.WithKey("k"))
	if repo.AsError(err).Code != repo.Unavailable {
		t.Errorf("got %v", err)
	}
	empty(t, c, "k")
}

// TestApplyEndsNoTransaction: it would be another call's as well.
func TestApplyEndsNoTransaction(t *testing.T) {
	c := MustCluster(t)
	for _, query := range []string{
		"ROLLBACK", "commit", "\ufeffCOMMIT", "SELECT 1; \ufeff RELEASE call", " -- a comment\n COMMIT", "/* one */ END;", "BEGIN IMMEDIATE", "SAVEPOINT other", "RELEASE call",
		"ROLLBACK TO call", "DELETE FROM items; COMMIT", "INSERT OR ROLLBACK INTO writes (seq, key) VALUES (1, NULL)",
		"insert or /* so */ rollback into writes (seq, key) values (1, null)",
		"PRAGMA defer_foreign_keys = 1", "VACUUM", "ATTACH ':memory:' AS other",
	} {
		_, err := repo.Write(operator(), c.primary, loud{Query: query})
		if err == nil || repo.AsError(err).Code != repo.Internal {
			t.Errorf("%s: got %v, want it to be refused", query, err)
		}
	}
	empty(t, c, "k")
	for _, query := range []string{
		"INSERT INTO items (name, value) VALUES ('COMMIT', '; ROLLBACK'), ('it''s; END', '')", "/* ; COMMIT */ DELETE FROM items -- ; END",
		"UPDATE items SET value = CASE WHEN 1 THEN 'OR' ELSE \"name\" END",
	} {
		if _, err := repo.Write(operator(), c.primary, loud{Query: query}); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	c := MustCluster(t)
	// The limit belongs to the connection, which is thrown away after the fault.
	if err := c.primary.ExecOnWriter(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	large := put{Item: "large", Value: strings.Repeat("x", 100_000)}
	_, err := repo.Write(operator(), c.replica, large, repo.WithKey("k"))
	if e := repo.AsError(err); e.Code != repo.Unavailable || e.Reason != repo.DiskFull || e.RetryAfter < 1 {
		t.Errorf("got %v", err)
	}
	if _, receipt, err := repo.Do(operator(), c.replica, large, repo.WithKey("k")); err != nil || receipt.Replayed {
		t.Errorf("with room again: %+v, %v", receipt, err)
	}
}

// TestDiskFullUnderLiteFS: its mount says "I/O error" of a full disk, as it does where the role is lost.
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
		if e := repo.AsError(err); e.Code != repo.Unavailable || (e.Reason == repo.DiskFull) != c.full {
			t.Errorf("with %d bytes left: %v", c.free, err)
		}
		empty(t, nodes, "k")
	}
}

func TestPanicWedgesNothing(t *testing.T) {
	c := MustCluster(t)
	for _, r := range []*repo.Repo{c.primary, c.replica} {
		_, err := repo.Write(operator(), r, fail{How: "panic"}, repo.WithKey("k"))
		if e := repo.AsError(err); err == nil || e.Code != repo.Internal || strings.Contains(e.Message, "secret path") {
			t.Errorf("got %v", e)
		}
	}
	if log := c.log.String(); !strings.Contains(log, "panicked") || !strings.Contains(log, "commands_test.go") {
		t.Error("the primary's log has no stack")
	}
	empty(t, c, "k")
}
