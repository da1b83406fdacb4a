package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"blog/internal/repo"
)

// renderWithin limits the rendering of a batch: the feed waits for it, and with the feed the answers to writes.
const renderWithin = 2 * time.Second

// audience is the sockets that a batch concerns, as of one moment.
type audience struct {
	groups    []groupCopy
	topics    map[string]bool
	signedOut []*socket
}

// groupCopy is a group as of one moment.
type groupCopy struct {
	topics  []string
	sockets []*socket
}

// Rows implements repo.Tail: it sends the sockets what the rows have changed.
func (h *Hub) Rows(ctx context.Context, rows []repo.Row) {
	before := h.o.Feed.Position() // still that of the batch before
	last := rows[len(rows)-1].Cursor
	a := h.collectAudience(rows, last)
	for _, s := range a.signedOut {
		s.closeWith(SignedOut, "signed out")
	}
	if len(a.groups) == 0 {
		return
	}
	list := merge(rows, before, func(topic string) bool { return a.topics[topic] })
	ctx, cancel := context.WithTimeout(ctx, renderWithin)
	defer cancel()
	// It reads on the feed's connection, which the feed does not use meanwhile: in a queue with readers, every author
	// would wait for them.
	err := h.o.FeedView(ctx, func(rd repo.Reader) error { return h.renderAll(ctx, rd, list) })
	if err != nil {
		// There is a change, but what it looks like is not known.
		h.o.Logger.Error("render for sockets", "seq", last.Seq, "err", err)
		for _, n := range list {
			n.failed = true
		}
	}
	now := time.Now()
	resync := sync.OnceValue(func() [][]byte { return h.resyncAt(last) })
	for _, g := range a.groups {
		msgs, ok := h.compose(list, g.topics)
		for _, s := range g.sockets {
			switch {
			case !ok:
				s.resync(resync(), last, now)
			case len(msgs) > 0:
				s.deliver(msgs, last)
			}
		}
	}
}

// collectAudience moves the hub's position and collects, under the same lock, the sockets that the rows concern: a
// socket that registers later reads these rows itself.
func (h *Hub) collectAudience(rows []repo.Row, last repo.Cursor) audience {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos, h.started = last, true
	a := audience{topics: map[string]bool{}}
	seen := map[*group]bool{}
	for _, row := range rows {
		for _, t := range row.Touches {
			for s := range h.private[t.Topic] {
				if s.endedBy(t) {
					a.signedOut = append(a.signedOut, s)
				}
			}
			if a.topics[t.Topic] {
				continue
			}
			for g := range h.topics[t.Topic] {
				a.topics[t.Topic] = true
				if !seen[g] {
					seen[g] = true
					a.groups = append(a.groups, groupCopy{g.topics, slices.Collect(maps.Keys(g.sockets))})
				}
			}
		}
	}
	return a
}

// Reset implements repo.Tail: what was sent is void, so every page fetches itself again. A session may be void as well:
// sockets of signed-in users are closed, and their pages reconnect with the session that holds now.
func (h *Hub) Reset(_ context.Context, now repo.Cursor) {
	h.mu.Lock()
	h.pos, h.started = now, true
	var all []*socket
	for _, g := range h.groups {
		all = slices.AppendSeq(all, maps.Keys(g.sockets))
	}
	h.mu.Unlock()
	msgs := h.resyncAt(now)
	at := time.Now()
	for _, s := range all {
		if len(s.private) > 0 {
			s.closeWith(restart, "history was rewritten")
			continue
		}
		s.resyncAtOnce(msgs, now, at)
	}
}
