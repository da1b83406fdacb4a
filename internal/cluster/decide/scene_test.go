package decide_test

import (
	"slices"
	"testing"
	"time"

	"blog/internal/cluster/decide"
)

// scene is a world in which a schedule of DESIGN.md is played: P is primary, S the standby in the set.
type scene struct {
	*world
	t *testing.T
	p *node
	s *node
	c *node // the third, where there is one
}

// newScene returns P and S in the set, with one row that is acknowledged, and whoever else.
func newScene(t *testing.T, others ...string) *scene {
	t.Helper()
	w := newWorld(1, usual(), append([]string{"P", "S"}, others...)...)
	w.scene = true
	for _, n := range w.nodes {
		n.start() // again, with what its state sees noted
	}
	sc := &scene{world: w, t: t, p: w.nodes[0], s: w.nodes[1]}
	if len(others) > 0 {
		sc.c = w.nodes[2]
		sc.c.silent = true // it comes later, if at all
	}
	if !w.elect(sc.p) {
		t.Fatal("P is not elected, want it to be")
	}
	w.pass(time.Second)
	first := sc.p.write()
	w.pass(time.Second)
	sc.wantSet("P S")
	sc.want(sc.p, first, "two")
	return sc
}

func (sc *scene) wantSet(ids string) {
	sc.t.Helper()
	if got := sc.consul.members(); got != "["+ids+"]" {
		sc.t.Errorf("the set is %s, want [%s]", got, ids)
	}
}

// want fails unless that has become of an answer.
func (sc *scene) want(n *node, number uint64, want string) {
	sc.t.Helper()
	if got := n.answer(number); got != want {
		sc.t.Errorf("an answer of %s: %s, want %s", n.id, got, want)
	}
}

// wantElected fails unless the node can be elected now, or cannot.
func (sc *scene) wantElected(n *node, want bool) {
	sc.t.Helper()
	if got := sc.elect(n); got != want {
		sc.t.Errorf("%s is elected: %t, want %t", n.id, got, want)
	}
}

// wantSame fails unless two copies are equal.
func (sc *scene) wantSame(a, b *node) {
	sc.t.Helper()
	if !slices.Equal(a.copy, b.copy) {
		sc.t.Errorf("%s has %v, want what %s has, %v", a.id, a.copy, b.id, b.copy)
	}
}

// dies ends a node and its lease.
func (sc *scene) dies(n *node) {
	n.crash()
	if sc.consul.holder == n.id {
		sc.expire()
	}
}

// succeeds has S elected and waits until its term has begun.
func (sc *scene) succeeds() {
	sc.t.Helper()
	sc.wantElected(sc.s, true)
	sc.s.open()
	sc.s.open()
	sc.s.open()
	if sc.s.state.Term() == 0 {
		sc.t.Error("S has no term, want one")
	}
}

// goesAlone makes P the only member of the set.
func (sc *scene) goesAlone() {
	sc.t.Helper()
	sc.s.crash()
	sc.pass(6 * time.Second)
	sc.wantSet("P")
}

// until lets time go by until P asks Consul for a change, which does not reach it.
func (sc *scene) until(what func(e decide.Effect) bool) {
	sc.t.Helper()
	for range 200 {
		if sc.p.call != nil && sc.p.call.event == nil && what(sc.p.call.effect) {
			return
		}
		if sc.p.call != nil {
			sc.do(sc.p)
			sc.answer(sc.p)
		}
		sc.p.tick(decide.TickEvery)
	}
	sc.t.Fatal("P does not ask Consul for the change, want it to")
}

func isWrite(e decide.Effect) bool {
	_, is := e.(decide.WriteSet)
	return is
}

// lose1 has P get no answer to what it asked of Consul, which may still reach it.
func (sc *scene) lose1() {
	k := sc.p.call
	sc.p.call = nil
	sc.lose(sc.p, k)
}

// until1 lets everything happen until P asks Consul for a change.
func (sc *scene) until1() {
	sc.t.Helper()
	for range 200 {
		if sc.p.call != nil && sc.p.call.event == nil && isWrite(sc.p.call.effect) {
			return
		}
		sc.do(sc.p)
		if sc.p.call != nil {
			sc.answer(sc.p)
		}
		for _, n := range sc.nodes {
			n.tick(decide.TickEvery)
			n.see()
			n.replicate(10)
			n.dial()
			n.sendReport(true)
		}
		for _, l := range sc.lines {
			l.receive()
		}
	}
	sc.t.Fatal("P does not ask Consul for the change, want it to")
}
