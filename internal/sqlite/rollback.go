package sqlite

import (
	"context"
	"sync/atomic"
	"time"
)

// rollback is the readers' part in the rollback of a transaction that could neither be committed
// nor rolled back, as on a full disk. A connection that only reads cannot roll it back, and on a
// primary only the writing connection does. That needs a moment in which nobody reads, so
// readers ask for it one at a time.
type rollback struct {
	do    func(ctx context.Context) (full bool)
	turn  chan struct{} // full while a reader has its turn
	tried atomic.Int64  // counts the tries after which readers should read again
	// since is when the disk was first too full for a rollback, last when it last was. Only
	// the reader that has its turn uses them.
	since, last time.Time
}

const (
	// rollbackAgain is how often it is checked whether a rollback is over. SQLite's busy timeout knows nothing of it.
	rollbackAgain = 20 * time.Millisecond
	// tryFor bounds one try: the writing connection may be that of a new term by now, which
	// has rolled back at its beginning. On a full disk tries are as far apart.
	tryFor = 250 * time.Millisecond
	// stuckFor is for how long the disk must have been too full before readers fail. When the
	// role is lost LiteFS gives the same error, before this node hears of the loss.
	stuckFor = time.Second
)

// rollBack returns when a read that has found such a transaction should be tried again; tried is
// the count from before that read. It fails with ErrStuck when there has been no room to roll back
// for stuckFor.
func (d *Database) rollBack(ctx context.Context, tried int64) error {
	if !d.writes() {
		return nil
	}
	b := &d.rollback
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil
	}
	if b.tried.Load() != tried {
		return nil
	}
	wait, stuck := tryFor-time.Since(b.last), b.last.Sub(b.since) >= stuckFor
	if wait <= 0 || !stuck {
		if wait > 0 && !waited(ctx, wait) {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, tryFor)
		defer cancel()
		if !b.do(limited) {
			b.tried.Add(1)
			return nil
		}
		now := time.Now()
		if now.Sub(b.last) > stuckFor {
			b.since = now
		}
		b.last = now
		stuck = now.Sub(b.since) >= stuckFor
	}
	if !stuck {
		return nil
	}
	return ErrStuck
}

// waited waits for d, and reports whether ctx has not ended meanwhile.
func waited(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
