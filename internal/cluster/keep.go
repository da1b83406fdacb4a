package cluster

import (
	"context"
	"slices"
	"time"

	"blog/internal/litefs"
)

// keepEvery is how often the sync set is thought about when nothing happens.
const keepEvery = 100 * time.Millisecond

// slept is a pause after which this process must have been stopped: what it has not
// heard meanwhile says nothing about the others, and its lease may be over.
const slept = time.Second

// beat notes that this process runs, and when it has not.
func (c *Cluster) beat(ctx context.Context, l *lead) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		c.mu.Lock()
		now := time.Now()
		if now.Sub(l.pulse) > slept {
			l.unsure, l.awake = true, now
			c.changedLocked()
		}
		l.pulse = now
		c.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// wordsApart is the pause between two questions to Consul that it answers: many answers
// wait for one.
const wordsApart = 5 * time.Millisecond

// verifyEvery is how often Consul is asked although nothing waits for its word: it may have
// been restored from a snapshot.
const verifyEvery = time.Second

// keep changes the sync set as standbys come and go, until ctx ends or l is no longer the
// term of this node. It is the only one that changes the set in this term.
func (c *Cluster) keep(ctx context.Context, l *lead) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		c.mu.Lock()
		if c.lead != l {
			c.mu.Unlock()
			return
		}
		now := time.Now()
		d := c.thinkLocked(l, now)
		ask, changed := l.inQuestion() || now.Sub(l.verified) >= verifyEvery, c.changed
		c.mu.Unlock()
		var rest <-chan time.Time
		switch {
		case d != nil:
			c.change(ctx, l, d)
			changed = nil
		case ask:
			changed = nil // without an answer Consul is not asked more often than at each tick
			if c.resolve(ctx, l) {
				rest = time.After(wordsApart)
			}
		}
		select {
		case <-tick.C:
		case <-changed: // reports come in bursts, but writes wait for some of them
		case <-rest:
		case <-ctx.Done():
		}
	}
}

// change is a decision about the set: who goes, who comes, or one in the place of the
// other.
type change struct {
	out, in *litefs.Member
	why     string
}

// thinkLocked decides what to do about the set next, nil for nothing.
func (c *Cluster) thinkLocked(l *lead, now time.Time) *change {
	if l.doubt || l.unsure || l.broken {
		return nil
	}
	var lost *change
	for _, m := range l.set.Members {
		if m.ID == l.self.ID {
			continue
		}
		if why := c.lostLocked(l, m.ID, now); why != "" {
			lost = &change{out: &m, why: why}
		}
	}
	strict := c.o.Policy == Strict
	if lost != nil && !strict {
		return lost
	}
	if lost == nil && len(l.set.Members) > 1 {
		c.dropJoinLocked(l)
		return nil
	}
	in := c.joinLocked(l, now)
	if in != nil && lost != nil {
		in.out = lost.out // strict: nobody goes before there is another
	}
	return in
}

// lostLocked says why a member counts as lost, "" when it does not.
func (c *Cluster) lostLocked(l *lead, id string, now time.Time) string {
	since := latest(l.since, l.awake)
	p := c.nodes[id]
	if at, gone := c.left[id]; gone && (p == nil || !p.heard.After(at)) {
		return "it has left"
	}
	switch {
	case p != nil && p.heard.After(since):
		since = p.heard
	case l.before == id && !l.awake.After(l.since):
		// The primary before was heard by its words: they count as its reports. One that
		// died has been silent for the whole of the election, and an author has waited
		// for that long already.
		if since = l.told; p != nil {
			since = latest(since, p.heard) // it was sooner here than this node led
		}
		if now.Sub(l.since) < comesBack {
			return ""
		}
	}
	if now.Sub(since) >= max(c.o.Wait, lostAfter) {
		return "no report for " + now.Sub(since).Round(time.Second/10).String()
	}
	if at, behind := l.behind[id]; behind && now.Sub(latest(at, l.awake)) >= c.o.Stall {
		return "it reports, but its copy stands still"
	}
	return ""
}

// comesBack is what a primary that has lost its role takes to find the next one and report
// there. With the election it has to stay within two leases.
const comesBack = 3 * time.Second / 4

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
			m := p.member()
			return &change{in: &m, why: "its copy is complete"}
		}
		if now.After(j.until) || !stays {
			p.notBefore = now.Add(joinAgain)
			c.dropJoinLocked(l)
		}
		return nil
	}
	for _, id := range c.idsLocked() {
		if !c.joinableLocked(l, id, now) {
			continue
		}
		l.join = &joining{id: id, target: l.newest.Seq, until: now.Add(joinLimit)}
		l.settle()
		return c.joinLocked(l, now)
	}
	return nil
}

// joinableLocked reports whether a node may be a standby and is about to have
// everything: what is acknowledged would wait for it.
func (c *Cluster) joinableLocked(l *lead, id string, now time.Time) bool {
	p := c.nodes[id]
	if l.set.Has(id) || !p.live(now) || p.leaving || !p.info.Candidate || p.info.Region != c.self.Region || now.Before(p.notBefore) {
		return false
	}
	covered, follows := l.covered[id]
	if !follows && !l.newest.Zero() { // it has no copy yet, or another history
		return false
	}
	at, behind := l.behind[id]
	return l.newest.Seq-covered <= joinWithin && (!behind || now.Sub(at) <= joinLimit)
}

