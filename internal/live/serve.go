package live

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"

	"blog/internal/repo"
)

// readWithin limits how long the missed changes of a socket are read, including the wait for a slot.
const readWithin = 10 * time.Second

// ServeHTTP serves GET /live?topics=a,b&after=CURSOR. It returns once the missed changes are queued, not when the
// socket ends: an open socket holds neither the request nor its goroutine. It answers 400 to a malformed request and
// 503 when the node has no room for another socket.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		h.refused.Add(1)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !h.admit() {
		h.refused.Add(1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "no room for another socket on this node", http.StatusServiceUnavailable)
		return
	}
	defer h.work.Done()
	known := h.position() // before the session is checked
	s := &socket{hub: h, holding: true, done: make(chan struct{}), nextPing: time.Now().Add(h.o.PingEvery)}
	begun, reported := false, false
	defer func() { // also after a panic, which net/http recovers
		switch {
		case !begun:
			h.cancelAdmission()
		case !reported: // it would receive nothing: the client reconnects
			s.disconnect(false)
		}
	}()
	if h.o.Identity != nil {
		s.private = h.o.Identity(r)
	}
	if err := s.accept(w, r); err != nil { // the library has answered
		h.refused.Add(1)
		return
	}
	begun = true
	h.start(h.ctx, s) //nolint:contextcheck // a socket outlives its request
	if q.now || q.broken {
		q.after = h.position()
	}
	s.send(h.helloAt(q.after))
	h.catchUp(h.ctx, s, q, known) //nolint:contextcheck // after the upgrade the hub, not the request, ends it
	reported = true
}

// accept upgrades the connection. When it fails, the library has answered the request.
func (s *socket) accept(w http.ResponseWriter, r *http.Request) error {
	small := &smallBufferWriter{ResponseWriter: w}
	conn, err := websocket.Accept(small, r, &websocket.AcceptOptions{
		OriginPatterns:  s.hub.o.OriginPatterns,
		CompressionMode: websocket.CompressionDisabled, // its window is 32 KiB a socket at the least
		OnPongReceived:  func(context.Context, []byte) { s.ponged.Store(true) },
	})
	s.conn, s.raw = conn, small.conn
	return err
}

// start adds s to the hub and starts its listener.
func (h *Hub) start(ctx context.Context, s *socket) {
	h.mu.Lock()
	h.sockets[s] = struct{}{}
	closing := h.closing
	h.mu.Unlock()
	h.work.Add(1)
	// A context that cannot be cancelled saves the library a timer for each read.
	ctx = context.WithoutCancel(ctx)
	go func() { defer h.work.Done(); s.listen(ctx) }()
	if closing { // Close may not have seen it, and must not wait for it
		s.disconnect(false)
	}
}

func (h *Hub) remove(s *socket) {
	h.mu.Lock()
	delete(h.sockets, s)
	h.open--
	h.mu.Unlock()
	close(s.done)
}

// catchUp registers s and then sends what it has missed. Messages for rows after the position of the registration are
// held until the missed changes are queued, so that there is neither a gap nor a double.
func (h *Hub) catchUp(ctx context.Context, s *socket, q query, known repo.Cursor) {
	place := repo.Elsewhere
	if !q.broken {
		place = h.await(ctx, q)
	}
	pos := h.register(s, q.topics)
	rctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	missed, err := h.missed(rctx, s, q, place, pos, known)
	switch {
	case err == nil:
		s.release(missed, pos)
		return
	case errors.Is(err, errSignedOut):
		s.closeWith(SignedOut, "signed out")
		return
	case !errors.Is(err, repo.ErrResync) && ctx.Err() == nil:
		h.o.Logger.Warn("read what a socket has missed", "err", err)
	}
	s.releaseAsResync()
}

// await waits until the write that the page shows is in this copy.
func (h *Hub) await(ctx context.Context, q query) repo.Place {
	return h.o.Feed.WaitWithin(ctx, h.o.Patience, q.after)
}

var errSignedOut = errors.New("signed out meanwhile")

// missed returns the messages for the rows up to pos that s has missed, from one read. It fails with ErrResync when
// they are too many or not known, and with errSignedOut when the user has signed out.
func (h *Hub) missed(
	ctx context.Context, s *socket, q query, place repo.Place, pos, known repo.Cursor,
) ([][]byte, error) {
	lost := place == repo.Ahead || place == repo.Elsewhere
	if lost && len(s.private) == 0 {
		return nil, repo.ErrResync
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var list []*change
	err := h.o.View(ctx, func(rd repo.Reader) error {
		if err := s.checkSignedIn(ctx, rd, known); err != nil {
			return err
		}
		if lost {
			return repo.ErrResync
		}
		rows, err := repo.After(ctx, rd, q.after, q.topics)
		if err != nil {
			return err
		}
		for i, row := range rows {
			if row.Cursor.Seq > pos.Seq { // the feed delivers it
				rows = rows[:i]
				break
			}
		}
		list = merge(rows, q.after, func(string) bool { return true })
		return h.renderAll(ctx, rd, list)
	})
	if err != nil {
		return nil, fmt.Errorf("read missed changes: %w", err)
	}
	msgs, ok := h.compose(list, q.topics)
	if !ok {
		return nil, repo.ErrResync
	}
	return msgs, nil
}

// checkSignedIn fails with errSignedOut when the session has ended between the check of the session and the
// registration of its topics.
func (s *socket) checkSignedIn(ctx context.Context, rd repo.Reader, known repo.Cursor) error {
	if len(s.private) == 0 {
		return nil
	}
	var topics []string
	for _, p := range s.private {
		topics = append(topics, p.Topic)
	}
	rows, err := repo.After(ctx, rd, known, topics)
	if errors.Is(err, repo.ErrResync) { // not known: the client reconnects
		return errSignedOut
	}
	for _, row := range rows {
		if slices.ContainsFunc(row.Touches, s.endedBy) {
			return errSignedOut
		}
	}
	return err
}

// smallBufferWriter makes the library use small buffers. Those of net/http take 4 KiB in each direction for as long as
// the socket is open; clients send only control frames, and the hub's messages bypass the buffer.
type smallBufferWriter struct {
	http.ResponseWriter
	conn net.Conn
}

// controlFrame is the size of the longest control frame, in bytes: header, mask and 125 bytes.
const controlFrame = 2 + 4 + 125

// Hijack implements http.Hijacker.
func (l *smallBufferWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack: %w", err)
	}
	early, _ := brw.Peek(brw.Reader.Buffered()) // it cannot fail: they are buffered
	early = bytes.Clone(early)
	br := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(controlFrame, len(early)))
	_, _ = br.Peek(len(early)) // into the buffer, from which the library reads them
	l.conn = conn
	return conn, bufio.NewReadWriter(br, bufio.NewWriterSize(conn, controlFrame)), nil
}
