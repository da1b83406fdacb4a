package decide_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// says answers P's question with what Consul has.
func (p *primary) says(now litefs.Standing) {
	p.t.Helper()
	if !p.until(func(e decide.Effect) bool { _, is := e.(decide.ReadStanding); return is }) {
		p.t.Fatal("P asks nothing, want a question")
	}
	p.call = nil
	p.on(decide.StandingRead{Term: p.s.Term(), Standing: now})
}

// TestWhatConsulSays has the rows of DESIGN.md.
func TestWhatConsulSays(t *testing.T) {
	held := func(index uint64, ids ...string) litefs.Standing {
		return litefs.Standing{Primary: true, Term: "1", Set: &litefs.SyncSet{Members: members(ids...), Index: index}}
	}
	// inDoubt is a P that has asked for S to be removed, and got no answer.
	inDoubt := func(t *testing.T) *primary {
		t.Helper()
		p := MustPrimary(t, usual(), 5, "S")
		p.connect("S", 5)
		p.report("S", decide.Report{Cursor: row(5)})
		p.deaf = true
		p.report("S", decide.Report{Cursor: row(5), Leaving: true})
		if !p.until(isWrite) {
			t.Fatal("P writes no set, want one without S")
		}
		p.answerNothing()
		return p
	}
	wantWrite := func(t *testing.T, p *primary, index uint64, ids ...string) {
		t.Helper()
		w, is := p.call.(decide.WriteSet)
		if !is {
			t.Errorf("P asks for %+v, want a set of %v at index %d", p.call, ids, index)
			return
		}
		if w.Change.Index != index {
			t.Errorf("P writes at the index %d, want %d", w.Change.Index, index)
		}
		if diff := cmp.Diff(members(ids...), w.Change.Members); diff != "" {
			t.Errorf("P writes a set of (-want +got):\n%s", diff)
		}
	}
	table(t, "Consul says", map[string]func(t *testing.T){
		"that the lock is this term's and the set the one that it wrote last": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.until(isQuestion)
			write := p.want(row(6), true)
			p.deaf = false
			p.answerCall() // it was asked before
			p.deaf = true
			if got := p.answer(write); got != "" {
				t.Errorf("an answer from before lets one rest on %q, want none", got)
			}
			p.says(held(7, "P"))
			if got := p.answer(write); got != repo.Alone {
				t.Errorf("the answer rests on %q, want %q", got, repo.Alone)
			}
		},
		"that the set is the one that a change without an answer would have made": func(t *testing.T) {
			t.Helper()
			p := inDoubt(t)
			write := p.want(row(6), true)
			p.set = *held(8, "P").Set
			p.says(held(8, "P"))
			p.deaf = false
			p.pass(time.Second, nil)
			p.wantAnswer(write, repo.Alone)
			if len(p.written) != 0 {
				t.Errorf("P has written %v, want nothing", p.written)
			}
		},
		"that the set is as before a change without an answer": func(t *testing.T) {
			t.Helper()
			p := inDoubt(t)
			p.says(held(7, "P", "S"))
			wantWrite(t, p, 7, "P", "S")
		},
		"that the set is any other, or one of an earlier index": func(t *testing.T) {
			t.Helper()
			for _, now := range []litefs.Standing{
				held(5, "P", "S"), held(9, "P", "S"), held(9, "P", "C"), held(9, "P"), held(5, "P"),
			} {
				p := MustPrimary(t, usual(), 5)
				p.until(isQuestion)
				write, refusal := p.want(row(6), true), p.want(row(5), false)
				p.says(now)
				wantWrite(t, p, now.Set.Index, "P")
				p.pass(time.Second, nil)
				for _, number := range []uint64{write, refusal} {
					if got := p.answer(number); got != "" {
						t.Errorf("while Consul has %v an answer rests on %q, want none", now.Set, got)
					}
				}
				p.set = *now.Set
				p.deaf = false
				p.answerCall()
				p.pass(time.Second, nil)
				p.wantAnswer(write, repo.Alone)
				p.wantAnswer(refusal, repo.Alone)
			}
			p := MustPrimary(t, usual(), 5) // what waits since the set is being written needs another answer
			p.until(isQuestion)
			p.set = *held(9, "P", "C").Set
			p.says(held(9, "P", "C"))
			refusal := p.want(row(5), false)
			p.deaf = false
			p.answerCall()
			if got := p.answer(refusal); got != "" {
				t.Errorf("a set that was written before lets an answer rest on %q, want none", got)
			}
			p = MustPrimary(t, usual(), 5, "S") // C could be elected, and lacks what S has
			p.connect("S", 5)
			p.until(isQuestion)
			p.says(held(9, "P", "C"))
			wantWrite(t, p, 9, "P", "S")
			write := p.want(row(6), true)
			p.report("S", decide.Report{Cursor: row(6)})
			if got := p.answer(write); got != "" {
				t.Errorf("an answer rests on %q while Consul has another set, want none", got)
			}
			p.set = *held(9, "P", "C").Set
			p.deaf = false
			p.answerCall()
			if got := p.answer(write); got != repo.Two {
				t.Errorf("the answer rests on %q, want %q", got, repo.Two)
			}
			p = inDoubt(t) // the members of a change that is known not to have been made
			p.says(held(7, "P", "S"))
			p.set = *held(7, "P", "S").Set
			p.deaf = false
			p.answerCall()
			p.deaf = true
			p.report("S", decide.Report{Cursor: row(5)})
			p.says(held(12, "P"))
			wantWrite(t, p, 12, "P", "S")
			p = inDoubt(t) // the members that it asked for, at an index before
			p.says(held(5, "P"))
			wantWrite(t, p, 5, "P", "S")
		},
		"that the lock is another's": func(t *testing.T) {
			t.Helper()
			for _, now := range []litefs.Standing{
				{Set: &litefs.SyncSet{Members: members("P", "S"), Index: 7}},
				{Primary: true, Term: "2", Set: &litefs.SyncSet{Members: members("P", "S"), Index: 7}},
			} {
				p := MustPrimary(t, usual(), 5, "S")
				p.connect("S", 5)
				lease, may := p.s.MayAcknowledge()
				if lease != "1" {
					t.Errorf("the lease is %q, want %q", lease, "1")
				}
				if !may {
					t.Error("it may not acknowledge, want that it may")
				}
				p.says(now)
				if _, may = p.s.MayAcknowledge(); may {
					t.Error("it may acknowledge, want it not to")
				}
				write := p.want(row(6), true)
				p.report("S", decide.Report{Cursor: row(6)})
				p.wantAnswer(write, "")
				if p.gaveUp != 0 {
					t.Errorf("the lease is given up %d times, want 0", p.gaveUp)
				}
			}
		},
		"that this node is outside the set": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.until(isQuestion)
			p.deaf = false
			p.says(held(9, "S"))
			if _, is := p.call.(decide.GiveUpLease); !is {
				t.Errorf("P asks for %+v, want to give up its lease", p.call)
			}
		},
		"nothing": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.until(isQuestion)
			write := p.want(row(6), true)
			for range 3 {
				p.answerNothing()
				if p.call != nil {
					t.Errorf("P asks for %+v at once, want nothing", p.call)
				}
				p.pass(decide.TickEvery, nil)
				if !isQuestion(p.call) {
					t.Errorf("P asks for %+v, want a question", p.call)
				}
				p.wantAnswer(write, "")
			}
		},
		"something that it was asked before this process was stopped": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.until(isQuestion)
			p.answerNothing()
			write := p.want(row(6), true)
			p.until(isQuestion)
			p.at += time.Hour
			p.call = nil
			p.on(decide.StandingRead{Term: p.s.Term(), Standing: held(7, "P")})
			if got := p.answer(write); got != "" {
				t.Errorf("an answer rests on %q, want none", got)
			}
			p.deaf = false
			p.pass(time.Second, nil)
			if got := p.answer(write); got != repo.Alone {
				t.Errorf("the answer rests on %q, want %q", got, repo.Alone)
			}
		},
	})
}

