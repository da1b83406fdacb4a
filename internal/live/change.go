package live

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"blog/internal/repo"
)

// maxBurst is how many frames a batch, or a reader's missed changes, may become for one socket: beyond it, fetching the
// page again costs everybody less.
const maxBurst = 32

// change is the newest state of one (topic, subject), with the row it follows from.
type change struct {
	touch  repo.Touch
	row    int         // order among the rows it was merged from
	cursor repo.Cursor // of that row
	before repo.Cursor // a position before at with nothing between that concerns the reader
	frame  Frame
	failed bool // it could not be, or was not worth being, rendered: resync

	whole, partial []byte // encoded when first needed
}

// merge returns the newest touch of each (topic, subject) whose topic is wanted, oldest row first. before is the
// position that the rows follow.
func merge(rows []repo.Row, before repo.Cursor, wanted func(topic string) bool) []*change {
	byTouch := map[repo.Touch]*change{}
	var list []*change
	for i, row := range rows {
		for _, t := range row.Touches {
			if !wanted(t.Topic) {
				continue
			}
			n := byTouch[t]
			if n == nil {
				n = &change{touch: t}
				byTouch[t] = n
				list = append(list, n)
			}
			n.row, n.cursor, n.before = i, row.Cursor, before
		}
		before = row.Cursor
	}
	slices.SortStableFunc(list, func(a, b *change) int { return a.row - b.row })
	perTopic := map[string]int{}
	for _, n := range list {
		perTopic[n.touch.Topic]++
	}
	for _, n := range list {
		n.failed = perTopic[n.touch.Topic] > maxBurst
	}
	return list
}

// renderAll renders the state of each change. It may be called again with the same list, when the read transaction is
// repeated.
func (h *Hub) renderAll(ctx context.Context, rd repo.Reader, list []*change) error {
	for _, n := range list {
		if n.failed {
			continue
		}
		f, err := h.render(ctx, rd, n.touch)
		if err != nil {
			return err
		}
		if f.Topic == "" {
			f.Topic = n.touch.Topic
		}
		n.frame = f
	}
	return nil
}

// render returns an error where the Renderer panics: the readers then fetch the page, which shows what is wrong,
// instead of never hearing of the change.
func (h *Hub) render(ctx context.Context, rd repo.Reader, t repo.Touch) (_ Frame, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("render %s %s: panic: %v\n%s", t.Topic, t.Subject, p, debug.Stack())
		}
	}()
	f, err := h.o.Render.Render(ctx, rd, t)
	if err != nil {
		return f, fmt.Errorf("render %s %s: %w", t.Topic, t.Subject, err)
	}
	return f, nil
}

// compose encodes the changes for the sockets that follow topics. ok is false when they have to fetch their page.
func (h *Hub) compose(list []*change, topics []string) (out [][]byte, ok bool) {
	chosen, ok := choose(list, topics)
	if !ok || len(chosen) > maxBurst {
		return nil, false
	}
	for i, n := range chosen {
		// A reader may be cut off between two messages of one row, so only the last of them has the cursor of the row. After
		// a Moved the client comes back under the new name, for which that row is a change as well.
		more := n.frame.Type == Moved || i+1 < len(chosen) && chosen[i+1].row == n.row
		msg, err := n.message(more)
		if err != nil {
			h.o.Logger.Error("live", "topic", n.touch.Topic, "err", err)
			return nil, false
		}
		out = append(out, msg)
	}
	return out, true
}

// choose returns the changes for the sockets that follow topics, oldest row first. ok is false when they have to fetch
// their page.
func choose(list []*change, topics []string) (chosen []*change, ok bool) {
	for _, n := range list {
		if _, follows := slices.BinarySearch(topics, n.touch.Topic); !follows {
			continue
		}
		if n.failed {
			return nil, false
		}
		if n.frame.Type != None {
			chosen = append(chosen, n)
		}
	}
	slices.SortStableFunc(chosen, func(a, b *change) int { return a.row - b.row })
	return chosen, true
}

func (n *change) message(partial bool) ([]byte, error) {
	encoded, cursor := &n.whole, n.cursor
	if partial {
		encoded, cursor = &n.partial, n.before
	}
	if *encoded != nil {
		return *encoded, nil
	}
	f := n.frame
	msg, err := encode(wire{
		Type: f.Type, Seq: n.cursor.Seq, Cursor: cursor,
		Topic: f.Topic, ID: f.ID, HTML: f.HTML, To: f.To, URL: f.URL,
	})
	*encoded = msg
	return msg, err
}

func (h *Hub) resyncAt(c repo.Cursor) [][]byte { return h.encodeAt(wire{Type: resync, Cursor: c}) }

func (h *Hub) helloAt(c repo.Cursor) [][]byte {
	beat := h.o.PingEvery + 2*h.o.PingEvery/pingSteps
	return h.encodeAt(wire{Type: hello, Cursor: c, Version: h.o.Version, Heartbeat: beat.Milliseconds()})
}

func (h *Hub) encodeAt(w wire) [][]byte {
	w.Seq = w.Cursor.Seq
	msg, err := encode(w)
	if err != nil { // a cursor and a hash are always JSON
		h.o.Logger.Error("live", "err", err)
		return nil
	}
	return [][]byte{msg}
}
