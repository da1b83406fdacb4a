package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// The connections of the query-only pools.
const (
	ReadConns = 8
	// ReservedConns are of ViewReserved: the feed's, one for who asks where this copy is, and one for whether it can be
	// read.
	ReservedConns = 3
)

// Options say what a Database is read beside.
type Options struct {
	// LiteFS says that LiteFS may change the file under SQLite.
	LiteFS bool
	// Writes reports whether this process writes the file at this moment: then nothing replicates into it, and who
	// reads may have what was left behind rolled back. Nil: it never does.
	Writes func() bool
	// RollBack has the writing connection begin and end a transaction, and reports whether there was no room for it.
	// It is required where Writes is set.
	RollBack func(ctx context.Context) (full bool)
}

// Database reads one database file: all its connections are query-only.
type Database struct {
	path      string
	writes    func() bool
	readers   *sql.DB
	reserved  *sql.DB       // for ViewReserved
	rewritten *atomic.Int64 // their connections last until it changes; nil: for ever
	gate      *gate         // nil: nothing replicates into this database
	rollback  rollback
}

// Open opens the pools for the file at path, which need not be there: nothing is touched until the first View.
func Open(path string, o Options) (*Database, error) {
	d := &Database{path: path, writes: o.Writes, rollback: rollback{do: o.RollBack, turn: make(chan struct{}, 1)}}
	if o.LiteFS {
		d.rewritten = new(atomic.Int64)
	}
	if d.writes == nil {
		d.writes = func() bool { return false }
	} else if o.LiteFS {
		d.gate = newGate()
	}
	var err error
	if d.readers, err = openReads(path, ReadConns, d.rewritten); err != nil {
		return nil, err
	}
	if d.reserved, err = openReads(path, ReservedConns, d.rewritten); err != nil {
		return nil, errors.Join(err, d.readers.Close())
	}
	return d, nil
}

// Close closes the pools.
func (d *Database) Close() error {
	if err := errors.Join(d.readers.Close(), d.reserved.Close()); err != nil {
		return fmt.Errorf("close the reading connections: %w", err)
	}
	return nil
}

// ReservedStats says how the connections of ViewReserved are used.
func (d *Database) ReservedStats() sql.DBStats { return d.reserved.Stats() }

// DiscardHistory makes all connections be opened anew before their next transaction: another history has taken the
// place of what they were opened on.
func (d *Database) DiscardHistory() {
	if d.rewritten != nil {
		d.rewritten.Add(1)
	}
}

// Reader is what queries need.
type Reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// ViewLimit bounds a read transaction; the longest proper one takes milliseconds.
const ViewLimit = 10 * time.Second

// Errors of View. Each wraps the error that it comes from, where there is one.
var (
	// ErrEnded says that ViewLimit, or the end of ctx, has ended the transaction.
	ErrEnded = errors.New("the read was ended")
	// ErrAbsent says that the database, or a table of it, is not there.
	ErrAbsent = errors.New("the database is not there")
	// ErrStuck says that there is no room to roll back what has to be rolled back before anything can be read.
	ErrStuck = errors.New("no room to roll back")
)

// View runs fn in one read transaction: all its queries see the same state. fn may run several
// times, when replication held the lock for longer than BusyTimeout. After ViewLimit, or when ctx
// ends, View ends the query that runs and the transaction, whatever fn does and whatever context
// it gives its queries: an open read blocks the writes of a primary and the replication of a
// replica. The error is fn's, one of SQLite's, or one of those above.
func (d *Database) View(ctx context.Context, fn func(rd Reader) error) error {
	return d.view(ctx, d.viewOnce, fn)
}

// ViewReserved is View on connections of its own, for the program's short reads that many others
// wait for. It does not wait at the gate either.
func (d *Database) ViewReserved(ctx context.Context, fn func(rd Reader) error) error {
	return d.view(ctx, d.viewReservedOnce, fn)
}

func (d *Database) view(ctx context.Context, once func(context.Context, func(Reader) error) error,
	fn func(rd Reader) error) error {
	const tries = 4
	ctx, cancel := context.WithTimeout(ctx, ViewLimit)
	defer cancel()
	var err error
	for i := 0; i < tries; {
		tried := d.rollback.tried.Load()
		err = once(ctx, fn)
		if IsRollingBack(err) {
			if stuck := d.rollBack(ctx, tried); stuck != nil {
				return stuck
			}
			if waited(ctx, rollbackAgain) {
				continue
			}
		}
		if err == nil || !IsRetryable(err) || ctx.Err() != nil {
			break
		}
		i++
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && isEnded(err):
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case d.isAbsent(err):
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}

// isAbsent reports whether err says that the database, or a table of it, has not arrived here. SQLite's CANTOPEN alone
// does not: too many open files, an error of FUSE or a permission give it as well. The file has to be missing or empty.
func (d *Database) isAbsent(err error) bool {
	if IsMissingTable(err) {
		return true
	}
	if !IsCannotOpen(err) {
		return false
	}
	has, statErr := hasBytes(d.path)
	return statErr == nil && !has
}

func (d *Database) viewOnce(ctx context.Context, fn func(rd Reader) error) error {
	// The connection comes first: a read that has entered the gate must not wait for anything.
	conn, err := d.readers.Conn(ctx)
	if err != nil {
		return fmt.Errorf("acquire a reading connection: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	if d.isGated() {
		if err := d.gate.enter(ctx); err != nil {
			return fmt.Errorf("wait for replication: %w", err)
		}
		defer d.gate.leave()
	}
	return transact(ctx, conn, fn)
}

func (d *Database) viewReservedOnce(ctx context.Context, fn func(rd Reader) error) error {
	conn, err := d.reserved.Conn(ctx)
	if err != nil {
		return fmt.Errorf("acquire a reading connection: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	if d.isGated() {
		d.gate.pass()
		defer d.gate.leave()
	}
	return transact(ctx, conn, fn)
}

// isGated reports whether something replicates into this database now.
func (d *Database) isGated() bool { return d.gate != nil && !d.writes() }

func transact(ctx context.Context, conn *sql.Conn, fn func(rd Reader) error) (err error) {
	// Replication may have changed the file while the read waited at the gate, so this comes after it.
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

// bounded is a Reader whose queries all end with ctx, the context of View. Callers have
// only the context that they gave to View, which does not have its limit. It is the parent
// of ctx, so its end ends the queries as well.
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