func isQuestion(e decide.Effect) bool {
	_, is := e.(decide.ReadStanding)
	return is
}

// TestOneQuestionIsEnough where it is asked because of an answer that waits: Consul is asked after that began, however
// little the clock moves meanwhile, and not asked again.
func TestOneQuestionIsEnough(t *testing.T) {
	for _, write := range []bool{true, false} {
		p := MustPrimary(t, usual(), 5)
		p.pass(decide.TickEvery, nil)
		if p.call != nil {
			t.Fatalf("P asks for %+v, want nothing, since nothing waits", p.call)
		}
		before := p.asked
		number := p.want(row(6), write)
		if got := p.answer(number); got != repo.Alone {
			t.Errorf("write %t: the answer rests on %q, want on %q", write, got, repo.Alone)
		}
		if n := p.asked - before; n != 1 {
			t.Errorf("write %t: Consul is asked %d times, want once", write, n)
		}
		p.pass(5*decide.TickEvery, nil)
		if n := p.asked - before; n != 1 {
			t.Errorf("write %t: Consul is asked %d times although nothing waits, want once", write, n)
		}
	}
}

// TestConsulIsAskedEachSecond although nothing waits for it.
func TestConsulIsAskedEachSecond(t *testing.T) {
	p := MustPrimary(t, usual(), 5, "S")
	p.connect("S", 5)
	before := p.asked
	p.pass(10*time.Second, map[string]int64{"S": 5})
	if got := p.asked - before; got < 9 || got > 10 {
		t.Errorf("it is asked %d times in 10 s, want at least 9 and at most 10", got)
	}
}

