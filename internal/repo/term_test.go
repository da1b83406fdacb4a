package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// ledger is a Durability that counts terms. It does what refuse returns instead of beginning one.
type ledger struct {
	refuse func() error

	begun, ended, twice int
}

func (l *ledger) Lead(context.Context, <-chan struct{}) (repo.Term, error) {
	if l.refuse != nil {
		if err := l.refuse(); err != nil {
			return nil, err
		}
	}
	l.begun++
	return &entry{ledger: l}, nil
}

// entry is a term of a ledger's.
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
	if l.begun-l.ended != open || l.twice != 0 {
		t.Errorf("%s: %d terms were begun and %d ended, %d of them twice, want %d that is not", when, l.begun, l.ended, l.twice, open)
	}
}

// MustLedger opens a repository that begins no term by itself, on a file of which nothing is there yet.
func MustLedger(t *testing.T) (*repo.Repo, *ledger) {
	t.Helper()
	l := &ledger{}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewSeat(repotest.Unknown()))
	o.LiteFS, o.Durability = true, l
	return repotest.MustOpen(t, o), l
}

var errInjected = errors.New("injected")

// TestATermThatCannotBeginIsEnded: whatever step fails, of asking for the lead, opening the writing connection and
// bringing the schema up, Durability is told of the end of what it has begun, once.
func TestATermThatCannotBeginIsEnded(t *testing.T) {
	r, l := MustLedger(t)
	fails := func(when string) {
		t.Helper()
		if err := r.Take(t.Context(), make(chan struct{})); err == nil {
			t.Fatalf("%s: a term has begun", when)
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
		err := r.Take(t.Context(), over)
		if err == nil {
			break
		}
		l.check(t, err.Error(), 0)
	}
	if want := 20; steps < want { // the migrations alone have so many statements
		t.Errorf("%d steps could fail, want %d at least", steps, want)
	}
	l.check(t, "a term has begun", 1)
	if err := r.Take(t.Context(), over); err != nil {
		t.Error(err)
	}
	l.check(t, "it has begun already", 1)
	if err := r.Drop(); err != nil {
		t.Error(err)
	}
	l.check(t, "it was ended", 0)
}

// denyStep makes db refuse a statement, or a part of one that changes something, where fault says so.
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

// TestATermEndsWithItsRole: bringing the schema up is not gone on with for a role that is lost.
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
	if err := r.Take(t.Context(), over); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.check(t, "the role was lost", 0)
}

// TestRetiringWhileATermBegins: nothing is written, but the term is there to be handed over.
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
	if err := r.Take(t.Context(), make(chan struct{})); err != nil {
		t.Error(err)
	}
	l.check(t, "retired", 1)
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("the writing connection is open")
	}
	if err := r.Drop(); err != nil {
		t.Error(err)
	}
	l.check(t, "dropped", 0)
}
