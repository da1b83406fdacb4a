package live

import "time"

// PayDue sends the resyncs that are held back and due at now.
func (h *Hub) PayDue(now time.Time) { h.payDue(now) }

// Owing is for how many sockets a resync is held back.
func (h *Hub) Owing() int {
	h.owing.mu.Lock()
	defer h.owing.mu.Unlock()
	return len(h.owing.sockets)
}
