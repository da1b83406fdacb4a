package cluster

import (
	"context"
	"errors"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
)

// offerAgain is how often a standby is asked to become primary until it has.
const offerAgain = 500 * time.Millisecond

// ErrNoStandby says that nobody in the sync set is there to become primary.
var ErrNoStandby = errors.New("no standby in the sync set is there to become primary")

// HandOff has a standby that has everything become primary, and returns when this node has
// seen another primary. The caller has stopped writing. With no live standby it returns
// ErrNoStandby at once: the lease is then released when the LiteFS node closes.
func (c *Cluster) HandOff(ctx context.Context) error {
	var offered time.Time
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
		offer, changed := c.offerLease(&offered)
		if offer == decide.NoStandby {
			select {
			case <-over: // the lease may be where it was to go
				continue
			default:
				return ErrNoStandby
			}
		}
		again := time.NewTimer(offerAgain)
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

// offerLease offers the lease to the standby, unless it has been offered a moment ago, and
// returns what wakes at the next event.
func (c *Cluster) offerLease(offered *time.Time) (decide.Offer, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offer, effects := c.state.OfferLease(c.nowLocked(), time.Since(*offered) >= offerAgain)
	c.carryOutLocked(effects)
	if offer == decide.Offered {
		*offered = time.Now()
	}
	return offer, c.changed
}

// farewell bounds the wait for the primary to be sent that this node goes.
const farewell = 500 * time.Millisecond

// Leave reports to the primary that this node goes, so that nobody waits for it. It returns
// when that has been sent, or half a second later.
func (c *Cluster) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	c.on(decide.LeaveBegun{})
	for {
		c.mu.Lock()
		done, changed := c.state.HasLeft(), c.changed
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
