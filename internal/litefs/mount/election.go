//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	node "blog/internal/litefs"
)

// Why this node is not elected. LiteFS logs it and tries again.
var (
	errOutside = errors.New("this node is outside the sync set: it may lack acknowledged writes and is not elected; if " +
		"the members are gone for good, `blog accept-loss` on the node to keep makes it the only member")
	errSetLost = errors.New("this node has data, but Consul has no sync set (it has lost it, or the cluster is from " +
		"before there was one): nobody is elected until `blog accept-loss` has been run on the node to keep")
)

// Acquire implements litefs.Leaser. It returns litefs.ErrPrimaryExists, unwrapped as LiteFS compares it, when somebody
// else has the lease.
func (c *consulLeaser) Acquire(ctx context.Context) (litefs.Lease, error) {
	if err := c.data.check(); err != nil {
		c.logIneligible(err)
		return nil, err
	}
	v, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	if v.held() {
		return nil, litefs.ErrPrimaryExists
	}
	ops, err := c.eligible(v)
	c.logIneligible(err)
	if err != nil {
		return nil, err
	}
	if err = c.register(ctx); err != nil {
		return nil, err
	}
	session, sent, err := c.newSession(ctx)
	if err != nil {
		return nil, err
	}
	return c.lockWith(ctx, session, sent, c.ttl(), ops)
}

// logIneligible logs why this node is not elected, once for each reason: LiteFS repeats it at every attempt.
func (c *consulLeaser) logIneligible(why error) {
	if why == nil {
		c.logged = ""
	} else if c.logged != why.Error() {
		c.logged = why.Error()
		c.log.Error("this node cannot be primary", "reason", why, "key", c.lockKey())
	}
}

// eligible returns the operations that check, in the transaction that acquires the lock, that this node may have it.
func (c *consulLeaser) eligible(v *view) ([]api.KVTxnOp, error) {
	if v.set != nil {
		if err := c.mayHold(v.set); err != nil {
			return nil, err
		}
		return []api.KVTxnOp{c.unchanged(v)}, nil
	}
	have, err := c.data.clusterID()
	if err != nil {
		return nil, err
	}
	if have != "" || v.clusterID != "" {
		return nil, errSetLost
	}
	// The very first start of the cluster.
	put, err := c.putSet(0, node.SyncSet{Members: []node.Member{c.self()}})
	if err != nil {
		return nil, err
	}
	return []api.KVTxnOp{put}, nil
}

// lackingCopy is a copy that does not have what the sync set requires.
type lackingCopy struct {
	required  string
	positions map[string]ltx.Pos // LiteFS's, by which another copy is told from this one
}

// lack takes this node out of the election until it has another copy, from a primary that it follows.
func (c *consulLeaser) lack(required string) {
	c.lacking.Store(&lackingCopy{required, c.positions()})
}

// lacks returns what this node's copy lacks of what the sync set requires, as the child has found; "" when nothing is
// known to be lacking, or the copy is another one by now.
func (c *consulLeaser) lacks() string {
	l := c.lacking.Load()
	if l == nil {
		return ""
	}
	if !maps.Equal(l.positions, c.positions()) {
		c.lacking.CompareAndSwap(l, nil)
		return ""
	}
	return l.required
}

// mayHold says why this node must not have the lease under a sync set; nil when it may.
func (c *consulLeaser) mayHold(set *node.SyncSet) error {
	if !set.Has(c.data.id()) {
		return errOutside
	}
	if required := c.lacks(); required != "" {
		return fmt.Errorf("this node's copy lacks write %s, which every member of the sync set had, and it is not elected "+
			"with the copy as it is; "+
			"if no other member can be, `blog accept-loss` on the node to keep makes it the only member", required)
	}
	return nil
}

// newSession makes one. Where Consul's session_ttl_min (10 s by default) is longer than a session of ours, it is as
// long as the lease.
func (c *consulLeaser) newSession(ctx context.Context) (id string, sent time.Duration, err error) {
	id, sent, err = c.createSession(ctx)
	if err == nil || !strings.Contains(err.Error(), "Invalid Session TTL") || c.whole.Swap(true) {
		return id, sent, err
	}
	refused := err
	if id, sent, err = c.createSession(ctx); err == nil {
		c.log.Info("Consul allows no session shorter than the lease: the next election after a primary's death takes up to "+
			"two leases and a second",
			"lease", c.lease, "consul", refused)
	}
	return id, sent, err
}

func (c *consulLeaser) createSession(ctx context.Context) (id string, sent time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.urgent())
	defer cancel()
	sent = c.elapsed()
	id, _, err = c.client.Session().CreateNoChecks(&api.SessionEntry{
		Node:      c.nodeName(),
		Name:      "litefs",
		Behavior:  api.SessionBehaviorDelete,
		LockDelay: c.lockDelay,
		TTL:       c.ttl().String(),
	}, new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		c.registered.Store(false) // Consul may have lost the node
		return "", sent, fmt.Errorf("create session: %w", err)
	}
	return id, sent, nil
}

// lockWith runs ops and acquires the lock with the session, which was alive at sent (elapsed) and lasts for ttl. It
// ends the session unless the transaction is known to have succeeded in time: otherwise this node could hold a lease
// without knowing.
func (c *consulLeaser) lockWith(
	ctx context.Context, session string, sent, ttl time.Duration, ops []api.KVTxnOp,
) (litefs.Lease, error) {
	lock, err := c.lockOperation(session)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.urgent())
	defer cancel()
	r, err := c.transact(limited, append(ops, lock)...)
	if err == nil && r.done {
		var l *consulLease
		if l, err = c.newLease(session, r.index[c.lockKey()], sent, ttl); err == nil {
			return l, nil
		}
	}
	c.endSession(session)
	switch {
	case err != nil:
		return nil, err
	case r.refused[c.lockKey()] != "":
		return nil, litefs.ErrPrimaryExists
	default:
		return nil, errors.New("the sync set has changed meanwhile")
	}
}

