package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// PathAcceptLoss is where the private listener says (GET) what would be given up if this
// node were made the only one that can be elected although it may not have every
// acknowledged write, and makes it that (POST).
const PathAcceptLoss = "/internal/accept-loss"

// Loss is what is given up by choosing a node from outside the sync set.
type Loss struct {
	Node   string   `json:"node"`
	Before []string `json:"before"` // who is, or was, in the sync set
	// Seq is the newest write of this node's copy, which it keeps. It may be one that was
	// never acknowledged: only up to Shared the copy is for certain that of the members.
	Seq int64 `json:"seq"`
	// Shared is the newest write of which this copy is known to have the members' own row:
	// what they have after it, and this node has not, is given up. Nil: not known.
	Shared *int64 `json:"shared"`
	// Other is the oldest write in whose place this copy is known to have another one;
	// 0: none is known.
	Other int64 `json:"other,omitempty"`
	// Known is the newest write that is known to have been made by a primary, as this node
	// heard it or as the sync set says; there may have been more.
	Known int64 `json:"known"`
	Done  bool  `json:"done"`
}

func (s *Server) serveLoss(f func(context.Context) (Loss, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		loss, err := f(r.Context())
		if err != nil {
			repo.WriteReply(w, repo.Reply{}, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(loss) // the caller is gone: nobody to tell
	}
}

// lossOf says what would be given up.
func (s *Server) lossOf(ctx context.Context) (Loss, error) {
	if s.control == nil {
		return Loss{}, repo.Errorf(repo.Conflict, "This node has no sync set: it is not a LiteFS node of `blog mount` with a lease in Consul.")
	}
	standing, err := s.control.Standing(ctx)
	if err != nil {
		return Loss{}, repo.Errorf(repo.Unavailable, "Consul does not answer: ask again.")
	}
	shared, err := s.cluster.Shared(ctx, standing.Set)
	if err != nil {
		return Loss{}, err
	}
	return s.loss(standing.Set, shared), nil
}

func (s *Server) loss(before *litefs.SyncSet, shared cluster.Shared) Loss {
	_, primary := s.cluster.Last()
	out := Loss{Node: s.config.Node, Seq: shared.Here.Seq, Other: shared.Other, Known: max(shared.Newest, primary.Seq), Before: []string{}}
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

func (s *Server) acceptLoss(ctx context.Context) (Loss, error) {
	out, err := s.lossOf(ctx)
	if err != nil {
		return Loss{}, err
	}
	done, err := s.control.AcceptLoss(ctx)
	switch {
	case errors.Is(err, litefs.ErrRefused), errors.Is(err, litefs.ErrSetChanged):
		return Loss{}, repo.Errorf(repo.Conflict, "%s.", strings.TrimSuffix(strings.TrimPrefix(err.Error(), litefs.ErrRefused.Error()+": "), "."))
	case err != nil:
		return Loss{}, repo.Errorf(repo.Unavailable, "Consul does not answer, so it is not known whether this node was chosen: ask again.")
	}
	// Another may have been chosen in between. Where the copy cannot be read at this moment,
	// what has been read before has to do, since this node is chosen all the same.
	if shared, err := s.cluster.Shared(ctx, done.Before); err == nil {
		out = s.loss(done.Before, shared)
	}
	out.Done = true
	s.log.Warn("an operator has accepted the loss of writes: this node alone can be elected now",
		"before", out.Before, "seq", out.Seq, "shared", shownSeq(out.Shared), "other", out.Other, "known", out.Known)
	return out, nil
}

// shownSeq is a seq for the log.
func shownSeq(seq *int64) any {
	if seq == nil {
		return "not known"
	}
	return *seq
}
