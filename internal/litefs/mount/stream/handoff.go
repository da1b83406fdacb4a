//go:build linux

package stream

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

const (
	// handoffPatience is how long a hand-off waits for a follower that has yet to be sent the newest transactions. Who
	// asks waits four seconds.
	handoffPatience = time.Second
	handoffPoll     = 2 * time.Millisecond
)

// guardHandoff lets LiteFS hand the lease only to a follower that was sent everything. LiteFS itself would stop to
// renew the lease for five seconds for one that is in the middle of an image, and then go on, or hand over to a node
// that has half of the data.
func (s *Server) guardHandoff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := litefs.ParseNodeID(r.URL.Query().Get("nodeID"))
		if err != nil {
			http.Error(w, "invalid node id", http.StatusBadRequest)
			return
		}
		if err := s.awaitFollower(r.Context(), id); err != nil {
			s.log.Warn("no hand-off", "follower_id", litefs.FormatNodeID(id), "err", err)
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// awaitFollower returns nil once the follower was sent what is newest now, and otherwise why it was not.
func (s *Server) awaitFollower(ctx context.Context, id uint64) error {
	newest := s.store.PosMap()
	ctx, cancel := context.WithTimeout(ctx, handoffPatience)
	defer cancel()
	for {
		n := s.sessionOf(id)
		if n == nil {
			return fmt.Errorf("no hand-off: the node %s does not follow this one", litefs.FormatNodeID(id))
		}
		why, wait := n.lacks(newest)
		if why == "" {
			return nil
		}
		err := fmt.Errorf("no hand-off: the node %s is still catching up: %s", litefs.FormatNodeID(id), why)
		if !wait {
			return err
		}
		select {
		case <-time.After(handoffPoll):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Server) sessionOf(id uint64) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.sessions {
		if n.id == id && n.ctx.Err() == nil {
			return n
		}
	}
	return nil
}

// lacks says what the follower was not sent of newest, and whether it is worth a short wait. "" means nothing.
func (n *session) lacks(newest map[string]ltx.Pos) (why string, wait bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if why := n.asideLocked(); why != "" {
		return why, false
	}
	if !n.ready {
		return "it has only just connected", true
	}
	for name, pos := range newest {
		if a := n.aside[name]; a != nil && a.ignored() {
			continue
		}
		if at := n.sent[name]; n.wants(name) && at.TXID < pos.TXID {
			return fmt.Sprintf("it has %s to transaction %s of %s", name, at.TXID, pos.TXID), true
		}
	}
	return "", false
}
