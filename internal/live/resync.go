package live

import (
	"maps"
	"slices"
	"sync"
	"time"

	"blog/internal/repo"
)

// pendingResyncs is the set of sockets whose resync is delayed. One goroutine checks them, and runs only while there
// are any: a timer for each socket would cost memory for idle sockets too.
type pendingResyncs struct {
	mu      sync.Mutex // taken after a socket's
	sockets map[*socket]struct{}
	running bool
}

// resyncSteps is how often delayed resyncs are checked within ResyncEvery.
const resyncSteps = 20

// resync makes the page of s fetch itself: at once, or, when the last resync is less than ResyncEvery ago, at the end
// of that time. A delayed resync covers everything that is delivered to s until it is queued.
func (s *socket) resync(msgs [][]byte, upTo repo.Cursor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.resyncPending || upTo.Seq <= s.covered.Seq {
		return
	}
	if !s.mayResyncLocked(now) {
		s.resyncPending = true
		s.hub.delayResync(s)
		return
	}
	s.resynced = now
	s.addLocked(msgs, upTo)
}

// resyncAtOnce sends a resync after a rewritten history, without delay: what s has received is void, and the rows from
// upTo on may have lower numbers.
func (s *socket) resyncAtOnce(msgs [][]byte, upTo repo.Cursor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.clearPendingLocked()
	s.resynced = now
	s.addLocked(msgs, upTo)
}

// mayResyncLocked reports whether the last resync is at least ResyncEvery ago. The caller holds s.mu.
func (s *socket) mayResyncLocked(now time.Time) bool {
	return s.resynced.IsZero() || now.Sub(s.resynced) >= s.hub.o.ResyncEvery
}

// clearPendingLocked ends the delay of a resync. The caller holds s.mu.
func (s *socket) clearPendingLocked() {
	s.resyncPending = false
	s.hub.pendingResyncs.mu.Lock()
	defer s.hub.pendingResyncs.mu.Unlock()
	delete(s.hub.pendingResyncs.sockets, s)
}

// delayResync makes the hub send a resync to s once ResyncEvery is over. The caller holds s.mu, and s is not closing:
// its listener still runs, so Close waits for the goroutine that starts here too.
func (h *Hub) delayResync(s *socket) {
	h.pendingResyncs.mu.Lock()
	defer h.pendingResyncs.mu.Unlock()
	h.pendingResyncs.sockets[s] = struct{}{}
	if h.pendingResyncs.running {
		return
	}
	h.pendingResyncs.running = true
	h.work.Add(1)
	go func() { defer h.work.Done(); h.sendResyncs() }()
}

// sendResyncs sends delayed resyncs, each at its time, and returns when none is left.
func (h *Hub) sendResyncs() {
	h.step(h.o.ResyncEvery/resyncSteps, h.sendDueResyncs)
}

// sendDueResyncs sends the delayed resyncs whose time has come and reports whether others remain. When none remains,
// sendResyncs has ended.
func (h *Hub) sendDueResyncs(now time.Time) (more bool) {
	h.pendingResyncs.mu.Lock()
	all := slices.Collect(maps.Keys(h.pendingResyncs.sockets))
	h.pendingResyncs.mu.Unlock()
	var msgs [][]byte
	var at repo.Cursor
	message := func(c repo.Cursor) [][]byte {
		if msgs == nil || c != at {
			at, msgs = c, h.resyncAt(c)
		}
		return msgs
	}
	for _, s := range all {
		s.sendDueResync(message, now)
	}
	h.pendingResyncs.mu.Lock()
	defer h.pendingResyncs.mu.Unlock()
	h.pendingResyncs.running = len(h.pendingResyncs.sockets) > 0
	return h.pendingResyncs.running
}

// sendDueResync queues the delayed resync of s if its time has come.
func (s *socket) sendDueResync(message func(repo.Cursor) [][]byte, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		s.clearPendingLocked()
	case s.resyncPending && s.mayResyncLocked(now):
		s.queueResyncLocked(message, now)
	}
}

// releaseAsResync is release without the missed changes: a resync covers them, and what was delivered meanwhile.
func (s *socket) releaseAsResync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = false
	if s.closing {
		return
	}
	for _, m := range s.held {
		s.bytes -= len(m)
	}
	s.held = nil
	s.queueResyncLocked(s.hub.resyncAt, time.Now())
}

// queueResyncLocked queues a resync with the hub's position, which it reads under s.mu: a message for a row up to that
// position was dropped before or will be dropped as older, and a message for a later row is delivered after the resync.
// The caller holds s.mu, and s is not closing.
func (s *socket) queueResyncLocked(message func(repo.Cursor) [][]byte, now time.Time) {
	s.clearPendingLocked()
	s.resynced = now
	at := s.hub.position()
	s.addLocked(message(at), at)
}
