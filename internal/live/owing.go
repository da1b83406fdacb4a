package live

import (
	"maps"
	"slices"
	"sync"
	"time"

	"blog/internal/repo"
)

// owing is the sockets for which a resync is held back. They are looked through by one
// goroutine while there are any: a timer for each would be memory that idle ones have too.
type owing struct {
	mu      sync.Mutex // taken after a socket's
	sockets map[*socket]struct{}
	running bool
}

// owingSteps is how often within ResyncEvery it is looked whose time has come.
const owingSteps = 20

// resync tells s to fetch its page: at once, or, when that was told less than ResyncEvery
// ago, at the end of that time. One such message then stands for all that s is to be told
// until it is queued.
func (s *socket) resync(msgs [][]byte, upTo repo.Cursor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.owed || upTo.Seq <= s.told.Seq {
		return
	}
	if !s.mayResync(now) {
		s.owed = true
		s.hub.owe(s)
		return
	}
	s.resynced = now
	s.add(msgs, upTo)
}

// resyncAtOnce is resync after a rewritten history: what s was told is void, and the rows
// from upTo on may have lower numbers.
func (s *socket) resyncAtOnce(msgs [][]byte, upTo repo.Cursor, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.paid()
	s.resynced = now
	s.add(msgs, upTo)
}

// mayResync reports whether enough time has gone by since the last resync. s.mu is held.
func (s *socket) mayResync(now time.Time) bool {
	return s.resynced.IsZero() || now.Sub(s.resynced) >= s.hub.o.ResyncEvery
}

// paid ends the wait for a resync. s.mu is held.
func (s *socket) paid() {
	s.owed = false
	s.hub.owing.mu.Lock()
	defer s.hub.owing.mu.Unlock()
	delete(s.hub.owing.sockets, s)
}

// owe makes the hub send a resync to s when its time has come. s.mu is held and s is not
// closing: its listener is still there, so the hub waits for the goroutine too.
func (h *Hub) owe(s *socket) {
	h.owing.mu.Lock()
	defer h.owing.mu.Unlock()
	h.owing.sockets[s] = struct{}{}
	if h.owing.running {
		return
	}
	h.owing.running = true
	h.work.Add(1)
	go func() { defer h.work.Done(); h.pay() }()
}

// pay sends the resyncs that are held back, each at its time, until none is.
func (h *Hub) pay() {
	tick := time.NewTicker(max(h.o.ResyncEvery/owingSteps, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-tick.C:
			if !h.payDue(now) {
				return
			}
		}
	}
}

// payDue sends the resyncs whose time has come. It reports whether others are held back;
// when none is, pay has ended.
func (h *Hub) payDue(now time.Time) (more bool) {
	h.owing.mu.Lock()
	all := slices.Collect(maps.Keys(h.owing.sockets))
	h.owing.mu.Unlock()
	var msgs [][]byte
	var at repo.Cursor
	message := func(c repo.Cursor) [][]byte {
		if msgs == nil || c != at {
			at, msgs = c, h.resyncAt(c)
		}
		return msgs
	}
	for _, s := range all {
		s.pay(message, now)
	}
	h.owing.mu.Lock()
	defer h.owing.mu.Unlock()
	h.owing.running = len(h.owing.sockets) > 0
	return h.owing.running
}

// pay queues the resync that is held back for s, if its time has come.
func (s *socket) pay(message func(repo.Cursor) [][]byte, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		s.paid()
	case s.owed && s.mayResync(now):
		s.toPage(message, now)
	}
}

// releaseToPage is release where the missed changes are not told: a resync stands for
// them, and for what was delivered meanwhile.
func (s *socket) releaseToPage() {
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
	s.toPage(s.hub.resyncAt, time.Now())
}

// toPage queues a resync with the hub's position. That is read under s.mu: what is
// delivered for a row up to it was dropped before, or will be as the older one, and a row
// after it is delivered after this. s.mu is held and s is not closing.
func (s *socket) toPage(message func(repo.Cursor) [][]byte, now time.Time) {
	s.paid()
	s.resynced = now
	at := s.hub.position()
	s.add(message(at), at)
}
