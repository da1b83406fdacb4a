package decide_test

import (
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// TestWhatAnotherEpochSays is nothing about the term's.
func TestWhatAnotherEpochSays(t *testing.T) {
	info := decide.Info{ID: "S", Node: "S", Region: "fra", Candidate: true}
	t.Run("a report of it covers nothing", func(t *testing.T) {
		p := MustPrimary(t, usual(), 5, "S")
		p.on(decide.UplinkOpened{ID: "S"})
		p.on(decide.ReportReceived{ID: "S", Report: decide.Report{Cursor: row(5), Info: &info}, Epoch: 0})
		write := p.want(row(5), true)
		if got := p.answer(write); got != "" {
			t.Errorf("an answer rests on %q, want none", got)
		}
		p.on(decide.ReportReceived{ID: "S", Report: decide.Report{Cursor: row(5)}, Epoch: 1, Over: true})
		if got := p.answer(write); got != "" {
			t.Errorf("with a report of an epoch that is over an answer rests on %q, want none", got)
		}
		p.report("S", decide.Report{Cursor: row(5)})
		if got := p.answer(write); got != repo.Two {
			t.Errorf("an answer rests on %q, want %q", got, repo.Two)
		}
	})
	t.Run("a report of it echoes nothing", func(t *testing.T) {
		p := MustPrimary(t, usual(), 5, "S")
		p.connect("S", 5)
		p.deaf = true
		refusal := p.want(row(5), false)
		number := p.s.NextHeartbeat("S", p.at, time.Time{}).Number
		p.on(decide.ReportReceived{ID: "S", Report: decide.Report{Cursor: row(5), Echo: number}, Epoch: 0})
		if got := p.answer(refusal); got != "" {
			t.Errorf("an answer rests on %q, want none", got)
		}
	})
	t.Run("a report of it, and then a row", func(t *testing.T) {
		p := MustPrimary(t, usual(), 5, "S")
		p.on(decide.UplinkOpened{ID: "S"})
		p.on(decide.ReportReceived{ID: "S", Report: decide.Report{Cursor: row(6), Info: &info}, Epoch: 0})
		if got := p.answer(p.want(row(6), true)); got != "" {
			t.Errorf("an answer rests on %q, want none", got)
		}
	})
	t.Run("its rows are not of this history", func(t *testing.T) {
		for _, event := range []decide.Event{
			decide.RowsRead{Rows: []repo.Cursor{otherRow(6)}, Epoch: 0, Over: true},
			decide.HistoryReset{Position: otherRow(6), Epoch: 0, Over: true},
			decide.RowsRead{Rows: []repo.Cursor{otherRow(6)}, Epoch: 0},
			decide.HistoryReset{Position: otherRow(6), Epoch: 0},
		} {
			p := MustPrimary(t, usual(), 5, "S")
			p.connect("S", 5)
			p.on(event)
			write := p.want(row(6), true) // in the place of the other: a term is broken by two rows of one seq
			p.report("S", decide.Report{Cursor: row(6)})
			if got := p.answer(write); got != repo.Two {
				t.Errorf("after %+v an answer rests on %q, want %q", event, got, repo.Two)
			}
		}
	})
}

// TestPosition never goes back to what it was before the database was read.
func TestPosition(t *testing.T) {
	for name, c := range map[string]struct {
		event decide.Event
		want  repo.Cursor
		reads bool
	}{
		"a newer row":                  {decide.RowsRead{Rows: []repo.Cursor{row(6), row(7)}, Epoch: 1}, row(7), false},
		"the same row":                 {decide.RowsRead{Rows: []repo.Cursor{row(5)}, Epoch: 1}, row(5), false},
		"an older row":                 {decide.RowsRead{Rows: []repo.Cursor{row(4)}, Epoch: 1}, row(5), true},
		"a newer row of another epoch": {decide.RowsRead{Rows: []repo.Cursor{row(6)}, Epoch: 0, Over: true}, row(5), true},
		"another history":              {decide.HistoryReset{Position: otherRow(3), Epoch: 1}, otherRow(3), false},
		"one of another epoch":         {decide.HistoryReset{Position: otherRow(3), Epoch: 0, Over: true}, row(5), true},
		"what was read":                {decide.PositionRead{Before: row(5), Position: row(4)}, row(4), false},
		"what was read before a row":   {decide.PositionRead{Before: row(4), Position: row(4)}, row(5), false},
	} {
		s := decide.New(usual())
		s.On(begins, decide.PositionRead{Position: row(5)})
		reads := false
		for _, e := range s.On(begins, c.event) {
			_, is := e.(decide.ReadPosition)
			reads = reads || is
		}
		if got := s.Position(); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if reads != c.reads {
			t.Errorf("%s: read again %t, want %t", name, reads, c.reads)
		}
	}
}

// TestAnUplinkEndsWhenATermBegins: an echo over it says that none has.
func TestAnUplinkEndsWhenATermBegins(t *testing.T) {
	p := MustPrimary(t, usual(), 5)
	p.on(decide.TermEnded{Term: p.s.Term()})
	p.on(decide.Dialed{})
	if _, ok := p.s.NextReport(true, time.Time{}, ""); !ok {
		t.Error("an uplink that came up after the term is to end, want it to go on")
	}
	p.begin(5)
	p.on(decide.TermEnded{Term: p.s.Term()})
	if _, ok := p.s.NextReport(true, time.Time{}, ""); ok {
		t.Error("an uplink from before a term goes on, want it to end")
	}
}

// TestAnEchoIsOfItsUplink: numbers of another process's heartbeats are no echo.
func TestAnEchoIsOfItsUplink(t *testing.T) {
	s := decide.New(usual())
	echo := func() uint64 {
		rep, _ := s.NextReport(false, time.Time{}, "")
		return rep.Echo
	}
	for _, before := range [][]decide.Event{nil, {decide.HungUp{}}} {
		s.On(begins, decide.Dialed{})
		s.On(begins, decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "P", Number: 7}})
		s.On(begins, decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "P", Number: 6}})
		if got := echo(); got != 7 {
			t.Errorf("it echoes %d, want 7", got)
		}
		for _, e := range append(before, decide.Dialed{}) {
			s.On(begins, e)
		}
		if got := echo(); got != 0 {
			t.Errorf("a new uplink echoes %d, want 0", got)
		}
	}
}

