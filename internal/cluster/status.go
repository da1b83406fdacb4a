package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// Self is this node as it is known to itself, with what the primary has said of the
// whole.
func (c *Cluster) Self() Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.selfLocked()
}

func (c *Cluster) selfLocked() Info {
	i := c.self
	i.Clock = c.o.Clock.Wall().UTC()
	i.Seq, i.Mark = c.at.Seq, c.at.String()
	switch l := c.lead; {
	case l != nil:
		i.Durability, i.SyncSet, i.StandbySeq = string(l.assurance()), c.namesLocked(&l.set), l.standbySeq()
		i.Problem = sentences(c.self.Problem, c.countLocked())
	case c.o.Node.Role().State == litefs.Primary:
		i.Durability = string(Local)
		if c.o.Control != nil && c.o.Policy != Local {
			i.Durability = "" // it does not lead yet
		}
	case c.o.Node.Role().State == litefs.Unknown:
		i.Problem = c.primary.Problem // what acknowledgements rest on nobody knows now
	default:
		w := c.primary
		i.Durability, i.SyncSet, i.StandbySeq, i.Problem = w.Durability, w.SyncSet, w.StandbySeq, w.Problem
		i.Lag = max(0, w.Cursor.Seq-c.at.Seq)
	}
	i.Problem = sentences(i.Problem, c.o.Clock.Problem())
	if i.SyncSet == nil {
		i.SyncSet = []string{} // a list in JSON, too
	}
	return i
}

// sentences puts what is wrong into one text.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}

// known is this node and, on a primary, everybody who has an uplink or had one.
func (c *Cluster) known() []Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []Info{c.selfLocked()}
	if c.o.Node.Role().State == litefs.Primary {
		now := time.Now()
		for _, id := range c.idsLocked() {
			p := c.nodes[id]
			i := p.info
			i.Seq, i.Mark, i.Lag = p.cursor.Seq, p.cursor.String(), max(0, c.at.Seq-p.cursor.Seq)
			i.Durability, i.SyncSet, i.StandbySeq = out[0].Durability, out[0].SyncSet, out[0].StandbySeq
			i.Heard, i.Problem = max(1, now.Sub(p.heard).Milliseconds()), sentences(c.problemLocked(p), p.info.Problem)
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out[1:], func(a, b Info) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

// Asker asks a private listener: repo.Transport.
type Asker interface {
	Ask(ctx context.Context, base, path string, v any) error
}

// nodesLimit bounds the question to the primary, which may be frozen.
const nodesLimit = 2 * time.Second

// Nodes returns all nodes that the primary knows, with this one first. Where no primary
// is known, or it does not answer, there is this node alone.
func (c *Cluster) Nodes(ctx context.Context, t Asker) []Info {
	here := c.known()
	role := c.o.Node.Role()
	if role.State != litefs.Replica {
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, nodesLimit)
	defer cancel()
	var all []Info
	if err := t.Ask(ctx, role.URL, PathNodes, &all); err != nil {
		return here
	}
	return append(here[:1], slices.DeleteFunc(all, func(i Info) bool { return i.ID == here[0].ID })...)
}

// Last is the newest write of this node's copy, and the newest of the primary's that
// this node has heard of.
func (c *Cluster) Last() (here, primary repo.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, c.primary.Cursor
}

// InSet reports whether this node leads, or the primary has said that it is in the
// sync set; known is false while no primary has said anything.
func (c *Cluster) InSet() (in, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead != nil {
		return true, true
	}
	return c.primary.InSet, !c.told.IsZero()
}

// maxSkew is how far two clocks may be apart: deadlines of calls are compared with it.
const maxSkew = 2 * time.Second

// skewedReports is how many heartbeats in a row must say so: one may have waited in a
// buffer.
const skewedReports = 5

func (c *Cluster) checkClockLocked(p *peer) {
	now := time.Now()
	if now.Sub(p.clocked) < heartbeat/2 {
		return // they waited together in a buffer, of this process or on the way
	}
	p.clocked = now
	c.o.Clock.Confirm(p.info.Clock)
	apart := c.o.Clock.Wall().Sub(p.info.Clock).Abs()
	if apart <= maxSkew {
		p.skewed = 0
		return
	}
	p.skewed++
	if p.skewed == skewedReports {
		c.log.Warn("two nodes' clocks are more than 2 s apart: set them by NTP, or calls are refused as too late", "node", p.info.Node, "apart", apart)
	}
}

// countLocked says what is wrong with the candidates as a whole.
func (c *Cluster) countLocked() string {
	var all []string
	for _, id := range c.idsLocked() {
		if p := c.nodes[id]; p.info.Candidate && p.live(time.Now()) {
			all = append(all, p.info.Node)
		}
	}
	const most = 2
	if len(all)+1 > most {
		return fmt.Sprintf("There are %d candidates (%v and %s): two in PRIMARY_REGION are enough, and a third is never a standby; give it another REGION, or remove it.", len(all)+1, all, c.self.Node)
	}
	return ""
}

// problemLocked says what is wrong with a node, for its own log and for status.
func (c *Cluster) problemLocked(p *peer) string {
	switch {
	case p.info.Candidate && p.info.Region != c.self.Region:
		return fmt.Sprintf("%s is a candidate in region %s while the primary is in %s: candidates are in one region; set the same PRIMARY_REGION on every node.", p.info.Node, p.info.Region, c.self.Region)
	case p.skewed >= skewedReports:
		return fmt.Sprintf("The clock of %s is more than 2 s away from the primary's: set both by NTP.", p.info.Node)
	case p.info.Candidate:
		return c.countLocked()
	}
	return ""
}
