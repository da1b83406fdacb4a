package repo

import (
	"context"
	"database/sql"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
)

// Reader is what queries need: a read transaction, or a Tx inside Apply.
type Reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// View runs fn in one read transaction: all its queries see the same state.
//
// fn must copy what it reads and do no network I/O, since LiteFS cannot apply a
// transaction while a read is open. It may run several times, when replication held
// the lock for longer than the busy timeout.
//
// After 10 s, or when ctx ends, View ends the query that runs and the transaction,
// whatever fn does and whatever context it gives its queries: an open read blocks the
// writes of a primary and the replication of a replica.
//
// The error is fn's, or Unavailable: with reason Interrupted after such an end, NoDatabase
// when the database has not arrived, CannotOpen when there is one that cannot be opened,
// which says nothing about what it holds, Busy when it stays locked, and DiskFull when
// there is no room to roll back what has to be rolled back first.
func (r *Repo) View(ctx context.Context, fn func(rd Reader) error) error {
	return fail(atRead, r.db.View(ctx, func(rd sqlite.Reader) error { return fn(rd) }), "")
}

// ViewReserved is View for the program's own short reads, which many others wait for. It has
// connections of its own, and does not wait for those of readers.
func (r *Repo) ViewReserved(ctx context.Context, fn func(rd Reader) error) error {
	return fail(atRead, r.db.ViewReserved(ctx, func(rd sqlite.Reader) error { return fn(rd) }), "")
}

// writesHere reports whether this node is the primary: the only one that writes the database.
func (r *Repo) writesHere() bool { return r.node.Role().State == litefs.Primary }

// rollBackHere has the writing connection begin a transaction, and so roll back what an earlier one has left. It
// reports whether there was no room for that.
func (r *Repo) rollBackHere(ctx context.Context) (full bool) {
	return apperr.HasReason(r.primary.checkWriter(ctx), apperr.DiskFull)
}
