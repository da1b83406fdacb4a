package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"blog/internal/repo"
)

// renderWithin bounds the reading of a batch's state: the feed waits for it, and
// with the feed the answers to writes.
const renderWithin = 2 * time.Second

// audience is who has to be told of a batch, as of one moment.
type audience struct {
	groups    []crowd
	topics    map[string]bool
	signedOut []*socket
}

type crowd struct {
	topics  []string
	sockets []*socket
}

// Rows implements repo.Tail: it tells the sockets what the rows changed.
func (h *Hub) Rows(ctx context.Context, rows []repo.Row) {
	before := h.o.Feed.Position() // still that of the batch before
	last := rows[len(rows)-1].Cursor
	a := h.assemble(rows, last)
	for _, s := range a.signedOut {
		s.shut(SignedOut, "signed out")
	}
	if len(a.groups) == 0 {
		return
	}
	list := merge(rows, before, func(topic string) bool { return a.topics[topic] })
	ctx, cancel := context.WithTimeout(ctx, renderWithin)
	defer cancel()
	// The feed's own connection, which it does not use meanwhile: in a line with readers,
	// every author would wait for them.
	err := h.o.Look(ctx, func(rd repo.Reader) error { return h.renderAll(ctx, rd, list) })
	if err != nil {
		// What the change looks like is unknown, that there is one is not.
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

// assemble moves the hub's position and takes down, at the same moment, who
// follows: a socket that comes later reads these rows itself.
func (h *Hub) assemble(rows []repo.Row, last repo.Cursor) audience {
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
					a.groups = append(a.groups, crowd{g.topics, slices.Collect(maps.Keys(g.sockets))})
				}
			}
		}
	}
	return a
}

// Reset implements repo.Tail: everything told is void, so everybody fetches
// their page again. Who is signed in may be, too: those sockets are closed, and
// come back as who they are now.
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
			s.shut(restart, "history was rewritten")
			continue
		}
		s.resyncAtOnce(msgs, now, at)
	}
}
