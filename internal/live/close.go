package live

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Sockets are told to go elsewhere in batches, so that their clients do not all come
// to the same other node in the same moment. A batch whose clients have all answered
// makes room for the next at once. Clients that stay silent, such as laptops that
// sleep, are not waited for beyond their batch's share of closeSpan: however many
// there are, all sockets have been told when that is over.
const (
	closeBatch = 500
	closeSpan  = 3 * time.Second
	// goodbye is how long the last to be told have to answer, and the most that a
	// batch is waited for.
	goodbye = time.Second
)

// Close closes all sockets with 1001 and returns when they and everything else of the
// hub has ended, about 4 s later at the latest. New ones are refused from its start.
// Who has not answered by then is cut off, and who is still there when ctx ends: a
// client that says nothing is no error of ours.
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
			s.shut(goingAway, "this node stops")
		}
		waitFor(ctx, batch, min(goodbye, closeSpan/time.Duration(batches)))
	}
	waitFor(ctx, all, goodbye)
	h.stop()
	if n := h.cutAll(); n > 0 {
		h.o.Logger.Info("sockets that said no goodbye were cut off", "sockets", n, "of", len(all))
	}
	h.work.Wait()
}

// cutAll ends what waits for an answer on the sockets that are left.
func (h *Hub) cutAll() int {
	h.mu.Lock()
	rest := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	for _, s := range rest {
		_ = s.raw.Close() // again, for some; the listener finds out and cleans up
	}
	return len(rest)
}

// waitFor returns when all have ended, after limit or at the end of ctx.
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

// pingSteps is how often within PingEvery sockets are looked at.
const pingSteps = 8

// pings asks every socket for a sign of life, each in its own time.
func (h *Hub) pings() {
	tick := time.NewTicker(max(h.o.PingEvery/pingSteps, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case now := <-tick.C:
			h.mu.Lock()
			all := slices.Collect(maps.Keys(h.sockets))
			h.mu.Unlock()
			for _, s := range all {
				s.ping(now)
			}
		}
	}
}
