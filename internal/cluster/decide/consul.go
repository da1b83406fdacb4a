package decide

import (
	"log/slog"
	"slices"

	"blog/internal/litefs"
)

// request is what this term has asked of Consul, or of its LiteFS node, and what the answer
// is for.
type request struct {
	number uint64 // of the question that it is, or that it belongs to
	sent   Instant
	change *setChange // the decision about the set that it carries out; nil: none
}

// ask notes that Consul is asked something.
func (t *term) ask(change *setChange, at Instant) {
	t.questions++
	t.request = &request{number: t.questions, sent: at, change: change}
}

// decide finds which answers may be given by now, and what to ask Consul next.
func (s *State) decide(at Instant) {
	t := s.term
	idle := t.request == nil && !t.paused && at >= t.resumes
	var change *setChange
	if idle {
		change = s.nextSet(at)
	}
	s.decideAnswers(at)
	switch {
	case !idle:
	case change != nil:
		s.requestChange(change, at)
	case t.inQuestion() || at-t.verified >= verifyEvery:
		t.ask(nil, at)
		s.emit(ReadStanding{})
	}
}

// inQuestion reports whether an answer waits for Consul's.
func (t *term) inQuestion() bool {
	return t.doubt || t.unsure || t.broken || t.confirmed < t.wanted
}

// requestChange carries a decision out. Until Consul has answered nothing is acknowledged
// that the set before, or the one to come, would not allow.
func (s *State) requestChange(d *setChange, at Instant) {
	t := s.term
	members := t.members(d)
	t.tried = members
	t.ask(d, at)
	s.emit(WriteSet{litefs.SyncChange{
		Term: t.lease, Index: t.set.Index, Members: members, Seq: t.newest.Seq,
		Positions: t.positions(d.out), Required: t.required(members),
	}})
}

// answered returns the request that a result belongs to, nil where it is of another term: it
// is then the present term's to find out what the set is. Consul is not asked again before
// the next Tick, unless the result says otherwise.
func (s *State) answered(term uint64) *request {
	if s.Term() != term || s.term.request == nil {
		return nil
	}
	r := s.term.request
	s.term.request, s.term.paused = nil, true
	return r
}

func (e SetWritten) apply(s *State, at Instant) {
	r := s.answered(e.Term)
	if r == nil {
		return
	}
	if r.change == nil { // it was written once more
		if e.Err == nil {
			s.confirm(r, e.Set, at)
		}
		return
	}
	t := s.term
	if e.Err != nil {
		// Whatever the error is, Consul knows best what the set is now.
		t.doubt = true
		to := s.names(&litefs.SyncSet{Members: t.tried})
		s.log(slog.LevelWarn, "the sync set could not be changed", "to", to, "err", e.Err)
		return
	}
	t.set, t.tried, t.join, t.confirmed = e.Set, nil, nil, r.number
	t.updateNeeded()
	attrs := []any{"why", r.change.why, "sync_set", s.names(&t.set), "seq", e.Set.Seq}
	if r.change.in != nil {
		s.log(slog.LevelInfo, "the standby is in the sync set: acknowledgements rest on two nodes", attrs...)
		return
	}
	out := s.names(&litefs.SyncSet{Members: []litefs.Member{*r.change.out}})
	s.log(slog.LevelWarn, "the standby is out of the sync set: acknowledgements rest on this node alone",
		append(attrs, "standby", out[0])...)
}

// apply decides what follows from Consul's answer. Where a change that is in doubt may still
// be on its way to Consul the set is written once more as it is: that moves its index on, and
// the late change fails. Where Consul has a set that this term did not write, nothing is
// acknowledged before this term's set is in its place.
func (e StandingRead) apply(s *State, at Instant) {
	r := s.answered(e.Term)
	if r == nil {
		return
	}
	t, now := s.term, e.Standing
	t.verified = r.sent
	switch {
	case e.Err != nil: // asked again at the next Tick
	case !now.Primary || now.Term != t.lease || !now.Set.Has(t.self.ID):
		s.termLost(now, at)
	case t.broken:
		s.giveUp(now.Term, at)
	default:
		s.establish(r, *now.Set, at)
	}
}

