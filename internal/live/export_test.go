package live

import "time"

// SendDueResyncs sends the resyncs that are held back and due at now.
func (h *Hub) SendDueResyncs(now time.Time) { h.sendDueResyncs(now) }

// PendingResyncs is for how many sockets a resync is held back.
func (h *Hub) PendingResyncs() int {
	h.pendingResyncs.mu.Lock()
	defer h.pendingResyncs.mu.Unlock()
	return len(h.pendingResyncs.sockets)
}

// PingAll pings all sockets for which it is time at now.
func (h *Hub) PingAll(now time.Time) { h.pingAll(now) }
