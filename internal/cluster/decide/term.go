package decide

import (
	"log/slog"
	"slices"
	"strings"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// term is one time of this node as primary.
type term struct {
	number uint64 // of this node's terms
	self   litefs.Member
	lease  string // the name of the holding of the lease, which may have several terms
	epoch  Epoch
	since  Instant
	set    litefs.SyncSet // as Consul has it, as far as is known

	// needed are the nodes, by id and in order, without whose report nothing is acknowledged:
	// all other members of the set, and of any set that it may be by now.
	needed []string
	// doubt says that the outcome of a change is not known: Consul is asked before anything
	// else. tried are then the members that it would have made.
	doubt bool
	tried []litefs.Member
	// unsure says that somebody may have been elected whom this term does not wait for: this
	// process was stopped for so long that the lease may be over, or Consul has a set that
	// this term did not write. Nothing is acknowledged before Consul has said otherwise.
	unsure bool
	// ran is when this process last ran for certain, awake when it last began to run again.
	ran, awake Instant
	// broken says that this term cannot go on; only a new one can.
	broken bool

	// questions is the number of the newest question to Consul: a reading of the standing, or a
	// change. wanted is the least one of which an answer waits for Consul's answer: a replay or a
	// refusal, or any answer of a primary that is alone. confirmed is that of the newest one whose
	// answer was that the lease is still held.
	questions, wanted, confirmed uint64
	verified                     Instant // when Consul was asked last
	// request is what is under way to Consul, nil where nothing is. Nothing more is asked
	// before resumes, or before the next Tick where paused is true.
	request *request
	resumes Instant
	paused  bool

	// before is the id of the primary before this node, and beforeHeard when its last
	// heartbeat came.
	before      string
	beforeHeard Instant
	join        *joining

	marks  map[int64]repo.Mark // rows of this history: the newest when the term began, and all since
	newest repo.Cursor
	// behind is, by id, since when a node's copy has not moved although there is more.
	behind  map[string]Instant
	covered map[string]int64 // by id: up to which seq its copy is this history

	waiters []*waiter // in the order in which they came
}

// joining is a standby that is about to come into the set: what is acknowledged meanwhile
// waits for it already.
type joining struct {
	id     string
	target int64 // the newest write when it began
	until  Instant
}

// apply begins a term. The one before is over: a term that acts without hearing of the
// rows that its successor acknowledges would count a standby as complete that lacks them.
func (e TermBegun) apply(s *State, at Instant) {
	s.endTerm()
	s.terms++
	t := &term{
		number: s.terms, self: e.Self, lease: e.Lease, epoch: e.Epoch, since: at, ran: e.Asked, awake: at, set: e.Set,
		before: s.primary.From, beforeHeard: s.heartbeatAt,
		marks: map[int64]repo.Mark{}, behind: map[string]Instant{}, covered: map[string]int64{},
	}
	t.noticeSleep(at) // since Consul was asked another may have been elected
	t.updateNeeded()
	s.primary = Heartbeat{}
	for id, left := range s.left {
		if at-left > leftFor {
			delete(s.left, id)
		}
	}
	s.term, s.last = t, t
	s.register(e.Newest, at)
	s.position = e.Newest
	s.log(slog.LevelInfo, "this node begins a term", "term", t.lease, "sync_set", s.NameList(&t.set), "seq", e.Newest.Seq)
}

func (e TermEnded) apply(s *State, _ Instant) {
	if s.term != nil && s.term.number == e.Term {
		s.endTerm()
	}
}

// endTerm ends the term that there is, if any: it acts no more, and what waits for it is
// refused.
func (s *State) endTerm() {
	if s.term == nil {
		return
	}
	for _, w := range s.term.waiters {
		s.emit(RefuseAnswer{w.id})
	}
	s.term.waiters, s.term = nil, nil
}

// Term returns the number of the term that this node is in, 0 where it is in none.
func (s *State) Term() uint64 {
	if s.term == nil {
		return 0
	}
	return s.term.number
}

// MayAcknowledge reports whether the term that this node is in may acknowledge, and that term's lease. It may not while
// somebody may have been elected whom it does not wait for. Without a term the lease is empty.
func (s *State) MayAcknowledge() (lease string, may bool) {
	if s.term == nil {
		return "", false
	}
	return s.term.lease, !s.term.unsure && !s.term.broken
}

// Asked is what this node has sent to the others and asked of Consul up to a moment. What is answered to later numbers
// shows how things were after that moment.
type Asked struct{ Heartbeats, Questions uint64 }

// Asked returns what this node has asked so far, in the term that it is in.
func (s *State) Asked() Asked {
	a := Asked{Heartbeats: s.heartbeats}
	if s.term != nil {
		a.Questions = s.term.questions
	}
	return a
}

// Shown reports whether it is known that at a moment after since nobody else's term had begun: the others whom this
// term waits for have echoed a heartbeat, or Consul has answered a question, that was asked since.
func (s *State) Shown(since Asked) bool {
	return s.term != nil && (s.term.confirmed > since.Questions || s.echoed(since.Heartbeats))
}

// noticeSleep notes that this process runs, and when it has not.
func (t *term) noticeSleep(at Instant) {
	if at-t.ran > Slept {
		t.unsure, t.awake = true, at
	}
	t.ran = at
}

func (Tick) apply(s *State, _ Instant) {
	if s.term != nil {
		s.term.paused = false
	}
}

// assurance says what an acknowledgement rests on now.
func (t *term) assurance() repo.Assurance {
	if len(t.set.Members) > 1 {
		return repo.Two
	}
	return repo.Alone
}

// updateNeeded makes needed follow from the set and from who joins.
func (t *term) updateNeeded() {
	t.needed = nil
	for _, m := range t.set.Members {
		if m.ID != t.self.ID {
			t.needed = append(t.needed, m.ID)
		}
	}
	if t.join != nil {
		t.needed = append(t.needed, t.join.id)
	}
	slices.Sort(t.needed)
}

// maxMarks is how many of a term's rows are remembered: a standby that is further behind
// is not about to be waited for.
const maxMarks = 20_000

// register notes a row of this term's history, and which standbys have it: their report may
// have come before the commit returned here.
func (s *State) register(row repo.Cursor, at Instant) {
	t := s.term
	if row.Zero() || t.marks[row.Seq] == row.Mark {
		return
	}
	if _, known := t.marks[row.Seq]; known {
		t.broken = true // cannot be: nobody rewrites the history of a term
		s.log(slog.LevelError, "the history was rewritten within a term", "seq", row.Seq)
		return
	}
	t.marks[row.Seq] = row.Mark
	delete(t.marks, row.Seq-maxMarks)
	if row.Seq > t.newest.Seq {
		t.newest = row
	}
	for id, p := range s.peers {
		if p.epoch == t.epoch {
			t.cover(id, p.cursor, at)
		}
	}
}

// has reports whether a row is of this term's history, as far as it is remembered.
func (t *term) has(row repo.Cursor) bool {
	mark, known := t.marks[row.Seq]
	return known && mark == row.Mark
}

// cover notes that the copy of the node with that id has reached a row, if it is one of
// this history.
func (t *term) cover(id string, row repo.Cursor, at Instant) {
	if t.has(row) && row.Seq > t.covered[id] {
		t.covered[id] = row.Seq
		delete(t.behind, id)
	}
	switch _, waited := t.behind[id]; {
	case t.covered[id] >= t.newest.Seq:
		delete(t.behind, id)
	case !waited:
		t.behind[id] = at
	}
}

// standbySeq is up to which write the others in the set have this history.
func (t *term) standbySeq() int64 {
	var seq int64
	for _, m := range t.set.Members {
		if m.ID != t.self.ID {
			seq = max(seq, t.covered[m.ID])
		}
	}
	return seq
}

// NameList returns the names of the members for people.
func (s *State) NameList(set *litefs.SyncSet) string {
	return "[" + strings.Join(s.names(set), " ") + "]"
}

// names calls nodes what they call themselves, as far as that is known.
func (s *State) names(set *litefs.SyncSet) []string {
	if set == nil {
		return nil
	}
	var out []string
	for _, m := range set.Members {
		name := m.Name
		if p := s.peers[m.ID]; p != nil && p.info.Node != "" {
			name = p.info.Node
		}
		if m.ID == s.self.ID {
			name = s.self.Node
		}
		out = append(out, name)
	}
	return out
}
