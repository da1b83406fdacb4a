package decide_test

import (
	"time"

	"blog/internal/cluster/decide"
)

// separations are the schedules in which a node is cut off, paused or suspended.
func separations() map[string]func(sc *scene) {
	return map[string]func(sc *scene){
		"P cut off from all": func(sc *scene) {
			sc.p.cut, sc.s.silent, sc.s.held = true, true, true
			row := sc.p.write()
			sc.pass(10 * time.Second)
			sc.want(sc.p, row, waiting)
			sc.wantSet("P S")
			sc.expire()
			sc.pass(time.Second)
			sc.want(sc.p, row, unknown)
			sc.succeeds()
		},
		"P alone and cut off from all": func(sc *scene) {
			sc.goesAlone()
			sc.p.cut = true
			row := sc.p.write()
			sc.pass(5 * time.Second)
			sc.want(sc.p, row, waiting)
			sc.expire()
			sc.s.start()
			sc.pass(time.Second)
			sc.wantElected(sc.s, false)
		},
		"P and S cut from each other, both with Consul": func(sc *scene) {
			sc.s.silent, sc.s.held = true, true
			row := sc.p.write()
			sc.pass(6 * time.Second)
			sc.want(sc.p, row, "alone")
			sc.wantSet("P")
			sc.expire()
			sc.wantElected(sc.s, false)
		},
		"P cut from Consul alone": func(sc *scene) {
			sc.p.cut = true
			row := sc.p.write()
			sc.pass(time.Second)
			sc.want(sc.p, row, "two")
			sc.expire()
			sc.succeeds()
		},
		"P paused for 30 s": func(sc *scene) {
			sc.p.stopped = true
			sc.expire()
			sc.succeeds()
			sc.pass(30 * time.Second)
			sc.p.call, sc.p.stopped = nil, false
			sc.p.on(decide.LeaseGivenUp{Term: sc.p.state.Term()}) // whatever was under way is over
			sc.p.tick(decide.TickEvery)
			sc.p.tick(decide.TickEvery)
			if sc.p.call == nil || isWrite(sc.p.call.effect) {
				sc.t.Errorf("P asks for %+v, want a question", sc.p.call)
			}
			sc.pass(time.Second)
			sc.wantSet("S P")
		},
		"P paused for less than the lease": func(sc *scene) {
			sc.p.stopped = true
			sc.pass(4 * time.Second)
			sc.p.stopped = false
			sc.pass(2 * time.Second)
			sc.wantSet("P S")
			row := sc.p.write()
			sc.pass(time.Second)
			sc.want(sc.p, row, "two")
		},
		"P's virtual machine is suspended, its clock with it, S elected; P wakes, receives a report of S from before, " +
			"and refuses a call from what it has": func(sc *scene) {
			sc.s.sendReport(true)
			before := sc.lines[0]
			sc.p.stopped = true
			clock := sc.p.at
			sc.expire()
			sc.succeeds()
			sc.s.write()
			sc.pass(30 * time.Second)
			sc.p.at, sc.p.stopped, sc.p.cut = clock+time.Millisecond, false, true
			refusal := sc.p.want(sc.p.newest(), false)
			if len(before.reports) == 0 {
				sc.t.Fatal("no report of S is on its way, want one")
			}
			for range before.reports {
				before.receive()
			}
			sc.want(sc.p, refusal, waiting)
			sc.p.cut = false
			sc.pass(time.Second)
			sc.want(sc.p, refusal, unknown)
		},
		"P paused, S elected; P wakes and refuses a call from what it had": func(sc *scene) {
			sc.p.stopped = true
			sc.expire()
			sc.succeeds()
			sc.s.write()
			sc.pass(30 * time.Second)
			sc.p.stopped = false
			refusal := sc.p.want(sc.p.newest(), false)
			sc.want(sc.p, refusal, waiting)
			sc.until(func(e decide.Effect) bool { _, is := e.(decide.ReadStanding); return is })
			sc.do(sc.p)
			sc.answer(sc.p)
			sc.want(sc.p, refusal, waiting)
			sc.pass(time.Second)
			sc.want(sc.p, refusal, unknown)
		},
	}
}
