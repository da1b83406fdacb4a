package live

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Sockets are closed in batches, so that their clients do not all come back to
// the same other node in the same moment.
const (
	closeBatch = 500
	batchPause = time.Second // the longest wait for a batch's goodbyes; who stays silent is cut off
)

// Close closes all sockets with 1001 and waits until they and everything else
// of the hub has ended. New ones are refused from its start. When ctx ends, what
// is still open is cut off.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	all := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	for batch := range slices.Chunk(all, closeBatch) {
		for _, s := range batch {
			s.shut(goingAway, "this node stops")
		}
		if !waitBatch(ctx, batch) {
			cut(batch)
		}
	}
	h.stop()
	ended := make(chan struct{})
	go func() { defer close(ended); h.work.Wait() }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	rest := slices.Collect(maps.Keys(h.sockets))
	h.mu.Unlock()
	cut(rest)
	<-ended
	return fmt.Errorf("close sockets: %d had to be cut off: %w", len(rest), context.Cause(ctx))
}

// cut ends what waits for an answer on the sockets.
func cut(sockets []*socket) {
	for _, s := range sockets {
		_ = s.raw.Close() // again, for most
	}
}

// waitBatch reports whether all have ended in time.
func waitBatch(ctx context.Context, batch []*socket) bool {
	ctx, cancel := context.WithTimeout(ctx, batchPause)
	defer cancel()
	for _, s := range batch {
		select {
		case <-s.done:
		case <-ctx.Done():
			return false
		}
	}
	return true
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
