package decide_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// primary is a primary called P in its first term, with a Consul that answers at once.
type primary struct {
	t       *testing.T
	s       *decide.State
	at      decide.Instant
	set     litefs.SyncSet      // as Consul has it
	written []litefs.SyncChange // what P has asked for, in order
	asked   int                 // how often it has asked for the standing
	gaveUp  int
	given   map[uint64]repo.Assurance
	hearts  []string // to whom a heartbeat was sent at once
	waiters uint64

	deaf bool // Consul does not answer: what P asks for stays in call
	call decide.Effect
}

// row is a row of P's history.
func row(seq int64) repo.Cursor {
	if seq == 0 {
		return repo.Cursor{}
	}
	return marked(seq, 1)
}

// otherRow is one of another history.
func otherRow(seq int64) repo.Cursor { return marked(seq, 2) }

// marked is a row of the history with that number.
func marked(seq int64, history byte) repo.Cursor {
	row := repo.Cursor{Seq: seq, Mark: repo.Mark{history}}
	binary.BigEndian.PutUint64(row.Mark[1:], uint64(seq)) //nolint:gosec // a small number
	return row
}

func members(ids ...string) []litefs.Member {
	var out []litefs.Member
	for _, id := range ids {
		out = append(out, litefs.Member{ID: id, Name: id})
	}
	return out
}

// MustPrimary begins a term with that newest row and a set of P and the others.
func MustPrimary(t *testing.T, c decide.Config, newest int64, others ...string) *primary {
	t.Helper()
	p := &primary{
		t: t, s: decide.New(c), at: begins, given: map[uint64]repo.Assurance{},
		set: litefs.SyncSet{Members: members(append([]string{"P"}, others...)...), Index: 7},
	}
	p.on(decide.InfoRead{Info: decide.Info{ID: "P", Node: "P", Region: "fra", Candidate: true}})
	p.begin(newest)
	return p
}

// begin begins the next term.
func (p *primary) begin(newest int64) {
	p.t.Helper()
	p.on(decide.TermBegun{Self: members("P")[0], Lease: "1", Epoch: 1, Set: p.set, Newest: row(newest), Asked: p.at})
	if p.s.Term() == 0 {
		p.t.Fatal("no term has begun, want one")
	}
}

func (p *primary) on(e decide.Event) {
	for _, effect := range p.s.On(p.at, e) {
		switch e := effect.(type) {
		case decide.GiveAnswer:
			p.given[e.Waiter] = e.Assurance
		case decide.SendHeartbeat:
			p.hearts = append(p.hearts, e.To)
		case decide.ReadStanding, decide.WriteSet, decide.GiveUpLease:
			p.call = e
			p.answerCall()
		}
	}
}

// answerCall has Consul do what P asks for.
func (p *primary) answerCall() {
	if p.deaf || p.call == nil {
		return
	}
	call := p.call
	p.call = nil
	switch e := call.(type) {
	case decide.ReadStanding:
		p.asked++
		set := p.set
		p.on(decide.StandingRead{Term: p.s.Term(), Standing: litefs.Standing{Primary: true, Term: "1", Set: &set}})
	case decide.WriteSet:
		p.written = append(p.written, e.Change)
		p.set = litefs.SyncSet{
			Members: e.Change.Members, Seq: e.Change.Seq, Positions: e.Change.Positions, Required: e.Change.Required,
			Index: e.Change.Index + 1,
		}
		p.on(decide.SetWritten{Term: p.s.Term(), Set: p.set})
	case decide.GiveUpLease:
		p.gaveUp++
		p.on(decide.LeaseGivenUp{Term: p.s.Term()})
	}
}

// connect opens an uplink of a candidate, which reports that newest row.
func (p *primary) connect(id string, newest int64, changes ...func(*decide.Info)) {
	p.on(decide.UplinkOpened{ID: id})
	info := decide.Info{ID: id, Node: id, Region: "fra", Candidate: true}
	for _, f := range changes {
		f(&info)
	}
	p.report(id, decide.Report{Cursor: row(newest), Info: &info})
}

func (p *primary) report(id string, rep decide.Report) {
	p.on(decide.ReportReceived{ID: id, Report: rep, Epoch: 1})
}

// pass lets time go by, in which those nodes report that they have those rows.
func (p *primary) pass(d time.Duration, reports map[string]int64) {
	for range d / decide.TickEvery {
		p.at += decide.TickEvery
		for _, id := range slices.Sorted(mapsKeys(reports)) {
			p.report(id, decide.Report{Cursor: row(reports[id])})
		}
		p.on(decide.Tick{})
	}
}

// want has an answer wait, and returns its number.
func (p *primary) want(newest repo.Cursor, write bool) uint64 {
	p.at += time.Millisecond
	p.waiters++
	p.on(decide.AnswerWanted{Term: p.s.Term(), Waiter: p.waiters, Row: newest, Write: write})
	p.at += time.Millisecond
	return p.waiters
}

// answer is what an answer rests on, "" while it waits.
func (p *primary) answer(number uint64) repo.Assurance { return p.given[number] }

// wantAnswer fails unless an answer rests on want, "" where it is to wait.
func (p *primary) wantAnswer(number uint64, want repo.Assurance) {
	p.t.Helper()
	if got := p.answer(number); got != want {
		p.t.Errorf("answer %d rests on %q, want on %q", number, got, want)
	}
}

// inSet are the ids of the set.
func (p *primary) inSet() []string {
	var ids []string
	for _, m := range p.set.Members {
		ids = append(ids, m.ID)
	}
	return ids
}
