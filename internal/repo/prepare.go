package repo

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Viewer runs fn in one short read transaction, as Repo.View does.
type Viewer interface {
	View(ctx context.Context, fn func(rd Reader) error) error
}

// preparing is the Viewer of one call's Prepare. It is all that Prepare gets of the database, so that every read of a
// command's Prepare is a View: with the empty cache, the gate, the limit and the retries of one. A View inside a View
// fails: it would leave a transaction open during whatever happens between the two, and would wait for a second
// connection with the first in hand.
type preparing struct {
	repo   *Repo
	inside atomic.Bool
}

var errNested = errors.New("a read of Prepare inside another: a transaction would stay open meanwhile")

// View implements Viewer. An error that is the read's own and not fn's says that nothing was saved.
func (p *preparing) View(ctx context.Context, fn func(rd Reader) error) error {
	if !p.inside.CompareAndSwap(false, true) {
		return errNested
	}
	defer p.inside.Store(false)
	return unread(p.repo.View(ctx, fn))
}

// unread translates an error of a View on the way to a transaction: nothing was saved, and where soon something may be
// the call is made again.
func unread(err error) error {
	switch {
	case HasReason(err, DiskFull):
		return full(err)
	case HasReason(err, Interrupted), HasReason(err, Busy), HasReason(err, NoDatabase):
		return unavailable(NotNow, "The primary could not take the write; nothing was saved.", time.Second, err)
	}
	return err
}