// AcquireExisting implements litefs.Leaser: it takes over the session of a primary that hands off. It ends a session
// that it cannot take over, since no other node uses it any more.
func (c *consulLeaser) AcquireExisting(ctx context.Context, session string) (litefs.Lease, error) {
	var v *view
	err := c.data.check()
	if err == nil {
		v, err = c.read(ctx)
	}
	if err == nil {
		if err = c.mayHold(v.set); !c.candidate {
			err = errors.New("the lease was handed to a node that is no candidate")
		}
	}
	if err != nil {
		c.endSession(session)
		return nil, err
	}
	sent := c.elapsed()
	lasts, err := c.renewSession(ctx, session)
	var ttl time.Duration
	if err == nil {
		ttl, err = time.ParseDuration(lasts)
	}
	if err != nil {
		if err != litefs.ErrLeaseExpired { //nolint:errorlint // it is never wrapped
			c.endSession(session)
		}
		return nil, err
	}
	// Another release may have made it shorter than this one would.
	return c.lockWith(ctx, session, sent, min(ttl, c.ttl()), []api.KVTxnOp{c.unchanged(v)})
}

// renewSession renews the session for another TTL, which it returns. litefs.ErrLeaseExpired, unwrapped, means that the
// session has ended.
func (c *consulLeaser) renewSession(ctx context.Context, session string) (ttl string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.urgent())
	defer cancel()
	entry, _, err := c.client.Session().Renew(session, new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("renew session: %w", err)
	}
	if entry == nil {
		return "", litefs.ErrLeaseExpired
	}
	return entry.TTL, nil
}

// endSession ends a session and, with it, the lock that it holds. When Consul does not answer, endLeft tries again
// later; otherwise this node would wait until its lease runs out.
func (c *consulLeaser) endSession(session string) {
	if _, err := c.client.Session().Destroy(session, nil); err != nil {
		c.left = append(c.left, session)
	}
}

// endLeft ends the sessions that endSession could not end. They are few: without Consul there are no new ones.
func (c *consulLeaser) endLeft(ctx context.Context) {
	for len(c.left) > 0 {
		if _, err := c.client.Session().Destroy(c.left[0], new(api.WriteOptions).WithContext(ctx)); err != nil {
			return
		}
		c.left = c.left[1:]
	}
}

// PrimaryInfo implements litefs.Leaser. It returns litefs.ErrNoPrimary, unwrapped, when nobody has the lease, and
// refuses a primary from outside the sync set: its data would replace what has been acknowledged.
func (c *consulLeaser) PrimaryInfo(ctx context.Context) (litefs.PrimaryInfo, error) {
	var none litefs.PrimaryInfo
	c.endLeft(ctx)
	v, err := c.read(ctx)
	switch {
	case err != nil:
		return none, err
	case !v.held(): // a value without a session is what a holder that died while letting go has left
		return none, litefs.ErrNoPrimary
	case v.holder.MemberID == c.data.id():
		return none,
			errors.New("the lease is still held in this node's own name, from before; it is handed over now or ends by itself")
	case v.set != nil && !v.set.Has(v.holder.MemberID):
		return none, fmt.Errorf("%s holds the lease but is outside the sync set: not followed", v.holder.Hostname)
	}
	return v.holder.PrimaryInfo, nil
}

// ClusterID implements litefs.Leaser. "" means that none has been set. It is the first that LiteFS asks for, once its
// store is open, and each time before it follows or elects.
func (c *consulLeaser) ClusterID(ctx context.Context) (string, error) {
	acquired := c.current.Load() != nil
	if acquired { // the time counts against the lease
		limited, cancel := context.WithTimeout(ctx, c.urgent())
		defer cancel()
		ctx = limited
	} else if err := c.data.check(); err != nil {
		c.logIneligible(err)
		return "", err
	}
	v, err := c.read(ctx)
	if err == nil && acquired && c.held() == nil { // LiteFS would believe in it until its renewal
		err = errRunOut
	}
	if err != nil {
		return "", err
	}
	return v.clusterID, nil
}

// SetClusterID implements litefs.Leaser. The id is set once: index 0 makes Consul refuse a key that exists.
//
// It goes on until it knows the outcome, even past the end of the lease. LiteFS takes an error for "not set" and
// forgets the id; if it was set all the same this node could never be primary again. Nobody else can be meanwhile: when
// there is no id, this node is alone in the set.
func (c *consulLeaser) SetClusterID(ctx context.Context, id string) error {
	if err := c.data.setClusterID(id); err != nil {
		return fmt.Errorf("write the cluster's id: %w", err)
	}
	for {
		ok, _, err := c.client.KV().CAS(
			&api.KVPair{Key: c.clusterIDKey(), Value: []byte(id)}, new(api.WriteOptions).WithContext(ctx))
		if err == nil && ok {
			return nil
		}
		v, e := c.read(ctx)
		switch {
		case e == nil && v.clusterID == id: // an answer was lost
			return nil
		case e == nil && v.clusterID != "":
			return errors.New("the cluster has an id already")
		}
		c.log.Warn("set the cluster's id, trying again", "err", errors.Join(err, e))
		select {
		case <-time.After(renewPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
