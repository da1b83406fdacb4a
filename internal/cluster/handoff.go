package cluster

import (
	"context"
	"errors"
	"time"

	"blog/internal/litefs"
)

// promoteAgain is how often a standby is asked to take over until it has.
const promoteAgain = 500 * time.Millisecond

// ErrNoStandby says that nobody in the sync set is there to take over.
var ErrNoStandby = errors.New("no standby in the sync set is there to take over")

// HandOff gives the lead to a standby that has everything, and returns when the role has
// changed. The caller has stopped writing. With no live standby it returns ErrNoStandby
// at once: the lease is then released when the LiteFS node closes.
func (c *Cluster) HandOff(ctx context.Context) error {
	over := c.o.Node.Changed()
	var asked time.Time
	for c.o.Node.Role().State == litefs.Primary {
		c.mu.Lock()
		l := c.lead
		id, ready := c.heirLocked()
		changed := c.changed
		if ready && time.Since(asked) >= promoteAgain {
			asked = time.Now()
			p := c.nodes[id]
			p.promote = true
			select {
			case p.asked <- struct{}{}:
			default: // it is about to be said
			}
		}
		c.mu.Unlock()
		if l == nil || id == "" {
			return ErrNoStandby
		}
		again := time.NewTimer(promoteAgain)
		select {
		case <-over:
			over = c.o.Node.Changed()
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
		again.Stop()
	}
	return nil
}

// heirLocked returns the live standby in the sync set, "" when there is none, and
// whether it has everything.
func (c *Cluster) heirLocked() (id string, ready bool) {
	l := c.lead
	if l == nil {
		return "", false
	}
	for _, m := range l.set.Members {
		p := c.nodes[m.ID]
		if m.ID != l.self.ID && p != nil && p.live(time.Now()) && !p.leaving {
			return m.ID, l.covered[m.ID] >= l.newest.Seq
		}
	}
	return "", false
}
