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

// consulLease is one holding of the lock. LiteFS calls all but Handoff from one goroutine.
//
// LiteFS believes in it until Renew says otherwise or until it is demoted. It asks Renew after half a TTL, but from
// the start again after each hand-off that came to nothing. So the lease has a clock of its own that demotes LiteFS at
// the latest when a TTL has passed since the last renewal was sent. LiteFS does not hear that either while it waits,
// for up to 5 s, for the stream of the node that it hands off to: then the lease withdraws the hand-off.
type consulLease struct {
	leaser  *consulLeaser
	session string
	index   uint64        // the lock's ModifyIndex: a hand-off keeps the session and changes it
	ttl     time.Duration // of the session
	renewed time.Time
	over    *time.Timer
	handoff chan uint64
	taken   bool // by the node that it was handed to: the session is that node's now
	// confirmed says that the child has changed the set under this lease, as it does once it has seen that the copy has
	// what the set requires.
	confirmed atomic.Bool

	mu      sync.Mutex
	targets []uint64 // the nodes that this lease was to be handed to
}

func (c *consulLeaser) newLease(session string, index uint64, sent time.Time, ttl time.Duration) *consulLease {
	l := &consulLease{leaser: c, session: session, index: index, ttl: ttl, renewed: sent, handoff: make(chan uint64)}
	c.current.Store(l)
	l.over = time.AfterFunc(time.Until(sent.Add(ttl-l.margin()/2)), func() {
		// A lease that was handed on is still the current one here when it runs out.
		if c.current.CompareAndSwap(l, nil) && c.primary() {
			c.log.Warn("the lease has run out without a renewal")
			c.stepDown()
			l.withdrawHandoff()
		}
	})
	return l
}

// margin is how long before its end a lease is given up.
func (l *consulLease) margin() time.Duration { return l.ttl / 20 }

func (l *consulLease) ID() string               { return l.session }
func (l *consulLease) TTL() time.Duration       { return l.ttl }
func (l *consulLease) RenewedAt() time.Time     { return l.renewed }
func (l *consulLease) HandoffCh() <-chan uint64 { return l.handoff }

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
	ctx, cancel := context.WithDeadline(ctx, l.renewed.Add(l.ttl-l.margin()))
	defer cancel()
	for attempt := 1; ; attempt++ {
		sent := time.Now()
		err := l.renew(ctx)
		if err == nil {
			l.renewed = sent
			l.over.Reset(time.Until(sent.Add(l.ttl - l.margin()/2)))
			return nil
		}
		if err == litefs.ErrLeaseExpired || ctx.Err() != nil { //nolint:errorlint // it is never wrapped
			c.log.Warn("the lease is over", "err", err, "attempts", attempt)
			l.end()
			c.stepDown() // in the middle of a hand-off LiteFS does not look at what is returned here
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
	l.taken = mine
	return litefs.ErrLeaseExpired
}

// end says that this holding is over.
func (l *consulLease) end() {
	l.over.Stop()
	l.leaser.current.CompareAndSwap(l, nil)
}

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

// withdrawHandoff ends LiteFS's wait for the stream of a node that it hands off to: it takes the session's id in that
// stream's place. LiteFS then steps down without releasing the lock, as after any hand-off, so withdrawHandoff releases
// the lock, but not before LiteFS has stepped down. It does nothing where LiteFS waits for no stream: the id that a
// stream has got is the new primary's.
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
	if l.taken {
		return nil
	}
	err := l.release()
	if err != nil {
		l.leaser.left = append(l.leaser.left, l.session)
	}
	return err
}
