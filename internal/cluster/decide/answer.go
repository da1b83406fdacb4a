package decide

import (
	"slices"

	"blog/internal/repo"
)

// waiter is an answer that waits until it may be given.
type waiter struct {
	id       uint64
	row      repo.Cursor
	write    bool   // it is the answer to the write at row
	number   uint64 // of the newest heartbeat that had been sent when it began to wait
	question uint64 // of the newest question to Consul that had been asked then
}

func (e AnswerWanted) apply(s *State, at Instant) {
	t := s.term
	if t == nil || t.number != e.Term { // another term has another history
		s.emit(RefuseAnswer{e.Waiter})
		return
	}
	s.register(e.Row, at)
	t.waiters = append(t.waiters, &waiter{
		id: e.Waiter, row: e.Row, write: e.Write, number: s.heartbeats, question: t.questions,
	})
}

func (e AnswerWithdrawn) apply(s *State, _ Instant) {
	if t := s.term; t != nil {
		t.waiters = slices.DeleteFunc(t.waiters, func(w *waiter) bool { return w.id == e.Waiter })
	}
}

// decideAnswers lets the answers be given that may be.
func (s *State) decideAnswers(at Instant) {
	t := s.term
	t.waiters = slices.DeleteFunc(t.waiters, func(w *waiter) bool {
		given := s.mayAnswer(w)
		if given {
			s.emit(GiveAnswer{Waiter: w.id, Assurance: t.assurance()})
		}
		return given
	})
}

// mayAnswer reports whether an answer may be given: when its row lasts. Unless it is the
// answer to a write that others have, there must also be something of after it was wanted, an
// echo of theirs or Consul's answer. What it lacks is asked for. Which question came before the
// answer began to wait their numbers say: two events may be of one Instant.
func (s *State) mayAnswer(w *waiter) bool {
	t := s.term
	lasts := t.lasts(w.row, s.config.Policy)
	enough := lasts && (w.write && len(t.needed) > 0 || t.confirmed > w.question || s.echoed(w.number))
	if enough {
		return true
	}
	if !w.write {
		for _, id := range t.needed {
			if p := s.peers[id]; p != nil {
				p.wanted = max(p.wanted, w.number+1)
				s.sendWanted(id)
			}
		}
	}
	if lasts {
		t.wanted = max(t.wanted, w.question+1)
	}
	return false
}

// lasts reports whether a row is wherever it has to be: on every node that may be in the sync
// set, or this node is alone in there.
func (t *term) lasts(row repo.Cursor, p Policy) bool {
	if t.broken || t.unsure || t.marks[row.Seq] != row.Mark {
		return false
	}
	for _, id := range t.needed {
		if t.covered[id] < row.Seq {
			return false
		}
	}
	return len(t.needed) > 0 || p != Strict
}

// echoed reports whether all needed nodes have echoed a heartbeat later than the one with that
// number, with a copy of this term's history. Whoever may have been elected in this node's
// place is among them, and had not begun a term then: no clock is asked, since this machine's
// may have stood still, and no moment of arrival, since a report may have waited in a buffer.
func (s *State) echoed(number uint64) bool {
	t := s.term
	for _, id := range t.needed {
		p := s.peers[id]
		if p == nil || p.epoch != t.epoch || p.echoed <= number || t.marks[p.cursor.Seq] != p.cursor.Mark {
			return false
		}
	}
	return len(t.needed) > 0
}
