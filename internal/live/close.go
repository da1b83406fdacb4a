package live

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Sockets are closed in batches, so that their clients do not all reconnect to the same other node in the same moment.
// When all clients of a batch have answered, the next batch follows at once. Silent clients, such as laptops that
// sleep, hold up the next batch only for the share of closeSpan that their batch has: however many they are, all
// sockets have their close frame when closeSpan is over.
const (
	closeBatch = 500
	closeSpan  = 3 * time.Second
	// answerLimit is how long the clients of the last batch have to answer, and the longest wait for any batch.
	answerLimit = time.Second
)

// Close closes all sockets with 1001 and returns when they and all goroutines of the hub have ended, after about 4 s at
// the latest. New sockets are refused from its start. A client that has not answered by then, or when ctx ends, is
// disconnected, which is no error.
func (h *Hub) Close(ctx context.Context) {
	h.mu.Lock()
	h.closing = true
	all := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	batches := (len(all) + closeBatch - 1) / closeBatch
	for batch := range slices.Chunk(all, closeBatch) {
		if ctx.Err() != nil {
			break
		}
		for _, s := range batch {
			s.closeWith(goingAway, "this node stops")
		}
		waitFor(ctx, batch, min(answerLimit, closeSpan/time.Duration(batches)))
	}
	waitFor(ctx, all, answerLimit)
	h.stop()
	if n := h.disconnectAll(); n > 0 {
		h.o.Logger.Info("disconnected sockets that had not answered the close frame", "sockets", n, "of", len(all))
	}
	h.work.Wait()
}

// disconnectAll disconnects the sockets that are left and returns their number.
func (h *Hub) disconnectAll() int {
	h.mu.Lock()
	left := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	for _, s := range left {
		_ = s.raw.Close() // for some a second time; the listener notices and cleans up
	}
	return len(left)
}

// waitFor returns when all sockets have ended, after limit, or at the end of ctx.
func waitFor(ctx context.Context, sockets []*socket, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, s := range sockets {
		select {
		case <-s.done:
		case <-ctx.Done():
			return
		}
	}
}

// pingSteps is how often sockets are checked within PingEvery.
const pingSteps = 8

// pings sends every socket a ping, each at its own time, until the hub closes.
func (h *Hub) pings() {
	h.step(h.o.PingEvery/pingSteps, func(now time.Time) bool {
		h.pingAll(now)
		return true
	})
}

// pingAll pings the sockets for which it is time at now.
func (h *Hub) pingAll(now time.Time) {
	h.mu.Lock()
	all := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	for _, s := range all {
		s.ping(now)
	}
}

// step calls do at each interval until it returns false or the hub closes.
func (h *Hub) step(interval time.Duration, do func(now time.Time) bool) {
	tick := time.NewTicker(max(interval, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-tick.C:
			if !do(now) {
				return
			}
		}
	}
}
