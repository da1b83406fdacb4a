package decide

import (
	"log/slog"
	"time"
)

// uplink is this node's connection to a primary. There is one at a time.
type uplink struct {
	open     bool
	terms    uint64 // that this node had begun before
	newest   uint64 // number of the newest heartbeat that has come over it
	reported Report // the newest report, without Info
	due      bool   // SendReport has been returned, and NextReport not been asked for since
	farewell bool   // a report that says that this node leaves has gone out
}

func (Dialed) apply(s *State, _ Instant) {
	// The first report goes out by itself, when the database has been read.
	s.uplink = uplink{open: true, terms: s.terms, due: true}
}

func (HungUp) apply(s *State, _ Instant) { s.uplink = uplink{} }

// NextReport returns the report that is to be sent now; whole is one with Info. wall is this
// machine's clock, and problem what is wrong with it. ok is false where the uplink has to end:
// this node has begun a term since it came up, and an echo says that it has not.
func (s *State) NextReport(whole bool, wall time.Time, problem string) (rep Report, ok bool) {
	u := &s.uplink
	if u.terms != s.terms {
		return Report{}, false
	}
	u.due = false
	rep = Report{Cursor: s.position, Leaving: s.leaving, Echo: u.newest}
	u.reported = rep
	if whole {
		info := s.self
		info.Clock, info.Problem = wall.UTC(), problem
		rep.Info = &info
	}
	return rep, true
}

// reportChange has a report sent at once where the newest one is not true any more, or where
// the uplink has to end.
func (s *State) reportChange() {
	u := &s.uplink
	if !u.open || u.due {
		return
	}
	if u.reported != (Report{Cursor: s.position, Leaving: s.leaving, Echo: u.newest}) || u.terms != s.terms {
		u.due = true
		s.emit(SendReport{})
	}
}

func (e ReportSent) apply(s *State, _ Instant) {
	s.uplink.farewell = s.uplink.farewell || e.Report.Leaving
}

func (LeaveBegun) apply(s *State, _ Instant) { s.leaving = true }

// HasLeft reports whether the primary has been sent that this node leaves, or there is nobody
// to send it to.
func (s *State) HasLeft() bool { return !s.uplink.open || s.uplink.farewell }

// apply accepts a heartbeat of the primary.
func (e HeartbeatReceived) apply(s *State, at Instant) {
	if s.term != nil { // it was on its way when this node became primary itself
		return
	}
	h, before := e.Heartbeat, s.primary.Problem
	s.uplink.newest = max(s.uplink.newest, h.Number)
	s.primary, s.heartbeatAt = h, at
	if h.Leaving != "" {
		s.left[h.Leaving] = at
	}
	// This node may be the next primary, and knows others from a time when it was primary itself.
	for _, id := range h.Forgotten {
		if p := s.peers[id]; p != nil && p.uplinks == 0 {
			delete(s.peers, id)
		}
	}
	if !h.Clock.IsZero() {
		s.emit(FollowClock{h.Clock})
	}
	if h.Problem != "" && h.Problem != before {
		s.log(slog.LevelError, h.Problem)
	}
	if h.Promote && s.config.SyncSet {
		s.emit(AcquireLease{})
	}
}

func (e UplinkFailed) apply(s *State, _ Instant) {
	if s.primary.Problem != e.Problem {
		s.log(slog.LevelError, e.Problem, "err", e.Err)
	}
	s.primary.Problem = e.Problem
}

// NextHeartbeat returns the heartbeat that is to be sent to a node now, with a number of its
// own. clock is this node's time where a second node's clock agrees with it, else zero.
func (s *State) NextHeartbeat(to string, at Instant, clock time.Time) Heartbeat {
	p := s.peers[to]
	s.heartbeats++
	p.sent, p.due = s.heartbeats, false
	h := Heartbeat{
		From: s.self.ID, Number: s.heartbeats, Cursor: s.position, Problem: s.problem(p, at), Clock: clock,
		Forgotten: s.forgottenIDs(),
	}
	if t := s.term; t != nil {
		h.Durability, h.SyncSet, h.StandbySeq = string(t.assurance()), s.names(&t.set), t.standbySeq()
		h.InSet = t.set.Has(to)
		if p.offered == t.number {
			h.Promote, h.Leaving = true, t.self.ID
		}
	}
	p.offered = 0
	return h
}

// Offer says what became of OfferLease.
type Offer int

// The offers.
const (
	NoStandby Offer = iota // nobody in the sync set is there to become primary
	NotYet                 // the standby does not have everything, or was asked a moment ago
	Offered                // its next heartbeat asks the standby to become primary
)

// OfferLease has the standby in the sync set asked to become primary, if it has everything and
// due says that it was not asked a moment ago. The writing has ended before.
func (s *State) OfferLease(at Instant, due bool) (Offer, []Effect) {
	id, complete := s.successor(at)
	switch {
	case id == "":
		return NoStandby, nil
	case !complete || !due:
		return NotYet, nil
	}
	s.peers[id].offered = s.term.number
	s.sendHeartbeat(id)
	effects := s.effects
	s.effects = nil
	return Offered, effects
}

// successor returns the live standby in the sync set, "" when there is none, and whether it has
// everything.
func (s *State) successor(at Instant) (id string, complete bool) {
	t := s.term
	if t == nil {
		return "", false
	}
	for _, m := range t.set.Members {
		p := s.peers[m.ID]
		if m.ID != t.self.ID && p != nil && p.live(at) && !p.leaving {
			return m.ID, t.covered[m.ID] >= t.newest.Seq
		}
	}
	return "", false
}
