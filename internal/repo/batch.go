package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Bounds of one batch. LiteFS takes a transaction in under a lock that keeps a replica's readers out, and
// sends it whole, so a batch stays well under 1 MB of pages.
const (
	maxBatchCalls = 64
	maxBatchBytes = 512 << 10
	// maxBatchTime is for how long a batch takes further calls in: those that are in it already wait for them.
	maxBatchTime = 50 * time.Millisecond
	// sharedApplyLimit is for how long one Apply may run beside others. It is checked between statements.
	sharedApplyLimit = 100 * time.Millisecond
)

// batch is one transaction of the committer's: BEGIN IMMEDIATE, a SAVEPOINT for each call, one COMMIT.
type batch struct {
	c     *committer
	conn  *sql.Conn
	tx    *sql.Tx
	began time.Time
	pages int64 // of the database when the batch began

	calls  []*queuedCall // that have run, in order; they are answered at the end
	rows   int           // calls with a row
	last   Cursor        // newest row of the batch
	bytes  int64         // of pages written so far, about
	bulk   int64         // of those, by calls of the bulk queue
	upkeep map[string]upkeep
}

// errEnded says that SQLite has ended the batch's transaction by itself, or that it cannot go on. Nothing of it
// is saved: who has run in it runs again.
var errEnded = errors.New("the transaction of the batch has ended")

// open begins a batch's transaction. ctx, here and below, is no caller's: it lasts as long as the committer.
func (c *committer) open(ctx context.Context) (*batch, error) {
	conn, tx, err := c.begin(ctx)
	if code := primaryCode(sqliteCode(err)); code == int(sqlite3.ErrError) {
		conn, tx, err = c.begin(ctx) // on another connection: a failure had left a transaction open on that one
	}
	c.repo.noteBegin(err)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	b := &batch{c: c, conn: conn, tx: tx, began: time.Now(), upkeep: map[string]upkeep{}}
	if err := tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&b.pages); err != nil {
		b.abandon()
		return nil, fmt.Errorf("begin: %w", err)
	}
	return b, nil
}

// begin begins a transaction. Where that fails the connection is closed, and the next one is another.
func (c *committer) begin(ctx context.Context) (*sql.Conn, *sql.Tx, error) {
	conn, err := c.term.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		discard(conn)
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, tx, nil
}

// abandon rolls the batch back. Where SQLite cannot, closing the connection does.
func (b *batch) abandon() {
	if err := b.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		discard(b.conn)
	}
	b.close()
}

// close gives the connection back to the pool; it may have been discarded.
func (b *batch) close() {
	_ = b.conn.Close()
}

// hasRoomFor reports whether the batch takes a further call in.
func (b *batch) hasRoomFor(t *queuedCall) bool {
	switch n := len(b.calls); {
	case n == 0:
		return true
	case t.alone, b.calls[n-1].alone, n == maxBatchCalls, time.Since(b.began) > b.c.repo.batchTime:
		return false
	}
	return b.bytes+t.pages() <= maxBatchBytes
}

// pages is about how many bytes of pages a call will change. A text is stored, rendered and indexed, while a piece of
// a picture is stored as it is.
func (t *queuedCall) pages() int64 {
	if t.bulk {
		return int64(t.size)
	}
	return 4 * int64(t.size)
}

// run carries one call out in a savepoint of its own. The error is errEnded where the transaction is over for those
// that have run before; what the call itself answers is in the turn, which counts as run only then.
func (b *batch) run(ctx context.Context, t *queuedCall) error {
	if _, err := b.tx.ExecContext(ctx, "SAVEPOINT call"); err != nil {
		return b.end(t, t.exec.refusal(err))
	}
	// An interrupted statement ends the whole transaction, so it is when it has run for long, and not at a caller's word.
	statement, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	x := &Tx{tx: b.tx, conn: b.conn, call: t.exec.call, guard: t.guard(len(b.calls) == 0)}
	x.statement = func(context.Context) context.Context { return statement }
	err := t.exec.apply(t.ctx, x, t.apply) //nolint:contextcheck // the caller ends it between statements, and no statement
	x.end()
	if cerr := b.closeRows(); cerr != nil || b.over() {
		return b.end(t, errors.Join(err, cerr))
	}
	if errors.Is(x.stopped, errTooSlow) {
		t.alone = true
		return b.undo(ctx)
	}
	if x.stopped != nil { // Apply may have overlooked it
		err = t.exec.refusal(x.stopped)
	}
	if err != nil || !t.exec.own {
		if uerr := b.undo(ctx); uerr != nil {
			return b.end(t, t.exec.refusal(uerr))
		}
	} else if _, rerr := b.tx.ExecContext(ctx, "RELEASE call"); rerr != nil {
		return b.end(t, t.exec.refusal(rerr))
	}
	written := b.bytes
	if err == nil && t.exec.own {
		if written = b.written(ctx); b.over() { // by an error of reading, which no statement has told
			return b.end(t, nil)
		}
	}
	t.err = err
	b.note(t, x, written)
	return nil
}

