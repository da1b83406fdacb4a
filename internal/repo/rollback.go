package repo

import (
	"context"
	"sync/atomic"
	"time"

	"blog/internal/litefs"
)

// rollback is what readers do about a transaction that could neither be committed nor
// rolled back, as on a full disk: who only reads cannot roll it back, and on a primary
// nobody but the writing connection does. To roll back it needs a moment in which nobody
// even looks, so they stand in line.
type rollback struct {
	turn  chan struct{} // holds the one whose turn it is
	tried atomic.Int64  // counts the tries after which it is worth looking again
	// since is when the disk was first too full for it, last when it last was. Whose turn
	// it is has them.
	since, last time.Time
}

const (
	// tryFor bounds one try: the writing connection may be another's by now, who has
	// rolled back at its own beginning. Where the disk is full tries are as far apart.
	tryFor = 250 * time.Millisecond
	// stuckFor is for how long the disk must have been too full before readers are told.
	// Where the role is lost LiteFS gives the same error, and this node hears of it later.
	stuckFor = time.Second
)

// rollBack returns when a read that has found such a transaction should look again; tried
// is from before. It fails where there has been no room to roll back for some time: all
// that can be said here.
func (r *Repo) rollBack(ctx context.Context, tried int64) error {
	if r.primary == nil || r.node.Role().State != litefs.Primary {
		return nil
	}
	b := &r.rollback
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
		if wait > 0 && !rested(ctx, wait) {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, tryFor)
		defer cancel()
		if err := r.primary.check(limited); !HasReason(err, DiskFull) {
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
	return unavailable(DiskFull, "The disk of this node is full: its database can neither be read nor written until its operator makes room.", fullFor, nil)
}
