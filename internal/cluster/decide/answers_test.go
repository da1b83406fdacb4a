package decide_test

import (
	"slices"
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// TestWhatAnAnswerNeeds in each state.
func TestWhatAnAnswerNeeds(t *testing.T) {
	// needsStandby checks a standby S that is needed, whose answers rest on want.
	needsStandby := func(t *testing.T, p *primary, want repo.Assurance) {
		t.Helper()
		p.deaf = true
		write := p.want(row(6), true)
		p.wantAnswer(write, "")
		for _, other := range []repo.Cursor{otherRow(6), otherRow(7), row(5)} {
			p.report("S", decide.Report{Cursor: other})
		}
		p.wantAnswer(write, "")
		p.report("S", decide.Report{Cursor: row(6)})
		p.wantAnswer(write, want)

		number := p.s.NextHeartbeat("S", p.at, time.Time{}).Number
		p.report("S", decide.Report{Cursor: row(6), Echo: number})
		p.hearts = nil
		refusal := p.want(row(6), false)
		if !slices.Equal(p.hearts, []string{"S"}) {
			t.Errorf("heartbeats go at once to %v, want S", p.hearts)
		}
		p.report("S", decide.Report{Cursor: row(6), Echo: number})
		p.report("S", decide.Report{Cursor: row(6), Echo: 1 << 40})
		p.wantAnswer(refusal, "")
		number = p.s.NextHeartbeat("S", p.at, time.Time{}).Number
		p.report("S", decide.Report{Cursor: otherRow(6), Echo: number})
		p.wantAnswer(refusal, "")
		p.report("S", decide.Report{Cursor: row(6), Echo: number})
		p.wantAnswer(refusal, want)
		p.hearts = nil
		p.want(row(6), false)
		p.want(row(6), false)
		if !slices.Equal(p.hearts, []string{"S"}) {
			t.Errorf("heartbeats go at once to %v, want one to S", p.hearts)
		}

		replay := p.want(row(6), false) // of the release before: no echo
		p.report("S", decide.Report{Cursor: row(6)})
		p.wantAnswer(replay, "")
		p.deaf = false
		p.answerCall()
		p.pass(time.Second, map[string]int64{"S": 6})
		p.wantAnswer(replay, want)
	}
	table(t, "state", map[string]func(t *testing.T){
		"two": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.connect("S", 5)
			needsStandby(t, p, repo.Two)
		},
		"joining": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 4)
			p.on(decide.RowsRead{Rows: []repo.Cursor{row(5)}, Epoch: 1})
			p.connect("S", 4)
			p.pass(decide.TickEvery, map[string]int64{"S": 4})
			if got := p.s.Self(p.at, decide.Here{}).SyncSet; !slices.Equal(got, []string{"P"}) {
				t.Fatalf("the set is %v, want %v", got, []string{"P"})
			}
			p.deaf = true
			write := p.want(row(6), true)
			p.answerCall()
			p.report("S", decide.Report{Cursor: row(4)})
			p.wantAnswer(write, "")
			p.report("S", decide.Report{Cursor: row(6)})
			p.wantAnswer(write, repo.Alone) // the set is still P's
		},
		"alone": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.deaf = true
			write, refusal := p.want(row(6), true), p.want(row(6), false)
			p.wantAnswer(write, "")
			p.wantAnswer(refusal, "")
			p.deaf = false
			p.answerCall()
			p.pass(time.Second, nil)
			p.wantAnswer(write, repo.Alone)
			p.wantAnswer(refusal, repo.Alone)

			strict := usual()
			strict.Policy = decide.Strict
			p = MustPrimary(t, strict, 5)
			write = p.want(row(6), true)
			p.pass(20*time.Second, nil)
			p.wantAnswer(write, "")
		},
		"doubt": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.connect("S", 5)
			p.deaf = true
			p.answerNothing()
			p.report("S", decide.Report{Cursor: row(5), Leaving: true})
			if !p.until(isWrite) {
				t.Fatal("P writes no set, want one without S")
			}
			p.answerNothing()
			write := p.want(row(6), true)
			p.pass(3*time.Second, nil)
			p.wantAnswer(write, "")
			p.report("S", decide.Report{Cursor: row(6), Leaving: true})
			p.wantAnswer(write, repo.Two)

			p = MustPrimary(t, usual(), 5) // S may have come in
			p.on(decide.RowsRead{Rows: []repo.Cursor{row(6)}, Epoch: 1})
			p.connect("S", 5)
			p.pass(decide.TickEvery, nil)
			write = p.want(row(7), true)
			before := p.asked
			p.pass(1200*time.Millisecond, map[string]int64{"S": 5})
			if p.asked == before {
				t.Fatal("Consul has not been asked since the write, want the lease confirmed")
			}
			p.deaf = true
			p.report("S", decide.Report{Cursor: row(6)})
			if !p.until(isWrite) {
				t.Fatal("P writes no set, want one with S")
			}
			p.answerNothing()
			p.pass(decide.TickEvery, nil)
			p.wantAnswer(write, "")
			p.report("S", decide.Report{Cursor: row(7)})
			p.wantAnswer(write, repo.Alone)
		},
		"unsure": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.connect("S", 5)
			p.report("S", decide.Report{Cursor: row(5), Echo: p.s.NextHeartbeat("S", p.at, time.Time{}).Number})
			p.deaf = true
			refusal, write := p.want(row(5), false), p.want(row(6), true)
			p.at += time.Hour
			number := p.s.NextHeartbeat("S", p.at, time.Time{}).Number
			p.report("S", decide.Report{Cursor: row(6), Echo: number})
			p.wantAnswer(refusal, "")
			p.wantAnswer(write, "")
			if _, may := p.s.MayAcknowledge(); may {
				t.Error("it may acknowledge, want it not to")
			}
			p.deaf = false
			p.answerCall()
			p.pass(time.Second, map[string]int64{"S": 6})
			p.wantAnswer(refusal, repo.Two)
			p.wantAnswer(write, repo.Two)
		},
	})
}

// answerNothing has Consul not answer what P asks for, if it asks.
func (p *primary) answerNothing() {
	call := p.call
	p.call = nil
	switch call.(type) {
	case decide.ReadStanding:
		p.on(decide.StandingRead{Term: p.s.Term(), Err: litefs.ErrNoAnswer})
	case decide.WriteSet:
		p.on(decide.SetWritten{Term: p.s.Term(), Err: litefs.ErrNoAnswer})
	}
}

// until lets time go by until P asks for that, which stays in call.
func (p *primary) until(what func(e decide.Effect) bool) bool {
	p.deaf = true
	for range 100 {
		if p.call != nil && what(p.call) {
			return true
		}
		if p.call != nil {
			p.deaf = false
			p.answerCall()
			p.deaf = true
		}
		p.pass(decide.TickEvery, nil)
	}
	return false
}