// establish makes certain that Consul has the set of this term, and that no earlier change can
// alter it any more; read is what Consul had. Consul checks the lock in the transaction in
// which the set is written, which says that nobody was elected by the set that was there.
func (s *State) establish(r *request, read litefs.SyncSet, at Instant) {
	t := s.term
	from, foreign := t.recognize(read)
	if foreign {
		if !t.unsure {
			s.warnForeign(t, &read)
		}
		t.doubt, t.unsure = true, true
	}
	if !foreign && (!t.doubt || read.Index != t.set.Index) {
		s.confirm(r, from, at)
		return
	}
	if t.tried == nil {
		t.tried = from.Members
	}
	t.request = &request{number: r.number, sent: r.sent} // the question that was answered came before
	s.emit(WriteSet{litefs.SyncChange{
		Term: t.lease, Index: from.Index, Members: from.Members, Seq: t.newest.Seq,
		Positions: from.Positions, Required: from.Required,
	}})
}

// confirm notes that at the moment of the request the lease was held and the set is this
// term's, unless this process has been stopped since.
func (s *State) confirm(r *request, set litefs.SyncSet, at Instant) {
	t := s.term
	if t.awake > r.sent {
		return
	}
	t.confirmed = r.number
	if t.doubt || t.unsure {
		t.doubt, t.unsure, t.tried, t.set, t.join = false, false, nil, set, nil
		t.updateNeeded()
	}
	t.paused, t.resumes = false, at+askAgain
	s.emit(Wake{After: askAgain})
}

// recognize returns the set from which this term goes on where Consul has set. Those that
// this term wrote are that one, and none of them is at an index before the last that it knows;
// foreign says that Consul's is none of them. Then it is the one that this term wrote last, to
// be written in the place of Consul's: each of its members has every row that was acknowledged.
func (t *term) recognize(set litefs.SyncSet) (from litefs.SyncSet, foreign bool) {
	same := slices.Equal(set.Members, t.set.Members)
	switch {
	case same && set.Index == t.set.Index:
		return set, false
	case set.Index > t.set.Index && t.tried != nil && (same || slices.Equal(set.Members, t.tried)):
		return set, false
	}
	from = t.set
	from.Index = set.Index
	return from, true
}

func (s *State) warnForeign(t *term, set *litefs.SyncSet) {
	s.log(slog.LevelWarn, "what Consul has is not the sync set of this term: it was restored from a snapshot, or "+
		"somebody has written there. The set is written again before anything is acknowledged; what was acknowledged "+
		"before that is lost if another node is elected first",
		"term", t.lease, "sync_set", s.names(set), "of_this_term", s.names(&t.set))
}

// termLost notes that the LiteFS node or Consul know nothing of this term any more. The role
// changes soon, or, where an operator has chosen another node, because the lease is given up.
func (s *State) termLost(now litefs.Standing, at Instant) {
	t := s.term
	if !t.broken {
		s.log(slog.LevelWarn, "this term is over", "term", t.lease, "now", now.Term, "sync_set", s.NameList(now.Set))
	}
	t.broken = true
	if now.Primary && !now.Set.Has(t.self.ID) {
		s.giveUp(now.Term, at)
	}
}

func (s *State) giveUp(lease string, at Instant) {
	s.term.ask(nil, at)
	s.emit(GiveUpLease{litefs.Giving{Term: lease}})
}

func (e LeaseGivenUp) apply(s *State, _ Instant) {
	if s.answered(e.Term) != nil && e.Err != nil {
		s.log(slog.LevelWarn, "give the lease up", "err", e.Err)
	}
}
