package live

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"blog/internal/repo"
)

// The codes that sockets are closed with.
const (
	// SignedOut means that the user of the page is not signed in any more.
	SignedOut websocket.StatusCode = 4001

	goingAway = websocket.StatusGoingAway       // this node stops: come back, elsewhere
	tooSlow   = websocket.StatusTryAgainLater   // come back with the last cursor
	restart   = websocket.StatusServiceRestart  // come back at once
	notAsked  = websocket.StatusPolicyViolation // clients send no messages
)

// Limits of what waits for one client. All sockets share the messages, so the limits bound how far a client lags rather
// than memory.
const (
	maxQueue      = 64
	maxQueueBytes = 1 << 20
)

// socket is one client. An idle socket has one goroutine, which listens; another one writes while messages are queued.
type socket struct {
	hub     *Hub
	conn    *websocket.Conn // reads, answers control frames, closes
	raw     net.Conn        // each Write is whole messages
	private []repo.Touch
	done    chan struct{} // closed when it is finished
	ponged  atomic.Bool   // a pong has come since the last ping

	// Guarded by hub.mu.
	group *group
	left  bool // never to be registered (again)

	mu            sync.Mutex
	holding       bool // missed changes come first; delivered messages wait in held
	closing       bool
	writing       bool
	pinged        bool
	nextPing      time.Time
	queue         [][]byte
	held          [][]byte
	bytes         int         // in queue and held
	covered       repo.Cursor // every message for it up to here is queued or sent
	resyncPending bool        // a resync is delayed; messages delivered meanwhile are dropped
	resynced      time.Time   // when the newest resync was queued; zero: never
}

// endedBy reports whether s must close because of t.
func (s *socket) endedBy(t repo.Touch) bool {
	return slices.ContainsFunc(s.private, func(p repo.Touch) bool {
		return p.Topic == t.Topic && (p.Subject == t.Subject || p.Subject == "" || t.Subject == "")
	})
}

// deliver queues messages for rows after the position of the registration; upTo is the cursor up to which s is covered
// with them. It drops messages that a resync covers: one that is delayed, or one that was queued after they were
// composed.
func (s *socket) deliver(msgs [][]byte, upTo repo.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.resyncPending || upTo.Seq <= s.covered.Seq {
		return
	}
	s.addLocked(msgs, upTo)
}

// addLocked queues messages, or closes s if it lags too far behind; it never waits. The caller holds s.mu, and s is not
// closing.
func (s *socket) addLocked(msgs [][]byte, upTo repo.Cursor) {
	waiting := len(s.queue) + len(s.held)
	size := 0
	for _, m := range msgs {
		size += len(m)
	}
	if waiting > 0 && (waiting+len(msgs) > maxQueue || s.bytes+size > maxQueueBytes) {
		s.hub.dropped.Add(1)
		s.closeLocked(tooSlow, "too slow")
		return
	}
	s.bytes += size
	s.covered = upTo
	s.hub.frames.Add(uint64(len(msgs)))
	if s.holding {
		s.held = append(s.held, msgs...)
		return
	}
	s.queue = append(s.queue, msgs...)
	s.startWriterLocked()
}

// send queues messages for this socket alone, ahead of those that are held.
func (s *socket) send(msgs [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.hub.frames.Add(uint64(len(msgs)))
	s.pushLocked(msgs...)
}

// pushLocked queues messages without a limit. The caller holds s.mu, and s is not closing.
func (s *socket) pushLocked(msgs ...[]byte) {
	for _, m := range msgs {
		s.bytes += len(m)
	}
	s.queue = append(s.queue, msgs...)
	s.startWriterLocked()
}

// release queues the missed changes up to a cursor, and then what was delivered meanwhile.
func (s *socket) release(missed [][]byte, upTo repo.Cursor) {
	s.send(missed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = false
	if len(s.held) == 0 {
		s.covered = upTo
	}
	if s.closing || len(s.held) == 0 {
		return
	}
	s.queue = append(s.queue, s.held...)
	s.held = nil
	s.startWriterLocked()
}

// startWriterLocked starts the writer unless it runs. The caller holds s.mu, and s is not closing: its listener still
// runs, so Close waits for the writer too.
func (s *socket) startWriterLocked() {
	if s.writing || len(s.queue) == 0 {
		return
	}
	s.writing = true
	s.hub.work.Add(1)
	go func() { defer s.hub.work.Done(); s.drain() }()
}

func (s *socket) drain() {
	for {
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		for _, m := range batch {
			s.bytes -= len(m)
		}
		if s.closing || len(batch) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err := s.write(batch); err != nil {
			s.disconnect(errors.Is(err, os.ErrDeadlineExceeded))
			return
		}
	}
}

// write writes whole messages. The library writes each of its control frames in one Write of the same connection, so
// the two never mix.
func (s *socket) write(batch [][]byte) error {
	if err := s.raw.SetWriteDeadline(time.Now().Add(s.hub.o.WriteTimeout)); err != nil {
		return err
	}
	bufs := net.Buffers(batch)
	if _, err := bufs.WriteTo(s.raw); err != nil {
		return err
	}
	return s.raw.SetWriteDeadline(time.Time{}) // else the library's next pong would fail
}

// disconnect ends s without a close frame: part of a message may have been written, so nothing can follow it. The
// listener notices and cleans up.
func (s *socket) disconnect(slow bool) {
	s.mu.Lock()
	if slow && !s.closing {
		s.hub.dropped.Add(1)
	}
	s.clearLocked()
	s.mu.Unlock()
	_ = s.raw.Close() // first: the library may be waiting for its turn to write
	_ = s.conn.CloseNow()
}

// closeWith closes s with a code, without waiting. Queued messages are dropped.
func (s *socket) closeWith(code websocket.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeLocked(code, reason)
}

// closeLocked is closeWith for a caller that holds s.mu.
func (s *socket) closeLocked(code websocket.StatusCode, reason string) {
	if s.closing {
		return
	}
	s.clearLocked()
	s.hub.work.Add(1)
	go func() {
		defer s.hub.work.Done()
		s.hub.unregister(s)
		_ = s.conn.Close(code, reason) // bounded by the library: 5 s to write, 5 s for the answer
	}()
}

func (s *socket) clearLocked() {
	s.closing = true
	s.queue, s.held, s.bytes = nil, nil, 0
}

// listen reads until the connection ends. Meanwhile the library answers pings and close frames. A client must not send
// messages with content, of whatever size: listen does not read them and closes the socket.
func (s *socket) listen(ctx context.Context) {
	_, _, err := s.conn.Reader(ctx)
	s.mu.Lock()
	closing := s.closing
	s.clearLocked()
	s.mu.Unlock()
	s.hub.unregister(s)
	if err == nil && !closing {
		_ = s.conn.Close(notAsked, "this socket only sends")
	}
	_ = s.conn.CloseNow()
	s.hub.remove(s)
}

// ping sends a ping when it is time, and ends a client that has not answered the ping before.
func (s *socket) ping(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || now.Before(s.nextPing) {
		return
	}
	if s.pinged && !s.ponged.Load() {
		s.hub.dropped.Add(1)
		s.clearLocked()
		s.hub.work.Add(1)
		go func() { defer s.hub.work.Done(); _ = s.conn.CloseNow() }()
		return
	}
	s.ponged.Store(false)
	s.pinged = true
	s.nextPing = now.Add(s.hub.o.PingEvery)
	s.pushLocked(pingMessage())
	if !s.holding { // pages cannot see a ping
		s.pushLocked(s.hub.helloAt(s.covered)...)
	}
}
