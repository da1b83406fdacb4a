package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// ledger is a Durability that counts terms. It returns the error of refuse, if any, instead of a term.
type ledger struct {
	refuse func() error

	begun, ended, twice int
}

func (l *ledger) BeginTerm(context.Context, <-chan struct{}) (repo.Term, error) {
	if l.refuse != nil {
		if err := l.refuse(); err != nil {
			return nil, err
		}
	}
	l.begun++
	return &entry{ledger: l}, nil
}

// entry is a term of a ledger.
type entry struct {
	repotest.Ended
	ledger *ledger
	over   bool
}

func (e *entry) End() {
	if e.over {
		e.ledger.twice++
		return
	}
	e.over = true
	e.ledger.ended++
}

// check fails unless all terms but open ones have been ended, each once.
func (l *ledger) check(t *testing.T, when string, open int) {
	t.Helper()
	if got := l.begun - l.ended; got != open {
		t.Errorf("%s: %d terms are not ended, want %d: %d were begun, and %d ended", when, got, open, l.begun, l.ended)
	}
	if l.twice != 0 {
		t.Errorf("%s: %d terms were ended a second time, want 0", when, l.twice)
	}
}

// MustLedger opens a repository that begins no term by itself, on a file of which nothing is there yet.
func MustLedger(t *testing.T) (*repo.Repo, *ledger) {
	t.Helper()
	l := &ledger{}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Unknown()))
	o.LiteFS, o.Durability = true, l
	return repotest.MustOpen(t, o), l
}

var errInjected = errors.New("injected")

// TestATermThatCannotBeginIsEnded: whatever step fails, of beginning the term of Durability, opening the writing
// connection and migrating the schema, what Durability has begun is ended, once.
func TestATermThatCannotBeginIsEnded(t *testing.T) {
	r, l := MustLedger(t)
	fails := func(when string) {
		t.Helper()
		if err := r.BeginTerm(t.Context(), make(chan struct{})); err == nil {
			t.Fatalf("%s: a term has begun, want an error", when)
		}
		l.check(t, when, 0)
	}

	l.refuse = func() error { return errInjected }
	fails("Durability refuses")
	tries := 0
	l.refuse = func() error {
		if tries++; tries == 1 {
			return sqlite3.Error{Code: sqlite3.ErrReadonly, ExtendedCode: sqlite3.ErrReadonlyRollback}
		}
		return errInjected
	}
	fails("Durability refuses after a rollback")
	tries, l.refuse = 0, nil

	var left int           // steps until the next fault
	var over chan struct{} // closed by the fault, too: the migrations would try again for seconds
	fault := func() bool {
		left--
		if left == -1 {
			close(over)
		}
		return left < 0
	}
	r.SetOpenWriter(func(open repo.OpenWriter) repo.OpenWriter {
		return func(ctx context.Context, path, journal string) (*sql.DB, error) {
			if fault() {
				return nil, errInjected
			}
			db, err := open(ctx, path, journal)
			if err != nil {
				return nil, err
			}
			return db, denyStep(ctx, db, fault)
		}
	})
	steps := 0
	for ; ; steps++ {
		left, over = steps, make(chan struct{})
		err := r.BeginTerm(t.Context(), over)
		if err == nil {
			break
		}
		l.check(t, err.Error(), 0)
	}
	if want := 20; steps < want { // the migrations alone have so many statements
		t.Errorf("%d steps could fail, want %d at least", steps, want)
	}
	l.check(t, "a term has begun", 1)
	if err := r.BeginTerm(t.Context(), over); err != nil {
		t.Error(err)
	}
	l.check(t, "it has begun already", 1)
	if err := r.EndTerm(); err != nil {
		t.Error(err)
	}
	l.check(t, "it was ended", 0)
}

// denyStep makes db refuse each statement, or part of one, for which fault returns true.
func denyStep(ctx context.Context, db *sql.DB, fault func() bool) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(c any) error {
		c.(interface {
			RegisterAuthorizer(callback func(int, string, string, string) int)
		}).RegisterAuthorizer(func(action int, _, _, _ string) int {
			if action != sqlite3.SQLITE_READ && action != sqlite3.SQLITE_FUNCTION && fault() {
				return sqlite3.SQLITE_DENY
			}
			return sqlite3.SQLITE_OK
		})
		return nil
	})
	return errors.Join(err, conn.Close())
}

// TestATermEndsWithItsRole: a migration stops when the role is lost.
func TestATermEndsWithItsRole(t *testing.T) {
	r, l := MustLedger(t)
	over := make(chan struct{})
	r.SetOpenWriter(func(repo.OpenWriter) repo.OpenWriter {
		return func(ctx context.Context, _, _ string) (*sql.DB, error) {
			close(over)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	if err := r.BeginTerm(t.Context(), over); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	l.check(t, "the role was lost", 0)
}

// TestRetiringWhileATermBegins: nothing is written, and there is a term to hand over.
func TestRetiringWhileATermBegins(t *testing.T) {
	r, l := MustLedger(t)
	var db *sql.DB
	r.SetOpenWriter(func(open repo.OpenWriter) repo.OpenWriter {
		return func(ctx context.Context, path, journal string) (*sql.DB, error) {
			var err error
			if db, err = open(ctx, path, journal); err != nil {
				return nil, err
			}
			return db, r.Retire()
		}
	})
	if err := r.BeginTerm(t.Context(), make(chan struct{})); err != nil {
		t.Error(err)
	}
	l.check(t, "retired", 1)
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("the writing connection is open, want it closed")
	}
	if err := r.EndTerm(); err != nil {
		t.Error(err)
	}
	l.check(t, "dropped", 0)
}

// TestCanaryOfATermThatCannotBegin: a primary whose term never begins for want of file descriptors would keep the lease
// for good; one that is refused for another reason is not broken.
func TestCanaryOfATermThatCannotBegin(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	for _, c := range []struct {
		cause  error
		broken bool
	}{
		{fmt.Errorf("ask for the standing: %w", dial), true},
		{errInjected, false},
	} {
		var refused atomic.Int64
		l := &ledger{refuse: func() error { refused.Add(1); return c.cause }}
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
		o.LiteFS, o.Durability = true, l
		r := repotest.MustOpen(t, o)
		// With the second try the first has left its cause.
		repotest.Eventually(t, 20*time.Second, "the term is tried again", func() bool { return refused.Load() > 1 })
		err := r.Canary(t.Context())
		if got := err != nil; got != c.broken {
			t.Errorf("%v: the canary says %v, want an error: %t", c.cause, err, c.broken)
		}
	}
}
