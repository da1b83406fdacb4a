package web

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"blog/internal/apperr"
)

// renderings are the renderings of cached pages that run now, at most one for each page. Each has
// readers who wait for it, or is about to end, so there are never more than requests.
type renderings struct {
	mu    sync.Mutex // is locked before that of the cache
	byKey map[address]*rendering
}

// rendering renders one page for all readers who ask for it at the same time.
type rendering struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	result rendered      // set before done is closed

	// Guarded by renderings.mu.
	begun   bool // it may have read the database already, or is cancelled
	waiting int  // readers
}

// rendered is the result of a rendering: doc or err.
type rendered struct {
	doc       *document
	err       error
	topics    []string
	epoch     int  // of the cache, before it began
	announced bool // the feed has delivered the newest row that it read
}

// shared returns the document under key: the cached one, or the result of a rendering that all who ask at the same time
// share. render runs in a goroutine, and its context ends when the last reader has left.
//
// A rendering that has read the database before a reader came may lack what that reader must see. The reader gets its
// document only if it is good in the sense of the cache, which covers the position of the reader, because the
// middleware position has waited until the feed reached it. Otherwise the reader waits for the next rendering, which
// begins after they came, and gets its result whatever it is: nobody waits for a third one, however fast the page
// changes.
//
// It fails when ctx ends, and with the error of render, which a panic is turned into.
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

// usable reports whether a reader who came while a rendering ran may have its result.
func (c *cache) usable(r rendered) bool {
	return r.err == nil && r.announced && c.stillGood(r.epoch, r.doc.seen, r.topics)
}

// join returns the cached document, or the running rendering of key, a new one if there is none, and whether that
// rendering may have read the database already.
func (c *cache) join(
	ctx context.Context, key address, render func(ctx context.Context, begun func()) rendered,
) (cached *document, r *rendering, late bool) {
	c.running.mu.Lock()
	defer c.running.mu.Unlock()
	// Under the lock, because a rendering caches its document before it leaves the map.
	if cached = c.get(key); cached != nil {
		return cached, nil, false
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

// run runs a rendering. A panic in it ends the requests of its readers and not the program.
func (c *cache) run(
	ctx context.Context, key address, r *rendering, render func(ctx context.Context, begun func()) rendered,
) {
	// If render panics, or ends its goroutine, this is the result.
	r.result.err = apperr.Errorf(apperr.Internal, "The rendering of %s ended early.", key.path)
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

// leave removes a reader from those who wait for r. A rendering without readers is cancelled, but
// remains the only one of its page until it has ended. Readers who come meanwhile wait for that,
// and then for the next one.
func (rs *renderings) leave(r *rendering) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.waiting--; r.waiting == 0 {
		r.begun = true
		r.cancel()
	}
}
