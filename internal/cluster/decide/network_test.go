package decide_test

import (
	"errors"
	"slices"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
)

func asRefused(err error, target **decide.RefusedError) bool { return errors.As(err, target) }

// setRole gives the node's program a role, if it is another one.
func (n *node) setRole(role litefs.State, following string) {
	if n.state == nil || n.role == role && n.following == following && role != litefs.Unknown {
		return
	}
	n.role, n.following = role, following
	n.epoch++
	n.opening = nil
	if n.overdue = n.state.Term() != 0; n.w.scene {
		n.endOverdue()
	}
	if n.line != nil && (role == litefs.Primary || role == litefs.Replica && n.line.to.id != following) {
		n.hangUp()
	}
}

// endOverdue ends a term whose role is over, which the program finds out by itself, a moment later.
func (n *node) endOverdue() {
	if n.overdue && n.state != nil && !n.stopped {
		n.overdue = false
		n.on(decide.TermEnded{Term: n.state.Term()})
		n.dropCall()
	}
}

// see has a node's program find out who holds the lease.
func (n *node) see() {
	switch holder := n.w.consul.holder; {
	case n.state == nil || n.stopped:
	case holder == n.id:
		n.setRole(litefs.Primary, "")
	case holder == "":
		if n.role != litefs.Unknown {
			n.setRole(litefs.Unknown, "")
		}
	default:
		n.setRole(litefs.Replica, holder)
	}
}

// dial opens an uplink to the primary that the node knows.
func (n *node) dial() {
	p := n.w.node(n.following)
	if n.state == nil || n.stopped || n.role != litefs.Replica || n.line != nil || n.silent {
		return
	}
	if p == nil || p.state == nil || p.stopped || p.role != litefs.Primary {
		return
	}
	n.line = &line{id: n.id, from: n, to: p, epoch: p.epoch, fromOpen: true, toOpen: true}
	n.w.lines = append(n.w.lines, n.line)
	n.on(decide.Dialed{})
	n.on(decide.PositionRead{Before: n.state.Position(), Position: n.newest()})
	p.hear(decide.UplinkOpened{ID: n.id})
	n.sendReport(true)
	p.sendHeartbeat(n.line)
}

func (n *node) hangUp() {
	n.line.fromOpen = false
	n.line = nil
	n.on(decide.HungUp{})
}

// sendReport sends a report over the node's uplink.
func (n *node) sendReport(whole bool) {
	if n.state == nil || n.stopped || n.line == nil {
		return
	}
	n.report = false
	n.note(func(s *decide.State) { s.NextReport(whole, time.Time{}, "") })
	rep, ok := n.state.NextReport(whole, time.Time{}, "")
	if !ok {
		n.hangUp()
		return
	}
	n.line.reports = append(n.line.reports, rep)
	n.on(decide.ReportSent{Report: rep})
}

// sendHeartbeat sends a heartbeat over an uplink to the node.
func (n *node) sendHeartbeat(l *line) {
	if n.state == nil || n.stopped || !l.toOpen || l.epoch != n.epoch {
		return
	}
	delete(n.due, l.id)
	id, at := l.id, n.at
	n.note(func(s *decide.State) { s.NextHeartbeat(id, at, time.Time{}) })
	l.heartbeats = append(l.heartbeats, n.state.NextHeartbeat(id, at, time.Time{}))
}

// receive has the primary's end of an uplink receive the next report.
func (l *line) receive() {
	if len(l.reports) == 0 || !l.toOpen || l.to.stopped || l.from.silent {
		return
	}
	rep := l.reports[0]
	l.reports = l.reports[1:]
	l.to.hear(decide.ReportReceived{ID: l.id, Report: rep, Epoch: l.epoch, Over: l.epoch != l.to.epoch})
}

// follow has the other end receive the next heartbeat.
func (l *line) follow() {
	if len(l.heartbeats) == 0 || !l.fromOpen || l.from.stopped || l.from.silent {
		return
	}
	h := l.heartbeats[0]
	l.heartbeats = l.heartbeats[1:]
	l.from.on(decide.HeartbeatReceived{Heartbeat: h})
}

// close has the primary's end find out that an uplink is over.
func (l *line) close() {
	if l.toOpen && !l.to.stopped {
		l.toOpen = false
		l.to.hear(decide.UplinkClosed{ID: l.id})
	}
}

// sweep removes uplinks that no end has any more.
func (w *world) sweep() {
	w.lines = slices.DeleteFunc(w.lines, func(l *line) bool { return !l.fromOpen && !l.toOpen })
}

// tick lets the node's clock go on.
func (n *node) tick(d time.Duration) {
	n.at += d
	if n.leftOver != nil {
		n.leftOver.tick(d)
	}
	if n.state != nil && !n.stopped && n.state.Term() != 0 {
		n.on(decide.Tick{})
	}
}

// become has a node that was asked to become primary ask for the lease.
func (n *node) become() {
	c := &n.w.consul
	if !n.acquire {
		return
	}
	n.acquire = false
	if n.state == nil || n.stopped || n.cut || c.restored || c.holder == "" || c.holder == n.id || !c.set.Has(n.id) {
		return
	}
	n.w.counts["handed over"]++
	n.w.hand(n)
}

// offer has a primary that stops offer its lease to the standby.
func (n *node) offer() {
	if n.state == nil || n.stopped || n.state.Term() == 0 {
		return
	}
	n.leaving = true
	n.on(decide.LeaveBegun{})
	_, effects := n.state.OfferLease(n.at, true)
	n.carryOut(effects)
}

// pass lets time go by, in which everything happens that no fault keeps from happening, in order.
func (w *world) pass(d time.Duration) {
	for range max(1, d/decide.TickEvery) {
		for _, n := range w.nodes {
			n.tick(decide.TickEvery)
			n.become()
		}
		for range 3 {
			w.round()
		}
	}
}

// round has every node do what is due.
func (w *world) round() {
	for _, n := range w.nodes {
		n.see()
		n.endOverdue()
		n.open()
		n.replicate(1000)
		n.readFeed()
		n.deliverFeed()
		n.readPosition()
		n.dial()
		n.sendReport(true)
	}
	for _, l := range w.lines {
		for len(l.reports) > 0 && l.toOpen && !l.to.stopped && !l.from.silent {
			l.receive()
		}
		if !l.fromOpen || l.epoch != l.to.epoch {
			l.close()
		}
		l.to.sendHeartbeat(l)
		for len(l.heartbeats) > 0 && l.fromOpen && !l.from.stopped && !l.from.silent {
			l.follow()
		}
		if !l.toOpen && l.from.line == l {
			l.from.hangUp()
		}
	}
	w.sweep()
	for _, n := range w.nodes {
		w.reach(n)
		if n.leftOver != nil {
			w.reach(n.leftOver)
		}
	}
}

// reach has Consul do what a node has asked for, and the node receive the answer.
func (w *world) reach(n *node) {
	w.do(n)
	if n.call != nil && (n.call.event != nil || n.cut) && !n.stopped {
		w.answer(n)
	}
}
