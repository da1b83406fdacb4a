package decide_test

import (
	"time"

	"blog/internal/cluster/decide"
)

// leaveTermOver plays the schedule in which P's term begins and its database cannot be opened then. Where the term
// is left
// over it goes on acting, beside the one that begins next, and hears of reports, but not of rows.
func (sc *scene) leaveTermOver(left bool) {
	sc.t.Helper()
	sc.expire()
	sc.wantElected(sc.p, true)
	for range 3 {
		sc.p.open()
	}
	if sc.p.state.Term() == 0 {
		sc.t.Fatal("P has no term, want one")
	}
	if left {
		sc.p.leftOver = sc.p.double()
	}
	sc.p.failToPrepare()
	sc.pass(time.Second)
	sc.s.crash()
	sc.pass(6 * time.Second)
	row := sc.p.write()
	sc.pass(time.Second)
	sc.want(sc.p, row, "alone")
	sc.s.held = true
	sc.s.start()
	sc.pass(3 * time.Second)
	if left {
		return
	}
	sc.wantSet("P")
	sc.s.held = false
	sc.pass(8 * time.Second)
	sc.wantSet("P S")
}

// double returns a node with the same identity and a state that has seen the same.
func (n *node) double() *node {
	d := &node{
		w: n.w, id: n.id, at: n.at, copy: n.copy, state: decide.New(n.w.config), role: n.role, epoch: n.epoch,
		waiters: map[uint64]*waiter{}, due: map[string]bool{}, given: map[uint64]string{}, region: n.region,
	}
	for _, see := range n.seen {
		see(d.state)
	}
	if n.call != nil {
		under := *n.call
		d.call = &under
	}
	return d
}
