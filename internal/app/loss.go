package app

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/transport"
)

// PathAcceptLoss is where the private listener reports what would be given up if this node were
// made the only one that can be elected, although it may lack acknowledged writes (GET), and makes
// it that (POST). The answer is a Loss.
const PathAcceptLoss = "/internal/accept-loss"

// Loss is what is given up when a node outside the sync set is made the only one that can be
// elected.
type Loss struct {
	Node   string   `json:"node"`
	Before []string `json:"before"` // names of the nodes that are, or were, in the sync set
	// Seq is the newest write of this node's copy, which is retained. It may be one that was never
	// acknowledged: the copy is certain to agree with the members' only up to Shared.
	Seq int64 `json:"seq"`
	// Shared is the newest write whose row this copy is known to have in common with the members.
	// What they have after it, and this node has not, is given up. Nil means not known.
	Shared *int64 `json:"shared"`
	// Other is the oldest write in whose place this copy is known to have another one; 0 means that
	// none is known.
	Other int64 `json:"other,omitempty"`
	// Known is the newest write that a primary is known to have made, from its heartbeats or from
	// the sync set. There may have been later ones.
	Known int64 `json:"known"`
	Done  bool  `json:"done"`
}

func (s *Server) serveLoss(f func(context.Context) (Loss, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		loss, err := f(r.Context())
		if err != nil {
			transport.WriteError(w, err)
			return
		}
		transport.WriteAnswer(w, loss, nil)
	}
}

// lossOf returns what would be given up. It fails with Conflict on a node without a sync set, and
// with Unavailable when Consul does not answer.
func (s *Server) lossOf(ctx context.Context) (Loss, error) {
	if s.control == nil {
		return Loss{}, apperr.Errorf(apperr.Conflict,
			"This node has no sync set: it is not a LiteFS node of `blog mount` with a lease in Consul.")
	}
	standing, err := s.control.Standing(ctx)
	if err != nil {
		return Loss{}, apperr.Errorf(apperr.Unavailable, "Consul does not answer: ask again.")
	}
	shared, err := s.cluster.Shared(ctx, standing.Set)
	if err != nil {
		return Loss{}, err
	}
	return s.loss(standing.Set, shared), nil
}

func (s *Server) loss(before *litefs.SyncSet, shared cluster.Shared) Loss {
	_, primary := s.cluster.Last()
	out := Loss{
		Node: s.config.Node, Seq: shared.Here.Seq, Other: shared.Other, Known: max(shared.Newest, primary.Seq),
		Before: []string{},
	}
	if !shared.Last.Zero() {
		out.Shared = &shared.Last.Seq
	}
	if before != nil {
		out.Known = max(out.Known, before.Seq)
		for _, m := range before.Members {
			out.Before = append(out.Before, m.Name)
		}
	}
	return out
}

// acceptLoss makes this node the only one that can be elected, and returns what is given up. It
// fails with Conflict when the LiteFS node refuses, and with Unavailable when Consul does not
// answer.
func (s *Server) acceptLoss(ctx context.Context) (Loss, error) {
	out, err := s.lossOf(ctx)
	if err != nil {
		return Loss{}, err
	}
	done, err := s.control.AcceptLoss(ctx)
	switch {
	case errors.Is(err, litefs.ErrRefused), errors.Is(err, litefs.ErrSetChanged):
		return Loss{}, apperr.Errorf(apperr.Conflict, "%s.",
			strings.TrimSuffix(strings.TrimPrefix(err.Error(), litefs.ErrRefused.Error()+": "), "."))
	case err != nil:
		return Loss{}, apperr.Errorf(apperr.Unavailable,
			"Consul does not answer, so it is not known whether this node was chosen: ask again.")
	}
	// The set may have changed since it was read. When the copy cannot be read at this moment, the
	// answer has what was read before, since this node is chosen all the same.
	if shared, err := s.cluster.Shared(ctx, done.Before); err == nil {
		out = s.loss(done.Before, shared)
	}
	out.Done = true
	s.log.Warn("an operator has accepted the loss of writes: this node alone can be elected now",
		"before", out.Before, "seq", out.Seq, "shared", shownSeq(out.Shared), "other", out.Other, "known", out.Known)
	return out, nil
}

// shownSeq returns seq as the log shows it.
func shownSeq(seq *int64) any {
	if seq == nil {
		return "not known"
	}
	return *seq
}
