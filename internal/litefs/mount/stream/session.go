//go:build linux

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"
)

// HeaderResume is what a follower asks with that has the beginning of a database's image on its disk: the database's
// name, the image's id and how many bytes of its encoded form it has, separated by spaces. The id is the SHA-256 of the
// first ltx.HeaderSize bytes, in hex. HeaderResumed repeats it in the answer of a server that still has the image: the
// first LTX frame of that database brings the bytes from there on. Without it the follower begins anew.
const (
	HeaderResume  = "Blog-Image-Resume"
	HeaderResumed = "Blog-Image-Resumed"
)

// noticePrefix is the beginning of the name in a DropDB frame that drops nothing and reports to the follower what it
// waits for. LiteFS's client logs that such frames are deprecated, and skips them. No database can have that name.
const noticePrefix = "\x00notice\x00"

// noticeLimit is the most of a notice's text that is sent: a follower ends the stream at a text over 4 KiB.
const noticeLimit = 1 << 10

// noticePause is between two notices of the same.
const noticePause = 30 * time.Second

// unsynced is the timestamp in the heartbeats of a stream that has not brought everything yet: LiteFS's own for a
// follower whose lag is not known.
const unsynced = -1

var errReplaced = errors.New("the follower has connected once more")

// session is one follower's stream.
type session struct {
	server *Server
	log    *slog.Logger
	id     uint64
	ctx    context.Context // ends with the request, this node's term, or the server
	cancel context.CancelCauseFunc
	out    *writer
	sub    *litefs.ChangeSetSubscriber
	filter map[string]bool // of databases; empty: all
	resume resumption
	held   map[string]*image
	wake   chan struct{} // an image that is waited for is complete, or will never be

	mu    sync.Mutex // guards what follows, which the handler of /handoff reads
	ready bool       // the follower was told that it has everything that there was
	sent  map[string]ltx.Pos
	aside map[string]*aside
}

// resumption is an image that goes on in the middle.
type resumption struct {
	image  *image // nil: none
	offset int64
	header string
}

