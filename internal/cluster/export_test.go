package cluster

import (
	"context"
	"encoding/binary"
	"time"

	"blog/internal/litefs"
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

// ReportedBefore makes this node believe that the last report of a node came so much earlier.
func (c *Cluster) ReportedBefore(id string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.nodes[id]; p != nil {
		p.heard = p.heard.Add(-d)
	}
}

// SilentMember looks for nodes to forget while the last report of a member of the set seems to have come so much earlier.
// In one step, because a primary takes such a one out of the set.
func (c *Cluster) SilentMember(id string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.nodes[id].heard
	c.nodes[id].heard = heard.Add(-d)
	c.forgetOldLocked()
	if p := c.nodes[id]; p != nil {
		p.heard = heard
	}
}

// ForgetOld is what each second does.
func (c *Cluster) ForgetOld() { c.forgetOld() }

// ForgottenIDs are the nodes that an operator had forgotten.
func (c *Cluster) ForgottenIDs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgottenLocked()
}

// Uplinks is how many uplinks a node has to this one, -1 when it is not known.
func (c *Cluster) Uplinks(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.nodes[id]; p != nil {
		return p.conns
	}
	return -1
}

// FailLonger makes a node whose uplink fails believe that it has done so for d longer.
func (c *Cluster) FailLonger(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing.IsZero() {
		c.failing = c.failing.Add(-d)
	}
}

// Awake reports that the lead has noticed the last Sleep.
func (c *Cluster) Awake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lead != nil && time.Since(c.lead.pulse) < slept
}

// Covered is the newest row of this term that the node's copy has, as far as it has reported in
// it; -1 for none.
func (c *Cluster) Covered(id string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq, ok := c.lead.covered[id]; ok {
		return seq
	}
	return -1
}

// Newest is the newest row of this term.
func (c *Cluster) Newest() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lead.newest.Seq
}

// Reported is the newest row that the node's copy has by its own account.
func (c *Cluster) Reported(id string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id].cursor.Seq
}

// LostBefore says why the lead, which began at led, counts the primary before it as lost,
// when its last word came at told and its last report at heard.
func (c *Cluster) LostBefore(id string, now, led, told, heard time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := *c.lead
	l.before, l.since, l.awake, l.told, l.behind = id, led, led, told, nil
	was := c.nodes[id].heard
	defer func() { c.nodes[id].heard = was }()
	c.nodes[id].heard = heard
	return c.lostLocked(&l, id, now)
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
	l.pulse = now // awake
	l.own, l.covered = map[int64]repo.Mark{seq: at.Mark}, map[string]int64{id: covered}
	l.set.Members = l.set.Members[:1]
	l.join = &joining{id: id, target: target, until: now.Add(joinLimit)}
	l.settle()
	c.nodes[id].heard = now
	acknowledged = l.lasts(at, c.o.Policy)
	return acknowledged, c.joinLocked(&l, now) != nil
}

// At is the newest row of this node's own copy, as it reports it.
func (c *Cluster) At() repo.Cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Owns reports whether the lead counts a row as one of its own history.
func (c *Cluster) Owns(at repo.Cursor) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lead != nil && c.lead.own[at.Seq] == at.Mark
}

// ReadAt reads this node's position from its database, as a new uplink does.
func (c *Cluster) ReadAt(ctx context.Context) error { return c.read(ctx) }

// Heartbeat is the constant of the uplink.
const Heartbeat = heartbeat

// Acts reports whether anything may still act for a term.
func Acts(t repo.Term) bool { return t.(*lead).run.Err() == nil }

// Reports tells the reports of a node apart: another value, another report.
func (c *Cluster) Reports(id string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id].heard
}

// RowMark is the mark of a row in Requires.
func RowMark(seq int64) (m repo.Mark) {
	binary.BigEndian.PutUint64(m[:], uint64(seq)) //nolint:gosec // a small number
	return m
}

// Requires is what a lead makes the sync set of these members require, whose set requires before and whose own rows are
// those up to newest but for those that it does not keep.
func Requires(before string, newest int64, covered map[string]int64, forgets int64, members ...string) string {
	l := &lead{self: litefs.Member{ID: "self"}, own: map[int64]repo.Mark{}, covered: covered}
	l.set.Required = before
	for seq := forgets + 1; seq <= newest; seq++ {
		l.own[seq] = RowMark(seq)
	}
	l.newest = repo.Cursor{Seq: newest, Mark: l.own[newest]}
	set := []litefs.Member{l.self}
	for _, id := range members {
		set = append(set, litefs.Member{ID: id})
	}
	return l.requiredLocked(set)
}
