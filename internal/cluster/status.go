package cluster

import (
	"context"
	"slices"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// here returns what a status says of this node beside its state.
func (c *Cluster) here() decide.Here {
	return decide.Here{Role: c.o.Node.Role().State, Wall: c.o.Clock.Wall(), ClockProblem: c.o.Clock.Problem()}
}

// Self is this node as it knows itself, with what the primary has said of the whole.
func (c *Cluster) Self() Info {
	here := c.here()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Self(c.nowLocked(), here)
}

// known is this node and, on a primary, everybody who has an uplink or had one.
func (c *Cluster) known() []Info {
	here := c.here()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Nodes(c.nowLocked(), here)
}

// Asker asks a private listener: transport.Client.
type Asker interface {
	Ask(ctx context.Context, base, path string, v any) error
}

// nodesLimit bounds the question to the primary, which may be frozen.
const nodesLimit = 2 * time.Second

// Nodes returns all nodes that the primary knows, with this one first. Where no primary is
// known, or it does not answer, there is this node alone.
func (c *Cluster) Nodes(ctx context.Context, t Asker) []Info {
	known := c.known()
	role := c.o.Node.Role()
	if role.State != litefs.Replica {
		return known
	}
	ctx, cancel := context.WithTimeout(ctx, nodesLimit)
	defer cancel()
	var all []Info
	if err := t.Ask(ctx, role.URL, PathNodes, &all); err != nil {
		return known
	}
	return append(known[:1], slices.DeleteFunc(all, func(i Info) bool { return i.ID == known[0].ID })...)
}

// Last is the newest write of this node's copy, and the newest of the primary's that this node
// has heard of.
func (c *Cluster) Last() (here, primary repo.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Position(), c.state.Primary()
}

// InSet reports whether this node is primary in a term, or the primary has said that it is in
// the sync set; known is false while no primary has said anything.
func (c *Cluster) InSet() (in, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.InSet()
}