// TestReportsThatAreDue go out at once: a new position, the echo of a heartbeat, a farewell, and nothing else.
func TestReportsThatAreDue(t *testing.T) {
	s := decide.New(usual())
	s.On(begins, decide.Dialed{})
	due := func(e decide.Event) bool {
		t.Helper()
		for _, effect := range s.On(begins, e) {
			if _, is := effect.(decide.SendReport); is {
				if _, ok := s.NextReport(false, time.Time{}, ""); !ok {
					t.Fatal("the uplink is to end, want it to go on")
				}
				return true
			}
		}
		return false
	}
	s.NextReport(true, time.Time{}, "")
	for name, c := range map[string]struct {
		event decide.Event
		want  bool
	}{
		"a numbered heartbeat":          {decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "P", Number: 3}}, true},
		"a heartbeat without a number":  {decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "P"}}, false},
		"a row":                         {decide.RowsRead{Rows: []repo.Cursor{row(6)}}, true},
		"how this node is":              {decide.InfoRead{Info: decide.Info{ID: "S"}}, false},
		"that this node is about to go": {decide.LeaveBegun{}, true},
	} {
		if got := due(c.event); got != c.want {
			t.Errorf("%s: a report is due: %t, want %t", name, got, c.want)
		}
	}
}

// TestAnAnswerOfATermThatIsOver is refused, and one that comes too late for it as well.
func TestAnAnswerOfATermThatIsOver(t *testing.T) {
	for name, over := range map[string]func(p *primary) []decide.Effect{
		"the role is over":    func(p *primary) []decide.Effect { return p.s.On(p.at, decide.TermEnded{Term: 1}) },
		"another term begins": func(p *primary) []decide.Effect { return p.s.On(p.at, beginning(p)) },
		"it comes when it was": func(p *primary) []decide.Effect {
			p.on(beginning(p))
			return p.s.On(p.at, decide.AnswerWanted{Term: 1, Waiter: 1, Row: row(5), Write: true})
		},
	} {
		p := MustPrimary(t, usual(), 5)
		p.deaf = true
		p.want(row(5), true)
		refused := false
		for _, e := range over(p) {
			refused = refused || isRefusal(e)
		}
		if !refused {
			t.Errorf("%s: the answer goes on waiting, want it refused", name)
		}
	}
}