// TestWhatASetRequires has the rows of DESIGN.md.
func TestWhatASetRequires(t *testing.T) {
	// written is what P requires when it removes out from a set that required row 3.
	type c struct {
		before  int64
		newest  int64 // P's, and its term knows all rows from first on
		first   int64
		reports map[string]int64
		others  []string // beside P and the one that goes
		want    int64
	}
	run := func(c c) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 0)
			p.set = litefs.SyncSet{Members: members(append([]string{"P", "out"}, c.others...)...), Index: 7}
			if c.before > 0 {
				p.set.Required = row(c.before).String()
			}
			p.deaf = true
			p.call = nil
			p.begin(c.first)
			p.call = nil
			for seq := c.first + 1; seq <= c.newest; seq++ {
				p.on(decide.RowsRead{Rows: []repo.Cursor{row(seq)}, Epoch: 1})
			}
			for id, seq := range c.reports {
				p.connect(id, seq)
			}
			p.connect("out", c.newest)
			p.report("out", decide.Report{Cursor: row(c.newest), Leaving: true})
			p.on(decide.StandingRead{Term: p.s.Term(), Standing: litefs.Standing{Primary: true, Term: "1", Set: &p.set}})
			if !p.until(isWrite) {
				t.Fatal("P writes no set, want one")
			}
			got, want := p.call.(decide.WriteSet).Change.Required, ""
			if c.want > 0 {
				want = row(c.want).String()
			}
			if got != want {
				t.Errorf("it requires %q, want row %d", got, c.want)
			}
		}
	}
	table(t, "a set is written", map[string]func(t *testing.T){
		"of this node alone":                       run(c{before: 3, first: 4, newest: 9, want: 9}),
		"of this node alone, before the first row": run(c{}),
		"with a standby": run(c{
			before: 3, first: 4, newest: 9, reports: map[string]int64{"S": 5}, others: []string{"S"}, want: 5,
		}),
		"with two others": run(c{
			before: 3, first: 4, newest: 9, reports: map[string]int64{"S": 7, "C": 5}, others: []string{"S", "C"}, want: 5,
		}),
		"with one that has not been heard of in this term": run(c{
			before: 3, first: 4, newest: 9, others: []string{"S"}, want: 3,
		}),
		"with one of two that has not been heard of": run(c{
			before: 3, first: 4, newest: 9, reports: map[string]int64{"S": 7}, others: []string{"S", "C"}, want: 3,
		}),
		"where nothing was required, with one that has not been heard of": run(c{
			first: 4, newest: 9, others: []string{"S"},
		}),
		"with one whose newest row is not remembered": run(c{
			before: 3, first: 8, newest: 9, reports: map[string]int64{"S": 5}, others: []string{"S"}, want: 3,
		}),
		"with one that has less than was required": run(c{
			before: 7, first: 4, newest: 9, reports: map[string]int64{"S": 5}, others: []string{"S"}, want: 7,
		}),
	})
}
