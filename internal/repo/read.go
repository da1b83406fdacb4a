package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"blog/internal/litefs"
)

// Reader is what queries need: a read transaction, or a Tx inside Apply.
type Reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// viewLimit bounds a read transaction; the longest proper one takes milliseconds.
const viewLimit = 10 * time.Second

// View runs fn in one read transaction: all its queries see the same state.
// fn must materialise what it reads and do no network I/O, since LiteFS cannot
// apply a transaction while a read is open. It may run several times, when
// replication held the lock for longer than the busy timeout.
// After 10 s, or when ctx ends, the query that runs is ended and the transaction
// with it, whatever fn does and whatever context it gives its queries: an open
// read holds up the writes of a primary and the replication of a replica. The
// error is then Unavailable, reason Interrupted.
// Without a database (yet) the error is Unavailable as well, reason NoDatabase. Where there is one that cannot be
// opened the reason is CannotOpen: that says nothing about what the database holds.
func (r *Repo) View(ctx context.Context, fn func(rd Reader) error) error {
	return r.view(ctx, r.viewOnce, fn)
}

// Look is View for this program's own short reads, which many others wait for: it has a
// connection of its own and does not stand in line with readers.
func (r *Repo) Look(ctx context.Context, fn func(rd Reader) error) error {
	return r.view(ctx, r.lookOnce, fn)
}

// rollbackAgain is how often it is looked whether a rollback is over. SQLite's busy timeout knows nothing of it.
const rollbackAgain = 20 * time.Millisecond

// rested waits, and reports whether ctx has not ended meanwhile.
func rested(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Repo) view(ctx context.Context, once func(context.Context, func(Reader) error) error, fn func(rd Reader) error) error {
	const tries = 4
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	var err error
	for i := 0; i < tries; {
		tried := r.rollback.tried.Load()
		err = once(ctx, fn)
		if rollingBack(err) {
			if full := r.rollBack(ctx, tried); full != nil {
				return full
			}
			if rested(ctx, rollbackAgain) {
				continue
			}
		}
		if err == nil || !retryable(err) || ctx.Err() != nil {
			break
		}
		i++
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && ended(err):
		return unavailable(Interrupted, "This took too long and was ended.", time.Second, err)
	case r.absent(err):
		return unavailable(NoDatabase, "The database has not arrived on this node yet.", time.Second, err)
	case cantOpen(err):
		return unavailable(CannotOpen, "The database on this node cannot be opened at this moment.", time.Second, err)
	case retryable(err), rollingBack(err):
		return unavailable(Busy, "The database on this node is busy taking in changes.", time.Second, err)
	}
	return err
}

// absent reports that err comes from a database, or a table of it, that has not arrived here. SQLite's CANTOPEN alone
// does not say so: too many open files, a FUSE error or a permission give it as well. The file itself has to be missing
// or without a byte.
func (r *Repo) absent(err error) bool {
	if missingTable(err) {
		return true
	}
	if !cantOpen(err) {
		return false
	}
	has, statErr := hasBytes(r.path)
	return statErr == nil && !has
}

// hasBytes reports whether the file at path is there and not empty. It fails where that cannot be told, and for what is
// no file: only the error "no such file" says that there is none.
func hasBytes(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("database file: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("database file: %s is no file", path)
	}
	return info.Size() > 0, nil
}

func (r *Repo) viewOnce(ctx context.Context, fn func(rd Reader) error) error {
	// The connection first: who has been let in must not wait for anything.
	conn, err := r.reads.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a reading connection: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	if r.gated() {
		if err := r.gate.enter(ctx); err != nil {
			return fmt.Errorf("wait for replication: %w", err)
		}
		defer r.gate.leave()
	}
	return transact(ctx, conn, fn)
}

func (r *Repo) lookOnce(ctx context.Context, fn func(rd Reader) error) error {
	conn, err := r.looks.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a reading connection: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	if r.gated() {
		r.gate.pass()
		defer r.gate.leave()
	}
	return transact(ctx, conn, fn)
}

// gated reports whether something replicates into this database now.
func (r *Repo) gated() bool { return r.gate != nil && r.node.Role().State != litefs.Primary }

func transact(ctx context.Context, conn *sql.Conn, fn func(rd Reader) error) (err error) {
	// At the gate replication may have gone by, so this is not done before it.
	if err = fresh(ctx, conn); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	defer func() {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("end read: %w", rerr))
		}
	}()
	return fn(bounded{ctx, tx})
}

// bounded is a Reader all of whose queries end with ctx, View's own. Callers have
// only the context that they gave to View, which knows nothing of its limit; that
// context is ctx's parent, so its end is kept.
type bounded struct {
	ctx context.Context
	tx  *sql.Tx
}

func (b bounded) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.tx.QueryContext(b.ctx, query, args...) //nolint:contextcheck // b.ctx is what bounded is for
}

func (b bounded) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return b.tx.QueryRowContext(b.ctx, query, args...) //nolint:contextcheck // b.ctx is what bounded is for
}
