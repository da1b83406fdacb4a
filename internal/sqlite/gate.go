package sqlite

import (
	"context"
	"math"
	"sync"
	"time"
)

// longestRun is for how long reads may overlap without a pause on a replica.
const longestRun = 100 * time.Millisecond

// gate makes pauses between reads. LiteFS applies a transaction only at a moment when
// nobody reads, and does not hold new readers back until then: reads that always overlap
// would block replication for ever. So when reads have overlapped for longestRun, new ones
// wait until all have ended, and for pauseAfter more.
type gate struct {
	now   func() time.Time
	after func(time.Duration, func()) // as time.AfterFunc

	mu      sync.Mutex
	active  int
	since   time.Time     // when active was last 0
	shut    chan struct{} // closed when the gate opens again; nil: it is open
	pausing bool          // a pause has begun, and the gate opens at its end
}

func newGate() *gate {
	return &gate{now: time.Now, after: func(d time.Duration, f func()) { time.AfterFunc(d, f) }}
}

// enter waits until a read may begin, and counts it. It fails when ctx ends first. leave ends the read.
func (g *gate) enter(ctx context.Context) error {
	for {
		shut := g.try()
		if shut == nil {
			return nil
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// try counts a read and returns nil, or returns a channel that is closed when it may be tried again.
func (g *gate) try() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil && g.active > 0 && g.now().Sub(g.since) > longestRun {
		g.shut = make(chan struct{})
	}
	if g.shut != nil {
		return g.shut
	}
	g.count()
	return nil
}

// pass counts a read that does not wait: one of ViewReserved, which are short and
// few, and which many others wait for.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count()
}

func (g *gate) count() {
	if g.active == 0 {
		g.since = g.now()
	}
	g.active++
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	if g.active > 0 || g.shut == nil || g.pausing {
		return
	}
	g.pausing = true
	g.after(pauseAfter(g.now().Sub(g.since)), g.open)
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut, g.pausing = nil, false
}

// pauseAfter returns how long a pause must be so that LiteFS makes a try within it, when it may
// have waited for that long. LiteFS tries again (2 ^ i) ms after the i-th time (v0.5.14, db.go,
// AcquireWriteLock; in Go ^ is an exclusive or, so about i ms), which after T ms is every
// sqrt(2T) ms. Half as much again, and 5 ms, are for timers that are late.
func pauseAfter(waited time.Duration) time.Duration {
	between := math.Sqrt(2 * float64(waited.Milliseconds()))
	return time.Duration((1.5*between + 5) * float64(time.Millisecond))
}
