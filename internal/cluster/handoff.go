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

// HandOff gives the lead to a standby that has everything, and returns when this node has
// seen another one lead. The caller has stopped writing. With no live standby it returns
// ErrNoStandby at once: the lease is then released when the LiteFS node closes.
func (c *Cluster) HandOff(ctx context.Context) error {
	var asked time.Time
	for {
		over, role := c.o.Node.Changed(), c.o.Node.Role().State
		if role == litefs.Replica {
			return nil
		}
		if role == litefs.Unknown { // the lease is on its way
			select {
			case <-over:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		c.mu.Lock()
		l := c.lead
		id, ready := c.heirLocked()
		changed := c.changed
		if ready && time.Since(asked) >= promoteAgain {
			asked = time.Now()
			p := c.nodes[id]
			p.promote = l
			select {
			case p.asked <- struct{}{}:
			default: // it is about to be said
			}
		}
		c.mu.Unlock()
		if l == nil || id == "" {
			select {
			case <-over: // the lease may be where it was to go
				continue
			default:
				return ErrNoStandby
			}
		}
		again := time.NewTimer(promoteAgain)
		select {
		case <-over:
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
		again.Stop()
	}
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
