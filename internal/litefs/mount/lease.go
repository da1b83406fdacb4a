//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
)

var _ litefs.Lease = (*consulLease)(nil)

// consulLease is one term in which this node holds the lock. LiteFS calls all but Handoff from one goroutine.
//
// LiteFS believes in the lease until Renew returns otherwise or until it is demoted. It calls Renew after half a TTL,
// but counts from the start again after each hand-off that failed, and its timer stands still while the machine is
// suspended. The lease is therefore checked by itself (check), and LiteFS demoted at the latest when a TTL has passed
// since the last renewal was sent, by the clock that counts suspensions. LiteFS does not notice that either while it
// waits, for up to 5 s, for the stream of the node that it hands off to: then the lease withdraws the hand-off.
type consulLease struct {
	leaser   *consulLeaser
	session  string
	index    uint64        // the lock's ModifyIndex: a hand-off changes it but not the session
	ttl      time.Duration // of the session
	sent     atomic.Int64  // when the newest renewal that succeeded was sent: leaser.elapsed, in ns
	handoff  chan uint64
	accepted bool // by the node that it was handed to: the session is that node's now
	// confirmed says that the child has changed the set under this lease, as it does once it has seen that the copy has
	// what the set requires.
	confirmed atomic.Bool

	mu      sync.Mutex
	targets []uint64 // the nodes that this lease was to be handed to
}

// newLease returns the lease whose session was alive at sent. It fails where it has run out meanwhile.
func (c *consulLeaser) newLease(session string, index uint64, sent, ttl time.Duration) (*consulLease, error) {
	l := &consulLease{leaser: c, session: session, index: index, ttl: ttl, handoff: make(chan uint64)}
	l.sent.Store(int64(sent))
	if l.left(l.margin()) <= 0 {
		return nil, errRunOut
	}
	c.current.Store(l)
	l.check()
	return l, nil
}

// errRunOut says that a lease has run out before LiteFS could believe in it: the machine was suspended meanwhile.
var errRunOut = errors.New("the lease has run out while it was acquired")

// checkEvery is how often it is checked whether a lease has run out: a timer for its end would come late by the time of
// a suspension.
const checkEvery = 100 * time.Millisecond

// check ends the lease where it has run out, and otherwise is called again. A lease that was handed on is still the
// current one here when it runs out.
func (l *consulLease) check() {
	c := l.leaser
	if c.current.Load() != l {
		return
	}
	if left := l.left(l.margin() / 2); left > 0 {
		time.AfterFunc(min(left, checkEvery), l.check)
		return
	}
	if c.current.CompareAndSwap(l, nil) && c.primary() {
		c.stepDown() // first: a line of the log may wait for who reads it
		c.log.Warn("the lease has run out without a renewal")
		l.withdrawHandoff()
	}
}

// margin is how long before its end a lease is given up.
func (l *consulLease) margin() time.Duration { return l.ttl / 20 }

// left returns for how long the lease lasts, but for a margin. It is counted by the clock that goes on while the
// machine is suspended, and is 0 or less where the lease has run out.
func (l *consulLease) left(margin time.Duration) time.Duration {
	return time.Duration(l.sent.Load()) + l.ttl - margin - l.leaser.elapsed()
}

// held returns the lease that this node holds, nil where it holds none or that one has run out. After a suspension it
// says so before check does.
func (c *consulLeaser) held() *consulLease {
	l := c.current.Load()
	if l == nil || l.left(l.margin()/2) <= 0 {
		return nil
	}
	return l
}

func (l *consulLease) ID() string               { return l.session }
func (l *consulLease) TTL() time.Duration       { return l.ttl }
func (l *consulLease) HandoffCh() <-chan uint64 { return l.handoff }

// RenewedAt implements litefs.Lease: what has passed since is what has passed by the clock of left.
func (l *consulLease) RenewedAt() time.Time {
	return time.Now().Add(time.Duration(l.sent.Load()) - l.leaser.elapsed())
}

// term names this holding of the lock and no other.
func (l *consulLease) term() string { return fmt.Sprintf("%s:%d", l.session, l.index) }

// renewPause is between two attempts.
const renewPause = 50 * time.Millisecond

