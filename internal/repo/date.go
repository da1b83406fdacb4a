package repo

import (
	"context"
	"fmt"
	"time"

	"blog/internal/apperr"
)

// ClockReset is the name of the one command whose row may be dated earlier than the
// row before it. Package dates has it.
const ClockReset = "clock.reset"

// nextDate returns the date of the next row: the time, or the newest row's date when that is later.
func (r *Repo) nextDate(newest head) time.Time {
	r.dated(newest.at, false)
	now := r.now().UTC().Truncate(time.Millisecond)
	if now.Before(newest.at) {
		return newest.at
	}
	return now
}

// isRedated reports whether the row may be dated earlier than the one before it.
func (r Row) isRedated() bool { return r.Name == ClockReset }

// Redate sets Now to the time of this node's clock, although the newest row is dated later, and
// gives that date to all rows that are dated later. It returns the date that the newest row had,
// and how many rows it has dated. It fails for any command but ClockReset, and as a Conflict when
// the clock cannot be relied on; with force it relies on this machine's.
//
// The keys of these rows are honoured for 30 days from Now, which is longer than from when they
// were used. Rows with a date far ahead would never be pruned, nor would those after them.
func (tx *Tx) Redate(ctx context.Context, force bool) (newest time.Time, rows int64, err error) {
	if tx.call.Name != ClockReset {
		return newest, 0, fmt.Errorf("%s may not date its row earlier than the one before it", tx.call.Name)
	}
	now, err := tx.reset(force)
	if err != nil {
		return newest, 0, (&apperr.Error{
			Code: apperr.Conflict, Reason: apperr.ClockDoubted,
			Message: fmt.Sprintf("The clock cannot be reset now: %s. "+
				"Set it by NTP, and the other nodes' too; --force relies on it as it is.", err),
		}).WithCause(err)
	}
	tx.now = now.UTC().Truncate(time.Millisecond)
	at := FormatTime(tx.now)
	res, err := tx.ExecContext(ctx, "UPDATE writes SET at = ? WHERE at > ?", at, at)
	if err != nil {
		return newest, 0, fmt.Errorf("date writes: %w", err)
	}
	if rows, err = res.RowsAffected(); err != nil {
		return newest, 0, fmt.Errorf("date writes: %w", err)
	}
	return tx.last.at, rows, nil
}
