package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"

	"blog/internal/sqlite"
)

// Bounds of one batch. LiteFS applies a transaction under a lock that holds a replica's readers back, and
// sends it whole, so a batch has well under 1 MB of pages.
const (
	maxBatchCalls = 64
	maxBatchBytes = 512 << 10
	// maxBatchTime is for how long a batch admits further calls: those that are in it already wait for them. It and the
	// next are longer on a machine that is slow: pace.
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

	pages    int64 // of the database when the batch began
	pageSize int64 // bytes

	calls   []*queuedCall // that have run, in order; they are answered at the end
	running *queuedCall   // nil: none
	rows    int           // calls with a row
	last    Cursor        // newest row of the batch
	bytes   int64         // of pages written so far, about
	bulk    int64         // of those, by calls of the bulk queue
	upkeep  map[string]upkeep
}

// errEnded says that SQLite has ended the batch's transaction by itself, or that the transaction cannot go on.
// Nothing of it is saved, and its calls run again.
var errEnded = errors.New("the transaction of the batch has ended")

// open begins a batch and its transaction. ctx, here and below, is that of the committer, and no caller's.
func (c *committer) open(ctx context.Context) (*batch, error) {
	began := time.Now()
	conn, tx, err := c.begin(ctx)
	if sqlite.IsGeneric(err) {
		conn, tx, err = c.begin(ctx) // on another connection: a failure had left a transaction open on that one
	}
	c.repo.noteBegin(err)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	b := &batch{c: c, conn: conn, tx: tx, began: c.repo.timeStage(StageBegin, began), upkeep: map[string]upkeep{}}
	err = tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&b.pages)
	if err == nil {
		err = tx.QueryRowContext(ctx, "PRAGMA page_size").Scan(&b.pageSize)
	}
	if err != nil {
		c.repo.noteUnwritten(b.began, err)
		b.abandon()
		return nil, fmt.Errorf("begin: %w", err)
	}
	return b, nil
}

// begin begins a transaction. When that fails it closes the connection, so that the next try has another.
func (c *committer) begin(ctx context.Context) (*sql.Conn, *sql.Tx, error) {
	c.repo.writing.stepBegins()
	conn, err := c.term.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		sqlite.Discard(conn)
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, tx, nil
}

// abandon rolls the batch back. When SQLite cannot, it closes the connection, which does.
func (b *batch) abandon() {
	if err := b.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		sqlite.Discard(b.conn)
	}
	b.close()
}

// close returns the connection to the pool; it may have been discarded.
func (b *batch) close() {
	_ = b.conn.Close()
}

// hasRoomFor reports whether the batch admits t.
func (b *batch) hasRoomFor(t *queuedCall) bool {
	switch n := len(b.calls); {
	case n == 0:
		return true
	case t.alone, b.calls[n-1].alone, n == maxBatchCalls,
		time.Since(b.began) > b.c.pace.admission(b.c.repo.batchTime):
		return false
	}
	return b.bytes+t.pages() <= maxBatchBytes
}

// pages returns about how many bytes of pages a call will change. A text is stored, rendered and indexed, a piece of a
// picture only stored.
func (t *queuedCall) pages() int64 {
	if t.bulk {
		return int64(t.size)
	}
	return 4 * int64(t.size)
}

// run runs one call in a savepoint of its own, and sets its error. It fails with errEnded when the transaction has
// ended for the calls before as well; t then counts as not run.
func (b *batch) run(ctx context.Context, t *queuedCall) error {
	began := b.c.repo.timeStage(StageQueue, t.queued)
	if _, err := b.tx.ExecContext(ctx, "SAVEPOINT call"); err != nil {
		return b.end(t, t.exec.repo.failApply(err))
	}
	// An interrupted statement ends the whole transaction. So a statement is interrupted when it has run for long,
	// and not when its caller goes away.
	statement, cancel := context.WithTimeout(ctx, b.c.repo.applyTime)
	defer cancel()
	x := &Tx{tx: b.tx, conn: b.conn, call: t.exec.call, guard: t.guard(b.sharedLimit())}
	x.statement = func(context.Context) context.Context { return statement }
	err := t.exec.apply(t.ctx, x, t.apply) //nolint:contextcheck // the caller ends it between statements, and no statement
	x.end()
	b.c.repo.writing.stepBegins()
	if cerr := sqlite.CloseRows(b.conn); cerr != nil || b.hasEnded() {
		return b.end(t, errors.Join(err, cerr))
	}
	if errors.Is(x.stopped, errTooSlow) {
		t.alone = true
		return b.undo(ctx)
	}
	if x.stopped != nil { // Apply may have overlooked it
		err = t.exec.repo.failApply(x.stopped)
	}
	if err != nil || !t.exec.hasRow {
		if uerr := b.undo(ctx); uerr != nil {
			return b.end(t, t.exec.repo.failApply(uerr))
		}
	} else if _, rerr := b.tx.ExecContext(ctx, "RELEASE call"); rerr != nil {
		return b.end(t, t.exec.repo.failApply(rerr))
	}
	written := b.bytes
	if err == nil && t.exec.hasRow {
		if written = b.written(ctx); b.hasEnded() { // by an error while reading rows, which no statement has returned
			return b.end(t, nil)
		}
	}
	t.err, t.ran = err, b.c.repo.timeStage(StageApply, began)
	if err == nil && t.exec.hasRow {
		b.c.pace.applied(t.ran.Sub(began))
	}
	b.note(t, x, written)
	return nil
}

