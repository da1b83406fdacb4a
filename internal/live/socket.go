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

// The codes sockets are closed with.
const (
	// SignedOut tells a page that its user is no longer signed in.
	SignedOut websocket.StatusCode = 4001

	goingAway = websocket.StatusGoingAway       // this node stops: come back, elsewhere
	tooSlow   = websocket.StatusTryAgainLater   // come back with the last cursor
	restart   = websocket.StatusServiceRestart  // come back at once
	notAsked  = websocket.StatusPolicyViolation // clients have nothing to say
)

// What may wait for one client. Messages are shared by all sockets: it is the
// laggard's distance that is bounded here, more than memory.
const (
	maxQueue      = 64
	maxQueueBytes = 1 << 20
)

// socket is one client. An idle one has a single goroutine, which listens;
// another writes while there is something to write.
type socket struct {
	hub     *Hub
	conn    *websocket.Conn // listens, answers control frames, closes
	raw     net.Conn        // takes whole messages; each Write is one
	private []repo.Touch
	done    chan struct{} // closed when it is finished
	heard   atomic.Bool   // a pong has come since the last ping

	// Of hub.mu.
	group *group
	left  bool // never to be registered (again)

	mu       sync.Mutex
	holding  bool // missed changes come first; what is delivered waits in held
	closing  bool
	writing  bool
	pinged   bool
	nextPing time.Time
	queue    [][]byte
	held     [][]byte
	bytes    int         // in queue and held
	told     repo.Cursor // everything that concerns it up to here is queued or sent
	owed     bool        // a resync is held back; what is delivered meanwhile is dropped
	resynced time.Time   // when the newest resync was queued; zero: never
}

// endedBy reports a touch that s must not outlive.
func (s *socket) endedBy(t repo.Touch) bool {
	return slices.ContainsFunc(s.private, func(p repo.Touch) bool {
		return p.Topic == t.Topic && (p.Subject == t.Subject || p.Subject == "" || t.Subject == "")
	})
}

// deliver queues messages that follow the position given at registration; with
// them s is told of everything up to a cursor. It drops those that a resync covers, one
// that is held back or one that was queued since they were composed.
func (s *socket) deliver(msgs [][]byte, upTo repo.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.owed || upTo.Seq <= s.told.Seq {
		return
	}
	s.add(msgs, upTo)
}

// add queues messages, or closes s if it lags too far behind: it never waits. s.mu is
// held and s is not closing.
func (s *socket) add(msgs [][]byte, upTo repo.Cursor) {
	waiting := len(s.queue) + len(s.held)
	size := 0
	for _, m := range msgs {
		size += len(m)
	}
	if waiting > 0 && (waiting+len(msgs) > maxQueue || s.bytes+size > maxQueueBytes) {
		s.hub.dropped.Add(1)
		s.end(tooSlow, "too slow")
		return
	}
	s.bytes += size
	s.told = upTo
	s.hub.frames.Add(uint64(len(msgs)))
	if s.holding {
		s.held = append(s.held, msgs...)
		return
	}
	s.queue = append(s.queue, msgs...)
	s.wake()
}

// send queues messages of this socket's own, past what is held.
func (s *socket) send(msgs [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.hub.frames.Add(uint64(len(msgs)))
	s.push(msgs...)
}

// push queues without bounds. s.mu is held and s is not closing.
func (s *socket) push(msgs ...[]byte) {
	for _, m := range msgs {
		s.bytes += len(m)
	}
	s.queue = append(s.queue, msgs...)
	s.wake()
}

// release sends the changes missed up to a cursor, then what was delivered meanwhile.
func (s *socket) release(missed [][]byte, upTo repo.Cursor) {
	s.send(missed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = false
	if len(s.held) == 0 {
		s.told = upTo
	}
	if s.closing || len(s.held) == 0 {
		return
	}
	s.queue = append(s.queue, s.held...)
	s.held = nil
	s.wake()
}

// wake starts the writer unless it runs. s.mu is held and s is not closing: its
// listener is still there, so the hub waits for the writer too.
func (s *socket) wake() {
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
			s.cut(errors.Is(err, os.ErrDeadlineExceeded))
			return
		}
	}
}

// write writes whole messages. The library writes its control frames in one
// Write of the same connection each, so the two never mix.
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

// cut ends s without a word: part of a message may have left, so nothing more
// can be said. The listener finds out and cleans up.
func (s *socket) cut(slow bool) {
	s.mu.Lock()
	if slow && !s.closing {
		s.hub.dropped.Add(1)
	}
	s.clear()
	s.mu.Unlock()
	_ = s.raw.Close() // first: the library may be waiting for its turn to write
	_ = s.conn.CloseNow()
}

// shut closes s with a code, without waiting. What is queued is dropped.
func (s *socket) shut(code websocket.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(code, reason)
}

// end is shut with s.mu held.
func (s *socket) end(code websocket.StatusCode, reason string) {
	if s.closing {
		return
	}
	s.clear()
	s.hub.work.Add(1)
	go func() {
		defer s.hub.work.Done()
		s.hub.forget(s)
		_ = s.conn.Close(code, reason) // bounded by the library: 5 s to write, 5 s for the answer
	}()
}

func (s *socket) clear() {
	s.closing = true
	s.queue, s.held, s.bytes = nil, nil, 0
}

// listen reads until the connection ends. The library answers pings and close
// frames meanwhile; a message with content is against the rules, whatever its
// size, and is not read.
func (s *socket) listen(ctx context.Context) {
	_, _, err := s.conn.Reader(ctx)
	s.mu.Lock()
	closing := s.closing
	s.clear()
	s.mu.Unlock()
	s.hub.forget(s)
	if err == nil && !closing {
		_ = s.conn.Close(notAsked, "this socket only talks")
	}
	_ = s.conn.CloseNow()
	s.hub.finished(s)
}

// ping asks for a sign of life when it is time, and ends a client that has
// answered nothing since the last ping.
func (s *socket) ping(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || now.Before(s.nextPing) {
		return
	}
	if s.pinged && !s.heard.Load() {
		s.hub.dropped.Add(1)
		s.clear()
		s.hub.work.Add(1)
		go func() { defer s.hub.work.Done(); _ = s.conn.CloseNow() }()
		return
	}
	s.heard.Store(false)
	s.pinged = true
	s.nextPing = now.Add(s.hub.o.PingEvery)
	s.push(pingMessage())
	if !s.holding { // pages cannot see a ping
		s.push(s.hub.helloAt(s.told)...)
	}
}
