package cluster

import (
	"context"
	"slices"
	"time"

	"blog/internal/litefs"
)

// keepEvery is how often the sync set is thought about when nothing happens.
const keepEvery = 100 * time.Millisecond

// slept is a pause between two thoughts after which this process must have been
// stopped: what it has not heard meanwhile says nothing about the others.
const slept = time.Second

// keep changes the sync set as standbys come and go, until ctx ends. It is the only
// one that changes it in this term.
func (c *Cluster) keep(ctx context.Context, l *lead) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	awake, last := l.since, time.Now()
	for ctx.Err() == nil {
		if now := time.Now(); now.Sub(last) > slept {
			awake = now
		}
		c.mu.Lock()
		d := c.thinkLocked(l, time.Now(), awake)
		doubt, changed := l.doubt, c.changed
		c.mu.Unlock()
		wait := changed // reports come in bursts, but writes wait for some of them
		switch {
		case d != nil:
			c.change(ctx, l, d)
			wait = nil
		case doubt:
			c.resolve(ctx, l)
			wait = nil // Consul is not asked more often than at each tick
		}
		last = time.Now() // the time that Consul took is no sleep
		select {
		case <-tick.C:
		case <-wait:
		case <-ctx.Done():
		}
	}
}

// change is a decision about the set.
type change struct {
	without string // id of who goes, "" when somebody comes
	with    litefs.Member
	why     string
}

// thinkLocked decides who goes or comes next, nil for nobody.
func (c *Cluster) thinkLocked(l *lead, now, awake time.Time) *change {
	if l.doubt || l.broken {
		return nil
	}
	for _, m := range l.set.Members {
		if m.ID == l.self.ID || c.o.Policy == Strict {
			continue
		}
		if why := c.lostLocked(l, m.ID, now, awake); why != "" {
			return &change{without: m.ID, with: m, why: why}
		}
	}
	if len(l.set.Members) > 1 {
		return nil
	}
	return c.joinLocked(l, now)
}

// lostLocked says why a member counts as lost, "" when it does not.
func (c *Cluster) lostLocked(l *lead, id string, now, awake time.Time) string {
	since := l.since
	if awake.After(since) {
		since = awake
	}
	p := c.nodes[id]
	if at, gone := c.left[id]; gone && (p == nil || !p.heard.After(at)) {
		return "it has left"
	}
	switch {
	case p != nil && p.heard.After(since):
		since = p.heard
	case c.primary.From == id && since.Equal(l.since):
		// The primary before was heard of by its words, and has been silent for the
		// whole of the election. It gets the time to come back as a standby, not
		// DURABILITY_WAIT once more: an author waits for it.
		since = latest(c.told, l.since.Add(lostAfter-max(c.o.Wait, lostAfter)))
	}
	if now.Sub(since) >= max(c.o.Wait, lostAfter) {
		return "no report for " + now.Sub(since).Round(time.Second/10).String()
	}
	if at, behind := l.behind[id]; behind && now.Sub(at) >= c.o.Stall && !at.Before(awake) {
		return "it reports, but its copy stands still"
	}
	return ""
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Joining: how far behind a standby may be to begin with, how long writes wait for it
// before it is given up for now, and for how long it is then left alone.
const (
	joinWithin = 200
	joinLimit  = 2 * time.Second
	joinAgain  = 5 * time.Second
)

// joinLocked takes the next step of bringing a standby in. From the first on every
// acknowledgement waits for it as well; the second, when its copy has what was
// acknowledged without it, is the change of the set.
func (c *Cluster) joinLocked(l *lead, now time.Time) *change {
	if j := l.join; j != nil {
		p := c.nodes[j.id]
		stays := p.live(now) && !p.leaving
		if stays && l.covered[j.id] >= j.target {
			return &change{with: p.member(), why: "its copy is complete"}
		}
		if now.After(j.until) || !stays {
			l.join = nil
			l.settle()
			p.notBefore = now.Add(joinAgain)
			c.changedLocked()
		}
		return nil
	}
	for _, id := range c.idsLocked() {
		p := c.nodes[id]
		if !p.live(now) || !p.info.Candidate || p.info.Region != c.self.Region || p.leaving || now.Before(p.notBefore) {
			continue
		}
		if l.newest.Seq-l.covered[id] > joinWithin {
			continue
		}
		l.join = &joining{id: id, target: l.newest.Seq, until: now.Add(joinLimit)}
		l.settle()
		return c.joinLocked(l, now)
	}
	return nil
}

// idsLocked returns the ids of all nodes, in an order that stays.
func (c *Cluster) idsLocked() []string {
	ids := make([]string, 0, len(c.nodes))
	for id := range c.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// change carries out a decision. Until Consul has said so nothing is acknowledged
// that the set before, or the one to come, would not allow.
func (c *Cluster) change(ctx context.Context, l *lead, d *change) {
	c.mu.Lock()
	var members []litefs.Member
	for _, m := range l.set.Members {
		if m.ID != d.without {
			members = append(members, m)
		}
	}
	if d.without == "" {
		members = append(members, d.with)
	}
	wanted := litefs.SyncChange{Term: l.term, Index: l.set.Index, Members: members, Seq: l.newest.Seq}
	c.mu.Unlock()

	set, err := c.o.Control.Change(ctx, wanted)

	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		// Whatever the error is, Consul tells best what the set is now.
		l.doubt = true
		if ctx.Err() == nil {
			c.log.Warn("the sync set could not be changed", "to", c.namesLocked(&litefs.SyncSet{Members: members}), "err", err)
		}
		return
	}
	l.set, l.join = set, nil
	l.settle()
	c.changedLocked()
	who := c.namesLocked(&litefs.SyncSet{Members: []litefs.Member{d.with}})[0]
	if d.without == "" {
		c.log.Info("the standby is in the sync set: acknowledgements rest on two nodes", "standby", who, "why", d.why, "seq", wanted.Seq)
	} else {
		c.log.Warn("the standby is out of the sync set: acknowledgements rest on this node alone", "standby", who, "why", d.why, "seq", wanted.Seq)
	}
}

// resolve ends a doubt: it asks what the set is, and where the change that is in
// doubt may still be on its way to Consul, writes the set once more as it is. That
// moves its index on, and the late change fails.
func (c *Cluster) resolve(ctx context.Context, l *lead) {
	standing, err := c.o.Control.Standing(ctx)
	if err != nil {
		return // tried again at the next tick
	}
	if !standing.Primary || standing.Term != l.term || !standing.Set.Has(l.self.ID) {
		c.end(ctx, l, standing)
		return
	}
	set := *standing.Set
	c.mu.Lock()
	tried, seq := l.set.Index, l.newest.Seq
	c.mu.Unlock()
	if set.Index == tried {
		set, err = c.o.Control.Change(ctx, litefs.SyncChange{Term: l.term, Index: set.Index, Members: set.Members, Seq: seq})
		if err != nil {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.doubt, l.set, l.join = false, set, nil
	l.settle()
	c.changedLocked()
}

// end gives a term up that the LiteFS node or Consul know nothing of any more. The
// role changes soon, or, where an operator has chosen another node, at our word.
func (c *Cluster) end(ctx context.Context, l *lead, now litefs.Standing) {
	c.mu.Lock()
	first := !l.broken
	l.broken = true
	c.mu.Unlock()
	if first {
		c.log.Warn("this term is over", "term", l.term, "now", now.Term, "sync_set", c.names(now.Set))
	}
	if now.Primary && !now.Set.Has(l.self.ID) {
		if err := c.o.Control.Demote(ctx); err != nil {
			c.log.Warn("give the lease up", "err", err)
		}
	}
}
