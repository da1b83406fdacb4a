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

// readWithin bounds the reading of a socket's missed changes, the wait for its
// turn included.
const readWithin = 10 * time.Second

// ServeHTTP serves GET /live?topics=a,b&after=CURSOR. It returns once the socket
// has its missed changes, not when it ends: an open socket keeps neither the
// request nor its goroutine.
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
	known := h.position() // before who this is was looked up
	s := &socket{hub: h, holding: true, done: make(chan struct{}), nextPing: time.Now().Add(h.o.PingEvery)}
	begun, told := false, false
	defer func() { // after a panic as well, which net/http survives
		switch {
		case !begun:
			h.vacate()
		case !told: // it is told of nothing: let it come back
			s.cut(false)
		}
	}()
	if h.o.Identity != nil {
		s.private = h.o.Identity(r)
	}
	if err := s.accept(w, r); err != nil { // which has answered
		h.refused.Add(1)
		return
	}
	begun = true
	h.begin(h.ctx, s) //nolint:contextcheck // a socket outlives its request
	if q.now || q.broken {
		q.after = h.position()
	}
	s.send(h.helloAt(q.after))
	h.catchUp(h.ctx, s, q, known) //nolint:contextcheck // after the upgrade the hub, not the request, ends it
	told = true
}

// accept upgrades the connection.
func (s *socket) accept(w http.ResponseWriter, r *http.Request) error {
	lean := &leanWriter{ResponseWriter: w}
	conn, err := websocket.Accept(lean, r, &websocket.AcceptOptions{
		OriginPatterns:  s.hub.o.OriginPatterns,
		CompressionMode: websocket.CompressionDisabled, // its window is 32 KiB a socket at the least
		OnPongReceived:  func(context.Context, []byte) { s.heard.Store(true) },
	})
	s.conn, s.raw = conn, lean.conn
	return err
}

// begin makes s known to the hub and starts its listener.
func (h *Hub) begin(ctx context.Context, s *socket) {
	h.mu.Lock()
	h.sockets[s] = struct{}{}
	closing := h.closing
	h.mu.Unlock()
	h.work.Add(1)
	// Without a cancellation the library keeps no timer for each read.
	ctx = context.WithoutCancel(ctx)
	go func() { defer h.work.Done(); s.listen(ctx) }()
	if closing { // Close has not seen it, and should not have to wait for it
		s.cut(false)
	}
}

func (h *Hub) finished(s *socket) {
	h.mu.Lock()
	delete(h.sockets, s)
	h.open--
	h.mu.Unlock()
	close(s.done)
}

// catchUp registers s and sends what it has missed, in this order: what comes
// after the position of registration is held until the missed is sent, so there
// is neither a gap nor a double.
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
		s.shut(SignedOut, "signed out")
		return
	case !errors.Is(err, repo.ErrResync) && ctx.Err() == nil:
		h.o.Logger.Warn("read what a socket has missed", "err", err)
	}
	s.releaseToPage()
}

// await waits until what the page shows has arrived here.
func (h *Hub) await(ctx context.Context, q query) repo.Place {
	ctx, cancel := context.WithTimeout(ctx, h.o.Patience)
	defer cancel()
	return h.o.Feed.Wait(ctx, q.after)
}

var errSignedOut = errors.New("signed out meanwhile")

// missed returns what s has to be told of the rows up to pos, in one read. It fails with
// ErrResync when that is too much, or not known.
func (h *Hub) missed(ctx context.Context, s *socket, q query, place repo.Place, pos, known repo.Cursor) ([][]byte, error) {
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
	var list []*news
	err := h.o.View(ctx, func(rd repo.Reader) error {
		if err := s.stillSignedIn(ctx, rd, known); err != nil {
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
			if row.Cursor.Seq > pos.Seq { // the feed will tell
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

// stillSignedIn finds a sign-out that came between the look at the session and
// the registration of its topics.
func (s *socket) stillSignedIn(ctx context.Context, rd repo.Reader, known repo.Cursor) error {
	if len(s.private) == 0 {
		return nil
	}
	var topics []string
	for _, p := range s.private {
		topics = append(topics, p.Topic)
	}
	rows, err := repo.After(ctx, rd, known, topics)
	if errors.Is(err, repo.ErrResync) { // nobody can tell: let it come back
		return errSignedOut
	}
	for _, row := range rows {
		if slices.ContainsFunc(row.Touches, s.endedBy) {
			return errSignedOut
		}
	}
	return err
}

// leanWriter gives the library small buffers: net/http's are 4 KiB each way, for
// as long as the socket is open. Clients send control frames alone and ours
// bypass the buffer.
type leanWriter struct {
	http.ResponseWriter
	conn net.Conn
}

// controlFrame is the longest control frame: header, mask and 125 bytes.
const controlFrame = 2 + 4 + 125

// Hijack implements http.Hijacker.
func (l *leanWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack: %w", err)
	}
	early, _ := brw.Peek(brw.Reader.Buffered()) // cannot fail: they are there
	early = bytes.Clone(early)
	br := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(controlFrame, len(early)))
	_, _ = br.Peek(len(early)) // into the buffer, where the library looks for them
	l.conn = conn
	return conn, bufio.NewReadWriter(br, bufio.NewWriterSize(conn, controlFrame)), nil
}
