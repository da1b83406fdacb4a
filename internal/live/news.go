package live

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"blog/internal/repo"
)

// maxBurst is how many frames one batch (or one reader's missed changes) may
// become for a socket: past that, fetching the page again is less for everybody.
const maxBurst = 32

// news is the newest state of one (topic, subject), with the row it follows from.
type news struct {
	touch  repo.Touch
	row    int         // order among the rows it was merged from
	at     repo.Cursor // of that row
	before repo.Cursor // a position before at with nothing between that concerns the reader
	frame  Frame
	failed bool // it could not be, or was not worth being, rendered: resync

	whole, partial []byte // encoded when first needed
}

// merge keeps the newest touch of each (topic, subject) on a wanted topic,
// oldest row first. before is the position that the rows follow.
func merge(rows []repo.Row, before repo.Cursor, wanted func(topic string) bool) []*news {
	byTouch := map[repo.Touch]*news{}
	var list []*news
	for i, row := range rows {
		for _, t := range row.Touches {
			if !wanted(t.Topic) {
				continue
			}
			n := byTouch[t]
			if n == nil {
				n = &news{touch: t}
				byTouch[t] = n
				list = append(list, n)
			}
			n.row, n.at, n.before = i, row.Cursor, before
		}
		before = row.Cursor
	}
	slices.SortStableFunc(list, func(a, b *news) int { return a.row - b.row })
	perTopic := map[string]int{}
	for _, n := range list {
		perTopic[n.touch.Topic]++
	}
	for _, n := range list {
		n.failed = perTopic[n.touch.Topic] > maxBurst
	}
	return list
}

// renderAll asks for the state of each. It may be called again for the same
// list, when the read transaction has to be repeated.
func (h *Hub) renderAll(ctx context.Context, rd repo.Reader, list []*news) error {
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

// render survives a panic: those who follow are sent to the page, which says
// what is wrong, instead of never hearing of the change.
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

// compose turns news into the messages of those who follow topics; ok is false when they
// have to fetch their page.
func (h *Hub) compose(list []*news, topics []string) (out [][]byte, ok bool) {
	chosen, ok := choose(list, topics)
	if !ok || len(chosen) > maxBurst {
		return nil, false
	}
	for i, n := range chosen {
		// A reader may be cut off between two messages of one row. Only the last
		// of them says that the row is told.
		// Who moves comes back under the new name, for which that row is news.
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

// choose picks what those who follow topics are told, oldest row first; ok is
// false when they have to fetch their page.
func choose(list []*news, topics []string) (chosen []*news, ok bool) {
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
	slices.SortStableFunc(chosen, func(a, b *news) int { return a.row - b.row })
	return chosen, true
}

func (n *news) message(partial bool) ([]byte, error) {
	kept, cursor := &n.whole, n.at
	if partial {
		kept, cursor = &n.partial, n.before
	}
	if *kept != nil {
		return *kept, nil
	}
	f := n.frame
	msg, err := encode(wire{
		Type: f.Type, Seq: n.at.Seq, Cursor: cursor,
		Topic: f.Topic, ID: f.ID, HTML: f.HTML, To: f.To, URL: f.URL,
	})
	*kept = msg
	return msg, err
}

func (h *Hub) resyncAt(c repo.Cursor) [][]byte { return h.own(wire{Type: resync, Cursor: c}) }

func (h *Hub) helloAt(c repo.Cursor) [][]byte {
	beat := h.o.PingEvery + 2*h.o.PingEvery/pingSteps
	return h.own(wire{Type: hello, Cursor: c, Version: h.o.Version, Heartbeat: beat.Milliseconds()})
}

func (h *Hub) own(w wire) [][]byte {
	w.Seq = w.Cursor.Seq
	msg, err := encode(w)
	if err != nil { // a cursor and a hash are always JSON
		h.o.Logger.Error("live", "err", err)
		return nil
	}
	return [][]byte{msg}
}