func (c *Cluster) dropJoinLocked(l *lead) {
	if l.join != nil {
		l.join = nil
		l.settle()
		c.changedLocked()
	}
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
	if c.lead != l {
		c.mu.Unlock()
		return
	}
	var members []litefs.Member
	for _, m := range l.set.Members {
		if d.out == nil || m.ID != d.out.ID {
			members = append(members, m)
		}
	}
	if d.in != nil {
		members = append(members, *d.in)
	}
	wanted := litefs.SyncChange{Term: l.term, Index: l.set.Index, Members: members, Seq: l.newest.Seq, Positions: l.positionsLocked(d.out), Required: l.requiredLocked(members)}
	l.tried = members
	c.mu.Unlock()

	sent := time.Now()
	set, err := c.o.Control.Change(ctx, wanted)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead != l {
		return // it is the next term's to find out what the set is
	}
	if err != nil {
		// Whatever the error is, Consul tells best what the set is now.
		l.doubt = true
		c.log.Warn("the sync set could not be changed", "to", c.namesLocked(&litefs.SyncSet{Members: members}), "err", err)
		return
	}
	l.set, l.tried, l.join, l.held = set, nil, nil, sent
	l.settle()
	c.changedLocked()
	attrs := []any{"why", d.why, "sync_set", c.namesLocked(&l.set), "seq", wanted.Seq}
	if d.in != nil {
		c.log.Info("the standby is in the sync set: acknowledgements rest on two nodes", attrs...)
	} else {
		c.log.Warn("the standby is out of the sync set: acknowledgements rest on this node alone", append(attrs, "standby", c.namesLocked(&litefs.SyncSet{Members: []litefs.Member{*d.out}})[0])...)
	}
}

// recognize returns the set from which this term goes on where Consul has set. Those that
// this term wrote are that one, and none of them is at an index before the last that it knows; foreign says that Consul's is none of them. Then it is the
// one that this term wrote last, to be written in the place of Consul's: each of its members
// has every row that was acknowledged.
func (l *lead) recognize(set litefs.SyncSet) (from litefs.SyncSet, foreign bool) {
	same := slices.Equal(set.Members, l.set.Members)
	switch {
	case same && set.Index == l.set.Index:
		return set, false
	case set.Index > l.set.Index && l.tried != nil && (same || slices.Equal(set.Members, l.tried)):
		return set, false
	}
	from = l.set
	from.Index = set.Index
	return from, true
}

func (c *Cluster) warnForeignLocked(l *lead, set *litefs.SyncSet) {
	c.log.Warn("what Consul has is not the sync set of this term: it was restored from a snapshot, or somebody has written there. The set is written again before anything is acknowledged; what was acknowledged before that is lost if another node is elected first",
		"term", l.term, "sync_set", c.namesLocked(set), "of_this_term", c.namesLocked(&l.set))
}

// resolve asks Consul whether the lease is held and what the set is, and reports whether
// that is known now. Where a change that is in doubt may still be on its way to Consul
// it writes the set once more as it is: that moves its index on, and the late change
// fails. Where Consul has a set that this term did not write, nothing is acknowledged
// before this term's set is in its place.
func (c *Cluster) resolve(ctx context.Context, l *lead) bool {
	sent := time.Now()
	standing, err := c.o.Control.Standing(ctx)
	c.mu.Lock()
	over, broken := c.lead != l, l.broken
	l.verified = sent
	c.mu.Unlock()
	switch {
	case err != nil, over:
		return false // tried again at the next tick
	case !standing.Primary || standing.Term != l.term || !standing.Set.Has(l.self.ID):
		c.end(ctx, l, standing)
		return false
	case broken:
		c.giveUp(ctx, standing.Term)
		return false
	}
	set, err := c.establish(ctx, l, *standing.Set)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead != l || l.awake.After(sent) || time.Since(l.pulse) > slept {
		return false // the answer is from before this process was stopped
	}
	l.held = sent
	if l.doubt || l.unsure {
		l.doubt, l.unsure, l.tried, l.set, l.join = false, false, nil, set, nil
		l.settle()
	}
	c.changedLocked()
	return true
}

// establish returns the set of this term as Consul has it, once no earlier change can alter
// it any more; read is what Consul had. Its check of the lock, in the transaction in which
// the set is written, says that nobody was elected by the set that was there.
func (c *Cluster) establish(ctx context.Context, l *lead, read litefs.SyncSet) (litefs.SyncSet, error) {
	c.mu.Lock()
	from, foreign := l.recognize(read)
	if foreign {
		if !l.unsure {
			c.warnForeignLocked(l, &read)
		}
		l.doubt, l.unsure = true, true
	}
	write := foreign || l.doubt && read.Index == l.set.Index
	if write && l.tried == nil {
		l.tried = from.Members
	}
	wanted := litefs.SyncChange{Term: l.term, Index: from.Index, Members: from.Members, Seq: l.newest.Seq, Positions: from.Positions, Required: from.Required}
	c.mu.Unlock()
	if !write {
		return from, nil
	}
	return c.o.Control.Change(ctx, wanted)
}

// end gives a term up that the LiteFS node or Consul know nothing of any more. The
// role changes soon, or, where an operator has chosen another node, at our word.
func (c *Cluster) end(ctx context.Context, l *lead, now litefs.Standing) {
	c.mu.Lock()
	current, first := c.lead == l, !l.broken
	l.broken = true
	c.mu.Unlock()
	if !current {
		return
	}
	if first {
		c.log.Warn("this term is over", "term", l.term, "now", now.Term, "sync_set", c.names(now.Set))
	}
	if now.Primary && !now.Set.Has(l.self.ID) {
		c.giveUp(ctx, now.Term)
	}
}

func (c *Cluster) giveUp(ctx context.Context, term string) {
	if err := c.o.Control.Demote(ctx, litefs.Giving{Term: term}); err != nil {
		c.log.Warn("give the lease up", "err", err)
	}
}
