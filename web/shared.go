package web

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"blog/internal/repo"
)

// renderings are the renderings of kept pages that run now, at most one for each page.
// Each has readers who wait for it, or is about to end: they are no more than requests.
type renderings struct {
	mu    sync.Mutex // taken before the cache's
	byKey map[address]*rendering
}

// rendering makes one page for all who ask for it at once.
type rendering struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	result rendered      // set before done is closed

	// Guarded by renderings.mu.
	begun   bool // who comes now is late: it may have read already, or is cancelled
	waiting int  // readers
}

// rendered is what a rendering has come to: doc or err.
type rendered struct {
	doc    *document
	err    error
	topics []string
	epoch  int  // of the cache, before it began
	told   bool // the caches have been told of the newest row that it saw
}

// shared returns the document under key. If none is kept, it is the result of a rendering
// that all who ask at the same time wait for; render runs in a goroutine of its own and
// its context ends when the last of them has left.
//
// A rendering that has read before a reader came may lack what that reader must see: they
// take its document only if it is good as a kept one would be. That covers the reader's
// position, since position has waited until the cache was told of it. Else they wait for
// the next rendering, which begins after they came, and take whatever it comes to: nobody
// waits for a third one, however fast the page changes.
//
// It fails with ctx, and with the error of render, of which a panic is one.
func (c *cache) shared(
	ctx context.Context, key address, render func(ctx context.Context, begun func()) rendered,
) (*document, error) {
	for first := true; ; first = false {
		doc, r, late := c.join(ctx, key, render)
		if doc != nil {
			return doc, nil
		}
		select {
		case <-r.done:
			c.running.leave(r)
		case <-ctx.Done():
			c.running.leave(r)
			return nil, fmt.Errorf("wait for a page to be rendered: %w", ctx.Err())
		}
		if !first || !late || c.usable(r.result) {
			return r.result.doc, r.result.err
		}
	}
}

// usable reports whether who came while a rendering ran may have its result.
func (c *cache) usable(r rendered) bool {
	return r.err == nil && r.told && c.stillGood(r.epoch, r.doc.seen, r.topics)
}

// join returns the kept document, or the rendering of key that runs, if need be a new
// one, and whether that may have read already.
func (c *cache) join(
	ctx context.Context, key address, render func(ctx context.Context, begun func()) rendered,
) (kept *document, r *rendering, late bool) {
	c.running.mu.Lock()
	defer c.running.mu.Unlock()
	// Under the lock: what was rendered a moment ago is here before its rendering is gone.
	if kept = c.get(key); kept != nil {
		return kept, nil, false
	}
	r = c.running.byKey[key]
	if r == nil {
		r = &rendering{done: make(chan struct{})}
		c.running.byKey[key] = r
		ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
		go c.run(ctx, key, r, render)
	}
	r.waiting++
	return nil, r, r.begun
}

// run carries out a rendering. It survives a panic, which ends the readers' requests and
// not the program.
func (c *cache) run(
	ctx context.Context, key address, r *rendering, render func(ctx context.Context, begun func()) rendered,
) {
	// What render did not return is a panic, or the end of its goroutine.
	r.result.err = repo.Errorf(repo.Internal, "The rendering of %s ended early.", key.path)
	defer func() {
		if p := recover(); p != nil {
			r.result.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		r.cancel()
		c.running.mu.Lock()
		defer c.running.mu.Unlock()
		delete(c.running.byKey, key)
		close(r.done)
	}()
	r.result = render(ctx, func() { c.running.begin(r) })
}

func (rs *renderings) begin(r *rendering) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r.begun = true
}

// leave takes a reader out of those who wait for r. A rendering that nobody waits for is
// cancelled. It stays the page's only one until it has ended: who comes meanwhile waits
// for that, and then for the next.
func (rs *renderings) leave(r *rendering) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.waiting--; r.waiting == 0 {
		r.begun = true
		r.cancel()
	}
}
