package repo

import (
	"context"
	"errors"
	"sync/atomic"
)

// Viewer runs fn in one short read transaction, as Repo.View does.
type Viewer interface {
	View(ctx context.Context, fn func(rd Reader) error) error
}

// preparing is the Viewer of one call's Prepare. It is Prepare's only way to the database, so every read of a Prepare
// is a View, with its empty cache, gate, limit and retries. A View inside a View fails: a transaction would stay open
// while Prepare computes between the two, and the inner one would wait for a second connection while it holds the
// first.
type preparing struct {
	repo   *Repo
	inside atomic.Bool
}

var errNested = errors.New("a read of Prepare inside another: a transaction would stay open meanwhile")

// View implements Viewer. An error of the read, and not of fn, says that nothing was saved.
func (p *preparing) View(ctx context.Context, fn func(rd Reader) error) error {
	if !p.inside.CompareAndSwap(false, true) {
		return errNested
	}
	defer p.inside.Store(false)
	return fail(atPrepare, p.repo.View(ctx, fn), "")
}