// end says that the transaction is over, at the call t. Where t is the first nobody else has anything to do with it,
// and it is answered; otherwise all run again, and t alone.
func (b *batch) end(t *queuedCall, why error) error {
	t.alone = true // and in this batch nobody comes after it: SAVEPOINT would begin another transaction
	if len(b.calls) > 0 {
		return errors.Join(errEnded, why)
	}
	t.exec.own = false
	if t.err = why; why == nil {
		t.err = t.exec.refusal(errRolledBack)
	}
	b.calls = append(b.calls, t)
	return nil
}

// errTooSlow says that an Apply has taken more than sharedApplyLimit beside others.
var errTooSlow = errors.New("this write takes too long to be carried out beside others")

// guard says when a call may run no further statement: its caller has gone, or it is too slow for those that have run
// before it in the same batch. The first of a batch has time.
func (t *queuedCall) guard(first bool) func() error {
	until := time.Now().Add(sharedApplyLimit)
	return func() error {
		if t.ctx.Err() != nil {
			return whyEnded(t.ctx)
		}
		if !first && time.Now().After(until) {
			return errTooSlow
		}
		return nil
	}
}

// note counts a call that has run, after which so many bytes of pages have been written.
func (b *batch) note(t *queuedCall, x *Tx, written int64) {
	b.calls = append(b.calls, t)
	t.dependsOnBatch = b.rows > 0
	if t.err != nil || !t.exec.own {
		return
	}
	b.rows++
	b.last, t.dependsOnBatch = t.exec.seen, true
	if t.bulk {
		b.bulk += max(written-b.bytes, int64(t.size))
	}
	b.bytes = written
	for name, do := range x.upkeep {
		u := b.upkeep[name]
		b.upkeep[name] = upkeep{do, u.calls + 1}
	}
}

// undo takes back what the call under way has done.
func (b *batch) undo(ctx context.Context) error {
	if _, err := b.tx.ExecContext(ctx, "ROLLBACK TO call; RELEASE call"); err != nil {
		return errors.Join(errEnded, err)
	}
	return nil
}

// over reports whether SQLite has ended the transaction by itself: it does at an interrupted statement, an I/O
// error, a full disk and OR ROLLBACK.
func (b *batch) over() bool { return autocommit(b.conn) }

// closeRows closes the rows that a call has left open: an unread RETURNING would make RELEASE and COMMIT fail.
func (b *batch) closeRows() error {
	err := b.conn.Raw(func(c any) error {
		w, ok := c.(*writingConn)
		if !ok {
			return fmt.Errorf("the writing connection is a %T", c)
		}
		return w.closeRows()
	})
	if err != nil {
		return fmt.Errorf("close rows: %w", err)
	}
	return nil
}

// written is about how many bytes of pages the transaction has changed so far: in the rollback journal each page
// that was there before is kept once, and what came to the end of the file is not. A plain file has a write-ahead
// log instead, which does not say it and does not need the bound.
func (b *batch) written(ctx context.Context) int64 {
	var pages, size int64
	if err := b.tx.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size); err != nil {
		return maxBatchBytes // the next statement says what is wrong
	}
	n := (pages - b.pages) * size
	if b.c.repo.primary.litefs {
		if info, err := os.Stat(b.c.repo.path + "-journal"); err == nil {
			n += info.Size()
		}
	}
	return max(n, b.bytes)
}

// maintain does once for all calls what each of them would have to do: see Tx.Upkeep. What fails is undone by
// itself; the next batch does it.
func (b *batch) maintain(ctx context.Context, call *Call) error {
	b.upkeep["prune"] = upkeep{prune, b.rows}
	for name, u := range b.upkeep {
		if _, err := b.tx.ExecContext(ctx, "SAVEPOINT call"); err != nil {
			return errors.Join(errEnded, err)
		}
		statement, cancel := context.WithTimeout(ctx, applyLimit)
		x := &Tx{tx: b.tx, conn: b.conn, call: call, statement: func(context.Context) context.Context { return statement }}
		err := x.maintain(statement, u)
		x.end()
		cancel()
		if cerr := b.closeRows(); cerr != nil {
			return errors.Join(errEnded, cerr)
		}
		if b.over() {
			return errors.Join(errEnded, err)
		}
		if err != nil {
			b.c.repo.log.Error("upkeep in the transaction of writes", "what", name, "err", err)
			if uerr := b.undo(ctx); uerr != nil {
				return uerr
			}
			continue
		}
		if _, err := b.tx.ExecContext(ctx, "RELEASE call"); err != nil {
			return errors.Join(errEnded, err)
		}
	}
	return nil
}

// panicked turns what a command panics with into an error: it ends that one write, and not the process.
func panicked(name string, p any) error {
	return fmt.Errorf("%s panicked: %v\n%s", name, p, debug.Stack())
}