// stream handles POST /stream.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		http.Error(w, "Upgrade to HTTP/2 required", http.StatusUpgradeRequired)
		return
	}
	id, _ := litefs.ParseNodeID(r.Header.Get(litefshttp.HeaderNodeID)) // none is 0, as in LiteFS
	if id == s.store.ID() {
		http.Error(w, "cannot connect to self", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	term := s.store.PrimaryCtx(ctx)
	if term.Err() != nil {
		http.Error(w, term.Err().Error(), http.StatusServiceUnavailable)
		return
	}
	positions, err := litefshttp.ReadPosMapFrom(r.Body)
	if err != nil {
		http.Error(w, "read the positions: "+err.Error(), http.StatusBadRequest)
		return
	}
	n := &session{
		server: s, id: id, ctx: term, cancel: cancel, out: newWriter(w, s.stall), sent: positions,
		held: map[string]*image{}, filter: map[string]bool{}, aside: map[string]*aside{}, wake: make(chan struct{}, 1),
		log: s.log.With("follower", r.RemoteAddr, "follower_id", litefs.FormatNodeID(id)),
	}
	for name := range strings.SplitSeq(r.URL.Query().Get("filter"), ",") {
		if name != "" {
			n.filter[name] = true
		}
	}
	if !s.enter(n) {
		http.Error(w, errServerClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.leave(n)
	n.findResumption(r.Header.Get(HeaderResume))
	n.head(w.Header())
	w.WriteHeader(http.StatusOK)
	n.serve()
}

// enter adds a session. An older one of the same follower ends: it hangs, and LiteFS could choose it for a hand-off.
func (s *Server) enter(n *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	for old := range s.sessions {
		if old.id == n.id && n.id != 0 {
			old.cancel(errReplaced)
			old.out.abort()
			s.store.UnsubscribeChangeSet(old.sub)
		}
	}
	// Subscribed before any position is read, so that no transaction is missed.
	n.sub = s.store.SubscribeChangeSet(n.id)
	s.sessions[n] = struct{}{}
	s.running.Add(1)
	s.metrics.streams.Inc()
	return true
}

func (s *Server) leave(n *session) {
	n.out.close()
	s.store.UnsubscribeChangeSet(n.sub)
	for _, g := range n.held {
		s.images.release(g)
	}
	s.mu.Lock()
	delete(s.sessions, n)
	s.mu.Unlock()
	s.metrics.streams.Dec()
	s.running.Done()
}

// head sets what LiteFS's own server says in its header, and whether the image that was begun goes on.
func (n *session) head(h http.Header) {
	h.Set(litefshttp.HeaderNodeID, litefs.FormatNodeID(n.server.store.ID()))
	if id := n.server.store.ClusterID(); id != "" {
		h.Set(litefshttp.HeaderClusterID, id)
	}
	if n.resume.image != nil {
		h.Set(HeaderResumed, n.resume.header)
	}
}

// findResumption reads HeaderResume. A database that needs no image any more has none that goes on.
func (n *session) findResumption(header string) {
	fields := strings.Split(header, " ")
	if len(fields) < 3 {
		return
	}
	last := len(fields) - 1
	name, id := strings.Join(fields[:last-1], " "), fields[last-1]
	offset, err := strconv.ParseInt(fields[last], 10, 64)
	db := n.server.store.DB(name)
	if err != nil || offset < ltx.HeaderSize || db == nil || !n.wants(name) {
		return
	}
	f, err := n.nextLTX(db, n.sent[name])
	if err == nil {
		_ = f.Close() // it was not even read
		return
	}
	if g := n.server.images.resume(name, id); g != nil {
		n.held[name] = g
		n.awaitImage(name, g)
		n.resume = resumption{image: g, offset: offset, header: header}
	}
}

// wants reports whether the follower replicates the database.
func (n *session) wants(name string) bool { return len(n.filter) == 0 || n.filter[name] }

// serve runs the session to its end, and logs it.
func (n *session) serve() {
	began := time.Now()
	n.log.Info("stream connected", "positions", len(n.sent), "resumed", n.resume.header)
	// The answer begins before any data is read: a follower waits only a second for it.
	err := n.out.flush()
	if err == nil {
		err = n.run()
	}
	if n.ctx.Err() != nil && !errors.Is(err, errHandedOff) { // why a write has failed
		err = errors.Join(err, context.Cause(n.ctx))
	}
	cause := endCause(err)
	if !n.out.inFrame && cause != causeLink && cause != causeStalled {
		// So that the follower knows that nothing is missing.
		_ = n.out.frame(&litefs.EndStreamFrame{}) // it may be gone
	}
	n.server.metrics.ended.WithLabelValues(cause).Inc()
	level := slog.LevelInfo
	if cause == causeFault || cause == causeStalled {
		level = slog.LevelWarn
	}
	n.log.Log(n.ctx, level, "stream ended", "cause", cause, "err", err, "bytes", n.out.written.Load(),
		"took", time.Since(began))
	if n.out.inFrame {
		panic(http.ErrAbortHandler) // the follower sees an error where it would see a frame's end
	}
}

// The causes of a stream's end, as metric and log call them.
const (
	causeLink     = "link"     // the follower is gone, or cannot be reached
	causeStalled  = "stalled"  // the follower takes nothing
	causeRole     = "role"     // this node is not primary any more
	causeHandoff  = "handoff"  // to this follower
	causeReplaced = "replaced" // by a newer stream of the same follower
	causeClosed   = "closed"   // this node ends
	causeFault    = "fault"    // of this node: the log says more
)

var errHandedOff = errors.New("handed off to the follower")

func endCause(err error) string {
	switch {
	case errors.Is(err, errHandedOff):
		return causeHandoff
	case errors.Is(err, errReplaced):
		return causeReplaced
	case errors.Is(err, errStalled):
		return causeStalled
	case errors.Is(err, errServerClosed):
		return causeClosed
	case errors.Is(err, litefs.ErrLeaseExpired):
		return causeRole
	case errors.Is(err, errFault):
		return causeFault
	default:
		return causeLink
	}
}

// run sends what the follower lacks, and then what is committed, until the session ends.
func (n *session) run() error {
	dirty := map[string]struct{}{}
	for name := range n.sent {
		dirty[name] = struct{}{}
	}
	for _, db := range n.server.store.DBs() {
		dirty[db.Name()] = struct{}{}
	}
	beat := time.NewTicker(litefshttp.HeartbeatInterval)
	defer beat.Stop()
	lease := ""
	for {
		for _, name := range n.names(dirty) {
			if err := n.bringOrSetAside(name); err != nil {
				return err
			}
		}
		if err := n.punctuate(len(dirty) == 0, lease); err != nil {
			return err
		}
		select {
		case <-n.ctx.Done():
			return context.Cause(n.ctx)
		case <-n.sub.NotifyCh():
			dirty = n.sub.DirtySet()
		case lease = <-n.sub.HandoffCh():
			dirty = n.sub.DirtySet()
		case <-n.wake:
			dirty = nil
		case <-beat.C:
			dirty = nil
		}
		beat.Reset(litefshttp.HeartbeatInterval)
	}
}

// punctuate writes the frames that follow when everything is sent that can be: notices, the first time that nothing is
// lacking that the follower is ready, a heartbeat when nothing else was sent, and the lease that is handed to it when
// nothing is lacking, which ends the session.
func (n *session) punctuate(idle bool, lease string) error {
	if err := n.notice(); err != nil {
		return err
	}
	complete := n.complete()
	first := !n.ready && complete // only this goroutine writes it
	if first {
		if err := n.out.frame(&litefs.ReadyStreamFrame{}); err != nil {
			return fmt.Errorf("write the ready frame: %w", err)
		}
		n.setReady()
	}
	if first || idle {
		at := int64(unsynced)
		if complete {
			at = time.Now().UnixMilli()
		}
		if err := n.heartbeat(at); err != nil {
			return err
		}
	}
	if lease == "" || !complete {
		return nil
	}
	if err := n.out.frame(&litefs.HandoffStreamFrame{LeaseID: lease}); err != nil {
		return fmt.Errorf("write the hand-off frame: %w", err)
	}
	return errHandedOff
}

func (n *session) heartbeat(at int64) error {
	if err := n.out.frame(&litefs.HeartbeatStreamFrame{Timestamp: at}); err != nil {
		return fmt.Errorf("write a heartbeat: %w", err)
	}
	return nil
}