// TestWhatConsulSaysToATermThatIsOver says nothing to the next one, whose own question goes on.
func TestWhatConsulSaysToATermThatIsOver(t *testing.T) {
	for name, stale := range map[string]decide.Event{
		"that the lease is held": decide.StandingRead{Term: 1, Standing: litefs.Standing{
			Primary: true, Term: "1", Set: &litefs.SyncSet{Members: members("P"), Index: 7},
		}},
		"that the lease is lost": decide.StandingRead{Term: 1},
		"that a set is written":  decide.SetWritten{Term: 1, Set: litefs.SyncSet{Members: members("P"), Index: 7}},
		"that the lease is gone": decide.LeaseGivenUp{Term: 1},
	} {
		p := MustPrimary(t, usual(), 5)
		p.on(beginning(p))
		p.pass(decide.TickEvery, nil)
		p.deaf = true
		write := p.want(row(6), true)
		if !isQuestion(p.call) {
			t.Fatalf("%s: P asks for %+v, want a question", name, p.call)
		}
		before := p.call
		p.call = nil
		p.on(stale)
		p.on(decide.TermEnded{Term: 1})
		p.pass(decide.TickEvery, nil)
		if got := p.answer(write); got != "" {
			t.Errorf("%s: an answer rests on %q, want none", name, got)
		}
		if p.call != nil {
			t.Errorf("%s: P asks for %+v, want nothing", name, p.call)
		}
		p.call, p.deaf = before, false
		p.answerCall()
		if got := p.answer(write); got != repo.Alone {
			t.Errorf("%s: the answer rests on %q, want %q", name, got, repo.Alone)
		}
	}
}

// TestTheFirstHeartbeat says that a member is in the sync set, although its first report has not been handled.
func TestTheFirstHeartbeat(t *testing.T) {
	p := MustPrimary(t, usual(), 5, "S")
	for _, id := range []string{"S", "C"} {
		p.on(decide.UplinkOpened{ID: id})
		if got := p.s.NextHeartbeat(id, p.at, time.Time{}).InSet; got != (id == "S") {
			t.Errorf("%s is in the set: %t, want %v", id, got, id == "S")
		}
	}
}

// TestAHeartbeatInATerm comes late: it was sent before this node became primary.
func TestAHeartbeatInATerm(t *testing.T) {
	p := MustPrimary(t, usual(), 5, "S")
	p.connect("S", 5)
	for _, effect := range p.s.On(p.at, decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{
		From: "S", Cursor: row(9), Leaving: "S", Promote: true, Forgotten: []string{"S"}, Clock: time.Unix(1, 0), Number: 1,
	}}) {
		t.Errorf("a heartbeat is followed by %+v, want nothing", effect)
	}
	if got := p.s.Primary(); !got.Zero() {
		t.Errorf("the primary's newest row is %d, want none", got.Seq)
	}
}

func beginning(p *primary) decide.TermBegun {
	return decide.TermBegun{Self: members("P")[0], Lease: "1", Epoch: 2, Set: p.set, Newest: row(5), Asked: p.at}
}

func isRefusal(e decide.Effect) bool {
	r, is := e.(decide.RefuseAnswer)
	return is && r.Waiter == 1
}
