package app

import (
	"context"
	"errors"
	"fmt"
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
		Header: s.transport.Header(), Info: s.info, Clock: s.clock, Logger: s.log,
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
	if role.State == litefs.Primary {
		i.Problem = s.commits().problem(time.Now())
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
	if c.DurabilityWait < 0 || c.DurabilityStall < 0 || c.WriteStall < 0 {
		return errors.New("DURABILITY_WAIT, DURABILITY_STALL and WRITE_STALL are lengths of time, such as 5s")
	}
	return nil
}
