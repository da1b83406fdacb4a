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
