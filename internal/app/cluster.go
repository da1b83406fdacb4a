package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// openCluster is for nodes under LiteFS. Only where the LiteFS node keeps a sync set
// does anybody wait for a standby.
func (s *Server) openCluster(ctx context.Context) {
	c := s.config
	if c.LiteFSURL == "" {
		return
	}
	o := cluster.Options{
		Node: s.node, Policy: cluster.Policy(c.policy()), Wait: c.DurabilityWait, Stall: c.DurabilityStall,
		Header: s.transport.Header(), Info: s.info, Logger: s.log,
	}
	if c.LiteFSControl != "" {
		s.control = litefs.NewControl(c.LiteFSControl)
		s.closing(func(context.Context) error { s.control.Close(); return nil })
		o.Control = s.control
	}
	s.cluster = cluster.New(ctx, o)
	s.closing(func(context.Context) error { return s.cluster.Close() })
}

// policy is DURABILITY with its default filled in.
func (c Config) policy() string {
	switch {
	case c.Durability != "":
		return c.Durability
	case c.LiteFSControl != "":
		return string(cluster.Two)
	}
	return string(cluster.Local)
}

// durability is what decides about acknowledgements here, nil where the commit does.
func (s *Server) durability() repo.Durability {
	if s.control == nil {
		return nil
	}
	return s.cluster
}

// info is how this node is, for the primary and for whoever asks.
func (s *Server) info(ctx context.Context) cluster.Info {
	c := s.config
	role := s.node.Role()
	i := cluster.Info{
		ID: c.LiteFSMember, Node: c.Node, Region: c.Region, Role: role.State.String(), Candidate: c.LiteFSCandidate,
		Release: s.options.Version, Sockets: s.hub.Stats().Sockets,
	}
	if i.ID == "" {
		i.ID = "node " + c.Node // no data directory of ours: a stock LiteFS, or none
	}
	i.Primary = role.Host
	if role.State == litefs.Primary && i.Primary == "" {
		i.Primary = c.Node // a plain file, or a LiteFS that does not tell it
	}
	if v, err := s.Repo.Schema(ctx); err == nil { // else it is not known now, which /readyz says
		i.Schema = v
	}
	if c.LiteFSURL != "" {
		i.TXID, i.Checksum = position(c.DatabasePath)
	}
	return i
}

// position reads LiteFS's own position of the database, in its file DATABASE-pos.
func position(database string) (txid, checksum string) {
	text, err := os.ReadFile(filepath.Clean(database + "-pos"))
	if err != nil {
		return "", "" // there is no database yet
	}
	txid, checksum, _ = strings.Cut(strings.TrimSpace(string(text)), "/")
	return txid, checksum
}

// warmUp is how long a standby that starts keeps readers away while it is not yet in
// the sync set, so that a rolling restart does not go on to the primary meanwhile.
const warmUp = 30 * time.Second

// findPrimary is how long a primary may take to be found.
const findPrimary = 5 * time.Second

// notYet says why this node, although it could serve, is not to be counted on yet.
func (s *Server) notYet() string {
	if s.control == nil || !s.config.LiteFSCandidate || s.warm.Load() {
		return ""
	}
	in, known := s.cluster.InSet()
	up := time.Since(s.started)
	if in || up > warmUp {
		s.warm.Store(true)
		return ""
	}
	if !known && up > findPrimary && s.node.Role().State == litefs.Unknown {
		return "" // nobody to be a standby of: reads are all there is
	}
	return "this standby has just started and does not have every write yet"
}

// PathAcceptLoss is where the private listener says (GET) what would be given up if this
// node were made the only one that can be elected although it may not have every
// acknowledged write, and makes it that (POST).
const PathAcceptLoss = "/internal/accept-loss"

// Loss is what is given up by choosing a node from outside the sync set.
type Loss struct {
	Node   string   `json:"node"`
	Before []string `json:"before"` // who is, or was, in the sync set
	// Seq is the newest write of this node's copy: what came after it is given up.
	Seq int64 `json:"seq"`
	// Known is the newest write that is known to have been made, as this node heard it
	// or as the sync set says; there may have been more.
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
	return s.loss(standing.Set), nil
}

func (s *Server) loss(before *litefs.SyncSet) Loss {
	here, primary := s.cluster.Last()
	out := Loss{Node: s.config.Node, Seq: here.Seq, Known: max(here.Seq, primary.Seq), Before: []string{}}
	if before != nil {
		out.Known = max(out.Known, before.Seq)
		for _, m := range before.Members {
			out.Before = append(out.Before, m.Name)
		}
	}
	return out
}

func (s *Server) acceptLoss(ctx context.Context) (Loss, error) {
	if _, err := s.lossOf(ctx); err != nil {
		return Loss{}, err
	}
	done, err := s.control.AcceptLoss(ctx)
	switch {
	case errors.Is(err, litefs.ErrRefused), errors.Is(err, litefs.ErrSetChanged):
		return Loss{}, repo.Errorf(repo.Conflict, "%s.", strings.TrimSuffix(strings.TrimPrefix(err.Error(), litefs.ErrRefused.Error()+": "), "."))
	case err != nil:
		return Loss{}, repo.Errorf(repo.Unavailable, "Consul does not answer, so it is not known whether this node was chosen: ask again.")
	}
	out := s.loss(done.Before)
	out.Done = true
	s.log.Warn("an operator has accepted the loss of writes: this node alone can be elected now", "before", out.Before, "seq", out.Seq, "known", out.Known)
	return out, nil
}

// checkDurability refuses what cannot be kept.
func (c Config) checkDurability() error {
	switch c.Durability {
	case "", string(cluster.Local), string(cluster.Two), string(cluster.Strict):
	default:
		return fmt.Errorf("DURABILITY %q is not known: write two, strict or local", c.Durability)
	}
	switch c.policy() {
	case string(cluster.Local):
		if c.LiteFSControl != "" {
			return errors.New("DURABILITY=local is for a plain file or a static lease: with a lease in Consul a standby could be elected that has not everything; set two or strict")
		}
	default:
		if c.LiteFSControl == "" {
			return fmt.Errorf("DURABILITY=%s needs a standby that can be elected: run `blog mount` with a lease in Consul, or set local", c.Durability)
		}
	}
	if c.DurabilityWait < 0 || c.DurabilityStall < 0 {
		return errors.New("DURABILITY_WAIT and DURABILITY_STALL are lengths of time, such as 5s")
	}
	return nil
}
