package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"blog/internal/apperr"
	"blog/internal/sqlite"
)

// committed answers the calls of a batch whose COMMIT has failed with err. Under LiteFS such a COMMIT may have
// happened, so only the rows can tell: committed reads the newest one and compares it with the last of the batch.
// When the disk is full the role is not in doubt, and a further attempt would end alike, so the calls are refused.
// Otherwise a row that is not there now may still be there later, and the outcome of all calls that depend on the
// batch's rows is unknown.
//
// On a plain file nothing is read: its log may have rows that were not synced, and they may be there after a crash.
func (c *committer) committed(ctx context.Context, b *batch, err error) {
	var seen Cursor
	if !sqlite.IsFull(err) && c.repo.primary.litefs {
		newest, saved, ferr := c.find(ctx, b.last)
		switch {
		case ferr != nil:
			// What kept the rows from being read says nothing about the COMMIT: only its text goes along.
			err = fmt.Errorf("%w; the newest row cannot be read: %s", err, ferr.Error())
		case saved:
			for _, t := range b.calls { // these answers have to be confirmed as a refusal's are
				t.exec.hasRow = false
			}
			return
		case c.repo.hasNoRoom(err):
			err, seen = fmt.Errorf("%w: %w", errNoRoom, err), newest
		}
	}
	b.refuseDependents(err, seen)
}

// refuseDependents answers those whose answer rests on rows that may not have been saved. seen is the newest row of the
// history where it was found that they were not: then these answers, too, are given as late as any other, if the role
// lasts.
func (b *batch) refuseDependents(err error, seen Cursor) {
	for _, t := range b.calls {
		if !t.dependsOnBatch {
			continue
		}
		t.exec.call.Reply, t.err = Reply{}, fail(atCommit, err, t.exec.call.Key)
		if apperr.HasReason(t.err, apperr.DiskFull) {
			t.exec.seen, t.exec.hasRow, t.exec.verified = seen, false, !seen.Zero()
		}
	}
}

// find reports whether the row of a COMMIT that has failed is there, and returns the newest row. It reads in a
// transaction that writes: to begin it SQLite has to roll back what is left of the one before. It fails when the role
// has changed.
func (c *committer) find(ctx context.Context, at Cursor) (newest Cursor, found bool, err error) {
	c.repo.writing.stepBegins()
	ctx, cancel := context.WithTimeout(ctx, sqlite.BusyTimeout)
	defer cancel()
	tx, err := c.term.db.BeginTx(ctx, nil)
	if err != nil {
		return newest, false, fmt.Errorf("begin anew: %w", err)
	}
	newest, err = Newest(ctx, tx)
	if rerr := tx.Rollback(); err == nil && rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
		err = fmt.Errorf("end: %w", rerr)
	}
	if rerr := c.checkTerm(); rerr != nil {
		err = errors.Join(err, errRoleChanged, rerr)
	}
	return newest, newest == at, err
}

// refuseAll answers everybody who waits.
func (c *committer) refuseAll(err error) {
	c.mu.Lock()
	waiting := slices.Concat(c.again, c.calls, c.bulk)
	jobs := c.jobs
	c.again, c.calls, c.bulk, c.jobs = nil, nil, nil, nil
	c.mu.Unlock()
	for _, t := range waiting {
		t.answer(err)
	}
	for _, e := range jobs {
		e.done <- err
	}
}

// refuseUnderWay answers the calls of a batch in which a command has ended the goroutine, and rolls the batch back.
// COMMIT was not tried, so nothing of them is saved.
func (c *committer) refuseUnderWay(err error) {
	b := c.underWay
	if b == nil {
		return
	}
	b.abandon()
	for _, t := range b.calls {
		t.answer(err)
	}
	if b.running != nil {
		b.running.answer(err)
	}
}