// end handles a transaction that has ended at the call t. If t is the first of the batch it is answered. Otherwise end
// fails with errEnded: all run again, and t runs alone.
func (b *batch) end(t *queuedCall, why error) error {
	t.alone = true // and in this batch nobody comes after it: SAVEPOINT would begin another transaction
	if len(b.calls) > 0 {
		return errors.Join(errEnded, why)
	}
	t.exec.hasRow, t.ran = false, time.Now()
	if t.err = why; why == nil {
		t.err = t.exec.repo.failApply(errRolledBack)
	}
	b.calls = append(b.calls, t)
	return nil
}

// errTooSlow says that an Apply has taken more than sharedApplyLimit beside others.
var errTooSlow = errors.New("this write takes too long to be carried out beside others")

// sharedLimit is for how long the next call may run, 0 if there is no limit: the first of a batch may be slow.
func (b *batch) sharedLimit() time.Duration {
	if len(b.calls) == 0 {
		return 0
	}
	return b.c.pace.shared()
}

// guard returns a function that fails when a call may run no further statement: its caller has gone, or it has run for
// longer than limit, unless that is 0, which is too slow for the calls before it in the same batch.
func (t *queuedCall) guard(limit time.Duration) func() error {
	until := time.Now().Add(limit)
	return func() error {
		if t.ctx.Err() != nil {
			return whyEnded(t.ctx)
		}
		if limit > 0 && time.Now().After(until) {
			return errTooSlow
		}
		return nil
	}
}

// note adds a call that has run to the batch. written is how many bytes of pages have been written by now.
func (b *batch) note(t *queuedCall, x *Tx, written int64) {
	b.calls = append(b.calls, t)
	t.dependsOnBatch = b.rows > 0
	if t.err != nil || !t.exec.hasRow {
		return
	}
	// Pages that a long row has left behind are taken for the next one: neither journal nor file shows that.
	written = max(written, b.bytes+max(t.pages(), x.rewritten))
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

// unwritten returns an error that has kept a call of the batch from being written, nil where none has.
func (b *batch) unwritten() error {
	for _, t := range b.calls {
		if isUnwritten(t.err) {
			return t.err
		}
	}
	return nil
}

// undo rolls back what the call under way has done.
func (b *batch) undo(ctx context.Context) error {
	if _, err := b.tx.ExecContext(ctx, "ROLLBACK TO call; RELEASE call"); err != nil {
		return errors.Join(errEnded, err)
	}
	return nil
}

// hasEnded reports whether SQLite has ended the transaction by itself: it does at an interrupted statement, an I/O
// error, a full disk and OR ROLLBACK.
func (b *batch) hasEnded() bool { return sqlite.Autocommit(b.conn) }

// written is about how many bytes of pages the transaction has changed so far: in the rollback journal each page
// that was there before is stored once, and what came to the end of the file is not. A plain file has a write-ahead
// log instead, which does not say it and does not need the bound.
func (b *batch) written(ctx context.Context) int64 {
	var pages int64
	if err := b.tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return maxBatchBytes // the next statement says what is wrong
	}
	n := (pages - b.pages) * b.pageSize
	if b.c.repo.primary.litefs {
		switch size, err := knownSize(b.c.repo.path + "-journal"); {
		case err == nil:
			n += size
		case !errors.Is(err, fs.ErrNotExist): // it says nothing about the size: the batch ends here
			return maxBatchBytes
		}
	}
	return max(n, b.bytes)
}

// maintain runs each upkeep that calls of the batch have asked for, and pruning, once: see Tx.Upkeep. An upkeep that
// fails is undone by itself; the next batch does it. maintain fails with errEnded when the transaction has ended.
func (b *batch) maintain(ctx context.Context, call *Call) error {
	b.upkeep["prune"] = upkeep{prune, b.rows}
	for name, u := range b.upkeep {
		if _, err := b.tx.ExecContext(ctx, "SAVEPOINT call"); err != nil {
			return errors.Join(errEnded, err)
		}
		statement, cancel := context.WithTimeout(ctx, b.c.repo.applyTime)
		x := &Tx{tx: b.tx, conn: b.conn, call: call, statement: func(context.Context) context.Context { return statement }}
		err := x.maintain(statement, u)
		x.end()
		cancel()
		b.c.repo.writing.stepBegins()
		if cerr := sqlite.CloseRows(b.conn); cerr != nil {
			return errors.Join(errEnded, cerr)
		}
		if b.hasEnded() {
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
