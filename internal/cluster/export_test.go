package cluster

import (
	"time"

	"blog/internal/repo"
)

// Sleep makes the lead believe that this process has not run for d.
func (c *Cluster) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead != nil {
		c.lead.pulse = c.lead.pulse.Add(-d)
	}
}

// Unheard makes this node believe that the primary has been silent for so much longer.
func (c *Cluster) Unheard(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = c.told.Add(-d)
}

// FailLonger makes a node whose uplink fails believe that it has done so for d longer.
func (c *Cluster) FailLonger(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing.IsZero() {
		c.failing = c.failing.Add(-d)
	}
}

// Lost says why the lead counts a member as lost at now, when its copy has stood still
// since behind and the process slept until awake.
func (c *Cluster) Lost(id string, now, behind, awake time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := *c.lead
	l.behind, l.awake = map[string]time.Time{id: behind}, awake
	return c.lostLocked(&l, id, now)
}

// Joinable reports whether a live candidate with that copy would be waited for.
func (c *Cluster) Joinable(id string, newest repo.Cursor, covered *int64, behind time.Time, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := *c.lead
	l.newest, l.covered, l.behind = newest, map[string]int64{}, map[string]time.Time{}
	l.set.Members = l.set.Members[:1]
	if covered != nil {
		l.covered[id] = *covered
	}
	if !behind.IsZero() {
		l.behind[id] = behind
	}
	c.nodes[id].heard = now
	return c.joinableLocked(&l, id, now)
}

// Joins brings in a live candidate whose copy has covered, since target was the newest row. It reports whether the row
// at seq is acknowledged meanwhile, and whether the candidate is put into the set.
func (c *Cluster) Joins(id string, covered, target, seq int64) (acknowledged, in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	at := repo.Cursor{Seq: seq, Mark: repo.Mark{1}}
	l := *c.lead
	l.pulse, l.held = now, now.Add(time.Second) // awake, and with the lease
	l.own, l.covered = map[int64]repo.Mark{seq: at.Mark}, map[string]int64{id: covered}
	l.set.Members = l.set.Members[:1]
	l.join = &joining{id: id, target: target, until: now.Add(joinLimit)}
	l.settle()
	c.nodes[id].heard = now
	acknowledged = l.enough(at, now, c.o.Policy)
	return acknowledged, c.joinLocked(&l, now) != nil
}
