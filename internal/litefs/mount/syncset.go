//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	node "blog/internal/litefs"
)

// change changes the sync set while this node holds the lease under the term that the argument names, in one
// transaction: the lock has the session and the index of the term (a hand-off changes only the index), and the set is
// at change.Index.
func (c *consulLeaser) change(ctx context.Context, change node.SyncChange) (node.SyncSet, error) {
	var none node.SyncSet
	l := c.held()
	if l == nil || l.term() != change.Term || !c.primary() {
		return none, node.ErrNotHeld
	}
	set := node.SyncSet{Members: change.Members, Seq: change.Seq, Positions: change.Positions, Required: change.Required}
	if err := c.checkMembers(&set); err != nil {
		return none, err
	}
	done, err := c.put(ctx, l, change.Index, set)
	if err == nil {
		l.confirmed.Store(true)
	}
	return done, err
}

// confirmed reports whether the child has changed the set under the lease that this node has now. A child begins each
// term so, after it has seen that the copy has what the set requires.
func (c *consulLeaser) confirmed() bool {
	l := c.held()
	return l != nil && l.confirmed.Load()
}

// put sets the sync set under the lease l.
func (c *consulLeaser) put(ctx context.Context, l *consulLease, index uint64, set node.SyncSet) (node.SyncSet, error) {
	var none node.SyncSet
	put, err := c.putSet(index, set)
	if err != nil {
		return none, fmt.Errorf("%w: %w", node.ErrRefused, err)
	}
	r, err := c.transact(ctx,
		api.KVTxnOp{Verb: api.KVCheckSession, Key: c.lockKey(), Session: l.session},
		api.KVTxnOp{Verb: api.KVCheckIndex, Key: c.lockKey(), Index: l.index},
		put)
	switch {
	case err != nil:
		c.unsettled.Store(index)
		return none, fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
	case r.done:
		set.Index = r.index[c.syncKey()]
		return set, nil
	case r.refused[c.lockKey()] != "":
		return none, fmt.Errorf("%w: %s", node.ErrNotHeld, r.refused[c.lockKey()])
	default:
		return none, fmt.Errorf("%w: %s", node.ErrSetChanged, r.refused[c.syncKey()])
	}
}

// resolve reads from Consul what no earlier change of this node's can alter any more. One that got no answer may
// still be under way: if it were to put a standby into the set after the child has read that it is not in there, the
// child would acknowledge alone what an electable node lacks. So the same set is written once more, at a new index.
func (c *consulLeaser) resolve(ctx context.Context) (*view, error) {
	v, err := c.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
	}
	index := c.unsettled.Load()
	if l := c.held(); l != nil && index != 0 && v.set != nil && v.set.Index == index {
		set, err := c.put(ctx, l, index, *v.set)
		switch {
		case err == nil:
			v.set = &set
		case errors.Is(err, node.ErrNotHeld): // then no change of this term can be carried out either
		default: // it has just been carried out, or there is no answer again
			return nil, fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
		}
	}
	c.unsettled.CompareAndSwap(index, 0)
	return v, nil
}

// checkMembers refuses a set without this node: no other member could be elected that has what this node acknowledges.
func (c *consulLeaser) checkMembers(set *node.SyncSet) error {
	if !set.Has(c.data.id()) {
		return fmt.Errorf("%w: the primary cannot leave the sync set", node.ErrRefused)
	}
	seen := map[string]bool{}
	for _, m := range set.Members {
		if m.ID == "" || seen[m.ID] {
			return fmt.Errorf("%w: a member of the sync set has no id, or is in it twice (%q)", node.ErrRefused, m.Name)
		}
		seen[m.ID] = true
	}
	return nil
}

// acceptLoss makes this node the only member although it is outside, or lacks what the set requires. It is safe for the
// others because the same transaction checks that no node holds the lease; the operator accepts that what the others
// acknowledged may be lost.
func (c *consulLeaser) acceptLoss(ctx context.Context) (node.Accepted, error) {
	var none node.Accepted
	have, err := c.data.clusterID()
	if err != nil {
		return none, fmt.Errorf("%w: %w", node.ErrRefused, err)
	}
	v, err := c.read(ctx)
	if err != nil {
		return none, fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
	}
	if why := c.excludedBy(v, have); why != "" {
		return none, fmt.Errorf("%w: %s", node.ErrRefused, why)
	}
	accepted := node.Accepted{Before: v.set, Now: node.SyncSet{Members: []node.Member{c.self()}}}
	var index uint64
	if v.set != nil {
		index = v.set.Index
	}
	put, err := c.putSet(index, accepted.Now)
	if err != nil {
		return none, fmt.Errorf("%w: %w", node.ErrRefused, err)
	}
	free := api.KVTxnOp{Verb: api.KVCheckNotExists, Key: c.lockKey()}
	if v.lock != nil { // not held when it was read; taking it changes the index
		free = api.KVTxnOp{Verb: api.KVCheckIndex, Key: c.lockKey(), Index: v.lock.ModifyIndex}
	}
	r, err := c.transact(ctx, free, put)
	if err != nil {
		return none, fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
	}
	if !r.done {
		return none,
			fmt.Errorf("%w: the lease or the sync set has changed at this very moment; look at `blog status` and try again",
				node.ErrRefused)
	}
	accepted.Now.Index = r.index[c.syncKey()]
	c.lacking.Store(nil)
	return accepted, nil
}

// excludedBy says what speaks against accepting a loss on this node; "" when nothing does.
func (c *consulLeaser) excludedBy(v *view, clusterID string) string {
	switch {
	case !c.candidate:
		return "this node is no candidate; run it on one, or set REGION to PRIMARY_REGION here"
	case clusterID == "":
		return "this node has no data; run it on one that has"
	case v.clusterID != "" && v.clusterID != clusterID:
		return fmt.Sprintf("Consul's key %s belongs to another cluster, %s (this data: %s); set LITEFS_CONSUL_KEY",
			c.lockKey(), v.clusterID, clusterID)
	case v.held():
		return fmt.Sprintf("%s holds the lease; nothing is lost while it does. If it is dead, wait until the lease has run "+
			"out (up to %s)", v.holder.Hostname, 2*c.lease)
	case v.set.Has(c.data.id()) && c.lacks() == "":
		return "this node is in the sync set already: it has every acknowledged write and is elected as soon as the lease " +
			"is free"
	}
	return ""
}
