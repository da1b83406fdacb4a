package litefs

import "sync"

// hub stores a role and notifies those who wait for a change. Both nodes are built on it.
type hub struct {
	mu      sync.Mutex
	role    Role
	changed chan struct{}
	subs    map[chan struct{}]struct{}
}

func newHub(r Role) *hub {
	return &hub{role: r, changed: make(chan struct{}), subs: make(map[chan struct{}]struct{})}
}

// Role implements Node.
func (h *hub) Role() Role {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.role
}

// Changed implements Node.
func (h *hub) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// Subscribe implements Node.
func (h *hub) Subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
	}
}

// Notify implements Node.
func (h *hub) Notify() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake()
}

// set stores r, and wakes everyone when it is new. It reports whether it was.
func (h *hub) set(r Role) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.role == r {
		return false
	}
	h.role = r
	close(h.changed)
	h.changed = make(chan struct{})
	h.wake()
	return true
}

// wake never blocks: a subscriber that has not received the value before sees this change, too, when it does.
func (h *hub) wake() {
	for ch := range h.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
