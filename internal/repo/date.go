package repo

import (
	"context"
	"fmt"
	"time"
)

// ClockReset is the name of the one command whose row may be dated earlier than the
// row before it. Package dates has it.
const ClockReset = "clock.reset"

// date returns what the next row is dated with: the time, or the newest row's date where
// that is later.
func (r *Repo) date(newest head) time.Time {
	r.dated(newest.at, false)
	now := r.now().UTC().Truncate(time.Millisecond)
	if now.Before(newest.at) {
		return newest.at
	}
	return now
}

// redated reports whether the row may be dated earlier than the one before it.
func (r Row) redated() bool { return r.Name == ClockReset }

// Redate makes Now the time of this node's clock although the newest row is dated later,
// gives that date to all rows that are dated later, and returns what the newest row's was
// and how many they are. It fails for any command but ClockReset, and as a Conflict where
// the clock cannot be relied on; with force the machine's is.
//
// Keys of the rows are honoured for 30 days from Now, which is longer than from when they
// were used; rows that kept a date far ahead would never be pruned, nor those after them.
func (tx *Tx) Redate(ctx context.Context, force bool) (newest time.Time, rows int64, err error) {
	if tx.call.Name != ClockReset {
		return newest, 0, fmt.Errorf("%s may not date its row earlier than the one before it", tx.call.Name)
	}
	now, err := tx.reset(force)
	if err != nil {
		return newest, 0, &Error{
			Code: Conflict, Reason: ClockDoubted, cause: err,
			Message: fmt.Sprintf("The clock cannot be reset now: %s. "+
				"Set it by NTP, and the other nodes' too; --force relies on it as it is.", err),
		}
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
