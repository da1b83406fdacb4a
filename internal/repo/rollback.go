package repo

import (
	"context"
	"sync"
	"time"

	"blog/internal/litefs"
)

// rollback is what readers do about a transaction that could neither be committed nor
// rolled back, as on a full disk: who only reads cannot roll it back, and on a primary
// nobody but the writing connection does.
type rollback struct {
	mu sync.Mutex // held by the one who tries
	// since is when the disk was first too full for it, last when it last was.
	since, last time.Time
}

const (
	// tryFor bounds one try: the writing connection may be another's by now, who has
	// rolled back at its own beginning.
	tryFor = 250 * time.Millisecond
	// stuckFor is for how long the disk must have been too full before readers are told.
	// Where the role is lost LiteFS gives the same error, and this node hears of it later.
	stuckFor = time.Second
)

// rollBack tries, unless somebody else does, and fails where there has been no room for it
// for some time: all that can be said here.
func (r *Repo) rollBack(ctx context.Context) error {
	if r.primary == nil || r.node.Role().State != litefs.Primary || !r.rollback.mu.TryLock() {
		return nil
	}
	defer r.rollback.mu.Unlock()
	b := &r.rollback
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	err := r.primary.check(ctx)
	if !HasReason(err, DiskFull) {
		return nil
	}
	now := time.Now()
	if now.Sub(b.last) > stuckFor {
		b.since = now
	}
	if b.last = now; now.Sub(b.since) < stuckFor {
		return nil
	}
	return unavailable(DiskFull, "The disk of this node is full: its database can neither be read nor written until its operator makes room.", fullFor, err)
}