// Renew implements litefs.Lease. It tries for as long as the lease lasts, and returns nothing but nil and
// litefs.ErrLeaseExpired, unwrapped: LiteFS would go on for up to two seconds more after another error.
func (l *consulLease) Renew(ctx context.Context) error {
	c := l.leaser
	if c.current.Load() != l {
		return litefs.ErrLeaseExpired
	}
	ctx, cancel := context.WithTimeout(ctx, l.left(l.margin()))
	defer cancel()
	for attempt := 1; ; attempt++ {
		sent := c.elapsed()
		err := l.renew(ctx)
		if err == nil {
			l.sent.Store(int64(sent))
		}
		over := l.left(l.margin()) <= 0 // the machine may have been suspended since
		if err == nil && !over {
			return nil
		}
		if err == litefs.ErrLeaseExpired || ctx.Err() != nil || over { //nolint:errorlint // it is never wrapped
			l.end()
			c.stepDown() // during a hand-off LiteFS ignores what Renew returns
			c.log.Warn("the lease is over", "err", err, "attempts", attempt)
			return litefs.ErrLeaseExpired
		}
		if attempt == 1 {
			c.log.Warn("the lease cannot be renewed, trying again", "err", err)
		}
		select {
		case <-time.After(renewPause):
		case <-ctx.Done():
		}
	}
}

// renew asks once. A living session is not enough: the lock may have been deleted, or handed on with the session.
func (l *consulLease) renew(ctx context.Context) error {
	c := l.leaser
	if _, err := c.renewSession(ctx, l.session); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.urgent())
	defer cancel()
	v, err := c.read(ctx)
	if err != nil {
		return err
	}
	mine := v.held() && v.lock.Session == l.session
	if mine && v.lock.ModifyIndex == l.index {
		return nil
	}
	l.accepted = mine
	return litefs.ErrLeaseExpired
}

// end says that this holding is over.
func (l *consulLease) end() { l.leaser.current.CompareAndSwap(l, nil) }

// handoffLimit is LiteFS's own.
const handoffLimit = 5 * time.Second

// Handoff implements litefs.Lease.
func (l *consulLease) Handoff(ctx context.Context, node uint64) error {
	limit := time.NewTimer(handoffLimit)
	defer limit.Stop()
	l.mu.Lock()
	l.targets = append(l.targets, node)
	l.mu.Unlock()
	select {
	case l.handoff <- node:
		return nil
	case <-limit.C:
		return errors.New("hand off: the lease did not answer in time")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// withdrawPause is between two attempts to withdraw a hand-off.
const withdrawPause = 5 * time.Millisecond

// withdrawHandoff ends LiteFS's wait for the stream of a node that it hands off to: it receives the id of the session
// in place of that stream. LiteFS then steps down without releasing the lock, as after any hand-off, so withdrawHandoff
// releases the lock once LiteFS has stepped down. It does nothing where LiteFS waits for no stream: an id that a stream
// has received belongs to the new primary.
func (l *consulLease) withdrawHandoff() {
	c := l.leaser
	l.mu.Lock()
	targets := slices.Clone(l.targets)
	l.mu.Unlock()
	if len(targets) == 0 {
		return
	}
	withdrawn := false
	// LiteFS waits for 5 s at most, and cannot have another lease before it has stepped down.
	for end := time.Now().Add(handoffLimit); c.primary() && c.current.Load() == nil && time.Now().Before(end); {
		for _, node := range targets {
			select {
			case <-c.handingTo(node):
				withdrawn = true
			default:
			}
		}
		time.Sleep(withdrawPause)
	}
	if !withdrawn {
		return
	}
	c.log.Warn("a hand-off that hung is withdrawn", "nodes", len(targets))
	if c.primary() {
		return // the session ends by itself
	}
	if err := l.release(); err != nil {
		c.log.Warn("the lock ends by itself, with its session", "err", err)
	}
}

// release releases the lock and ends the session. Ending the session alone would do, but for the lock's delay, which
// Consul puts on a lock that is lost with its session. Where release fails the session is left to be ended.
func (l *consulLease) release() error {
	c := l.leaser
	if _, _, err := c.client.KV().Release(&api.KVPair{Key: c.lockKey(), Session: l.session}, nil); err != nil {
		return fmt.Errorf("release %s: %w", c.lockKey(), err)
	}
	if _, err := c.client.Session().Destroy(l.session, nil); err != nil {
		return fmt.Errorf("end the session of %s: %w", c.lockKey(), err)
	}
	return nil
}

// Close implements litefs.Lease: it releases the key and ends the session, so that another can be primary at once.
// It has no context; the client's own limit bounds it.
func (l *consulLease) Close() error {
	l.end()
	if l.accepted {
		return nil
	}
	err := l.release()
	if err != nil {
		l.leaser.left = append(l.leaser.left, l.session)
	}
	return err
}
