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

// openCluster opens the cluster of a node under LiteFS; without LiteFS it does nothing. Only with a
// LiteFS node that has a sync set do writes wait for a standby.
func (s *Server) openCluster(ctx context.Context) {
	c := s.config
	if c.LiteFSURL == "" {
		return
	}
	o := cluster.Options{
		Node: s.node, Policy: cluster.Policy(c.policy()), Wait: c.DurabilityWait, Stall: c.DurabilityStall,
		Header: s.transport.Header(), Info: s.info, Clock: s.clock, Elapsed: s.options.Clock.Elapsed,
		Logger: s.log,
	}
	if c.LiteFSControl != "" {
		s.control = litefs.NewControl(c.LiteFSControl)
		s.closing(func(context.Context) error { s.control.Close(); return nil })
		o.Control = s.control
	}
	s.cluster = cluster.New(ctx, o)
	s.closing(func(context.Context) error { return s.cluster.Close() })
}

// policy returns DURABILITY, or its default when it is empty.
func (c Config) policy() string {
	switch {
	case c.Durability != "":
		return c.Durability
	case c.LiteFSControl != "":
		return string(cluster.Two)
	}
	return string(cluster.Local)
}

// durability returns what decides about acknowledgements on this node, or nil when a commit alone
// is enough.
func (s *Server) durability() repo.Durability {
	if s.control == nil {
		return nil
	}
	return s.cluster
}

// info returns what this node reports about itself to the primary and in `blog status`.
func (s *Server) info(ctx context.Context) cluster.Info {
	c := s.config
	role := s.node.Role()
	i := cluster.Info{
		ID: c.LiteFSMember, Node: c.Node, Region: c.Region, Role: role.State.String(), Candidate: c.LiteFSCandidate,
		Release: s.options.Version, Sockets: s.hub.Stats().Sockets,
	}
	if i.ID == "" {
		i.ID = "node " + c.Node // there is no data directory of `blog mount`: a stock LiteFS, or none
	}
	i.Primary = role.Host
	if role.State == litefs.Primary && i.Primary == "" {
		i.Primary = c.Node // a plain file, or a LiteFS that does not report the host
	}
	if role.State == litefs.Primary {
		i.Problem = s.commits().problem(time.Now())
	}
	if v, err := s.Repo.Schema(ctx); err == nil { // otherwise the schema is not known now, which /readyz reports
		i.Schema = v
	}
	if c.LiteFSURL != "" {
		i.TXID, i.Checksum = position(c.DatabasePath)
	}
	return i
}

// position returns LiteFS's own position of the database, from its file DATABASE-pos. Both are ""
// when there is no database yet.
func position(database string) (txid, checksum string) {
	text, err := os.ReadFile(filepath.Clean(database + "-pos"))
	if err != nil {
		return "", "" // there is no database yet
	}
	txid, checksum, _ = strings.Cut(strings.TrimSpace(string(text)), "/")
	return txid, checksum
}

// warmUp is for how long a standby that has just started reports "not ready" while it is not in the
// sync set. A rolling restart waits for it and does not go on to the primary meanwhile.
const warmUp = 30 * time.Second

// findPrimary is how long finding a primary may take.
const findPrimary = 5 * time.Second

// notYet returns why this node does not report "ready" although it could serve, or "".
func (s *Server) notYet() string {
	if s.control == nil || !s.config.LiteFSCandidate || s.warm.Load() {
		return ""
	}
	in, known := s.cluster.InSet()
	warm, why := warmed(time.Since(s.started), in, known, s.node.Role().State)
	if warm {
		s.warm.Store(true)
	}
	return why
}

// warmed reports whether a candidate that started so long ago counts as started, which it does from then on, and
// otherwise why it does not report "ready", or "". in says that it is in the sync set, known that it knows.
func warmed(up time.Duration, in, known bool, role litefs.State) (warm bool, why string) {
	switch {
	case in, up > warmUp:
		return true, ""
	case !known && up > findPrimary && role == litefs.Unknown:
		return false, "" // no primary is known, so it cannot become a standby, and reads are all that it can serve
	}
	return false, "this standby has just started and does not have every write yet"
}

// checkDurability refuses a policy that this node cannot satisfy.
func (c Config) checkDurability() error {
	switch c.Durability {
	case "", string(cluster.Local), string(cluster.Two), string(cluster.Strict):
	default:
		return fmt.Errorf("DURABILITY %q is not known: write two, strict or local", c.Durability)
	}
	switch c.policy() {
	case string(cluster.Local):
		if c.LiteFSControl != "" {
			return errors.New("DURABILITY=local is for a plain file or a static lease: with a lease in Consul a standby could " +
				"be elected that has not everything; set two or strict")
		}
	default:
		if c.LiteFSControl == "" {
			return fmt.Errorf("DURABILITY=%s needs a standby that can be elected: run `blog mount` with a lease in Consul, or "+
				"set local", c.Durability)
		}
	}
	if c.DurabilityWait < 0 || c.DurabilityStall < 0 || c.WriteStall < 0 {
		return errors.New("DURABILITY_WAIT, DURABILITY_STALL and WRITE_STALL are lengths of time, such as 5s")
	}
	return nil
}
