package decide_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
)

// step is something that can happen in a world, with how likely it is.
type step struct {
	weight int
	run    func(w *world, n *node)
}

// steps are all that can happen.
func steps() []step {
	return []step{
		{800, func(w *world, n *node) { n.tick(time.Duration(w.rand.IntN(200)+1) * time.Millisecond) }},
		{400, func(_ *world, n *node) { n.write() }},
		{160, func(_ *world, n *node) { n.want(n.newest(), false) }},
		{600, func(w *world, n *node) { n.replicate(1 + w.rand.IntN(3)) }},
		{600, func(_ *world, n *node) { n.readFeed() }},
		{600, func(_ *world, n *node) { n.deliverFeed() }},
		{800, func(_ *world, n *node) { n.open() }},
		{400, func(_ *world, n *node) { n.dial() }},
		{600, func(w *world, n *node) { n.sendReport(w.rand.IntN(2) == 0) }},
		{1200, func(w *world, _ *node) { w.onLine((*line).receive) }},
		{800, func(w *world, _ *node) { w.onLine((*line).follow) }},
		{600, func(w *world, _ *node) { w.onLine(func(l *line) { l.to.sendHeartbeat(l) }) }},
		{120, func(w *world, _ *node) { w.onLine(func(l *line) { l.closeIfOver() }) }},
		{800, func(w *world, n *node) { w.do(n) }},
		{800, func(w *world, n *node) { w.answerIfAny(n) }},
		{200, func(_ *world, n *node) { n.see() }},
		{200, func(w *world, n *node) { w.elect(n) }},
		{200, func(_ *world, n *node) { n.readPosition() }},
		{80, func(_ *world, n *node) { n.become() }},
		{400, func(_ *world, n *node) { n.endOverdue() }},
		{100, func(_ *world, n *node) { n.hearStale() }},
		// Faults.
		{8, func(w *world, _ *node) { w.expireIfHeld() }},
		{40, func(w *world, n *node) { w.loseCall(n) }},
		{40, func(w *world, _ *node) { w.arriveLate() }},
		{2, func(_ *world, n *node) { n.hangUpIfOpen() }},
		{1, func(w *world, _ *node) { w.onLine((*line).close) }},
		{1, func(w *world, n *node) { n.tick(time.Duration(w.rand.IntN(30)) * time.Second) }},
		{1, func(_ *world, n *node) { n.stopped = !n.stopped }},
		{2, func(_ *world, n *node) { n.stopped = false }},
		{1, func(_ *world, n *node) { n.held = !n.held }},
		{2, func(_ *world, n *node) { n.held = false }},
		{1, func(_ *world, n *node) { n.cut = !n.cut }},
		{2, func(_ *world, n *node) { n.cut = false }},
		{1, func(w *world, n *node) { w.crashOrStart(n) }},
		{1, func(w *world, n *node) { n.startIfDown() }},
		{2, func(_ *world, n *node) { n.offer() }},
		{4, func(w *world, _ *node) { w.restoreOne() }},
		{1, func(_ *world, n *node) { n.failToPrepare() }},
	}
}

func (n *node) readPosition() {
	if n.reread && n.state != nil && !n.stopped {
		n.reread = false
		n.on(decide.PositionRead{Before: n.state.Position(), Position: n.newest()})
	}
}

// hearStale has an answer come to a term that is over.
func (n *node) hearStale() {
	if len(n.stale) > 0 && n.state != nil && !n.stopped {
		e := n.stale[0]
		n.stale = n.stale[1:]
		n.w.counts["answers to a term that was over"]++
		n.on(e)
	}
}

func (n *node) hangUpIfOpen() {
	if n.line != nil && !n.stopped {
		n.hangUp()
	}
}

func (n *node) startIfDown() {
	if n.state == nil {
		n.start()
	}
}

// failToPrepare ends a term whose database cannot be brought up, as who has begun it does.
func (n *node) failToPrepare() {
	if n.state != nil && !n.stopped && n.state.Term() != 0 {
		n.on(decide.TermEnded{Term: n.state.Term()})
		n.dropCall()
	}
}

func (l *line) closeIfOver() {
	if !l.fromOpen && len(l.reports) == 0 || l.epoch != l.to.epoch {
		l.close()
	}
	if !l.toOpen && l.from.line == l && !l.from.stopped {
		l.from.hangUp()
	}
}

func (w *world) onLine(f func(l *line)) {
	if len(w.lines) > 0 {
		f(w.lines[w.rand.IntN(len(w.lines))])
		w.sweep()
	}
}

func (w *world) answerIfAny(n *node) {
	if n.call != nil && n.call.event != nil {
		w.answer(n)
	}
}

func (w *world) loseCall(n *node) {
	if k := n.call; k != nil && n.state != nil && !n.stopped {
		n.call = nil
		w.lose(n, k)
	}
}

func (w *world) arriveLate() {
	if len(w.consul.late) > 0 {
		w.arrive(w.rand.IntN(len(w.consul.late)))
	}
}

func (w *world) expireIfHeld() {
	if w.consul.holder != "" {
		w.expire()
	}
}

func (w *world) restoreOne() {
	c := &w.consul
	n := w.node(c.holder)
	// Two snapshots while the holder does not know what became of its own change could not be distinguished.
	if n != nil && n.state != nil && len(c.written) > 0 && (c.restores == 0 || c.known == c.set.Index) {
		c.restores++
		w.restore(c.written[w.rand.IntN(len(c.written))])
	}
}

// hasOtherMember reports whether another member of the set has its disk.
func (w *world) hasOtherMember(n *node) bool {
	return w.consul.set != nil && slices.ContainsFunc(w.consul.set.Members, func(m litefs.Member) bool {
		return m.ID != n.id && w.node(m.ID) != nil
	})
}

func (w *world) crashOrStart(n *node) {
	switch {
	case n.state != nil:
		n.crash()
	case w.rand.IntN(10) == 0 && w.hasOtherMember(n):
		n.loseDisk(fmt.Sprintf("%s'", n.id))
		n.start()
	default:
		n.start()
	}
}

// heal ends all faults, and lets a while go by in which nodes find each other.
func (w *world) heal() {
	w.record("all faults end")
	for _, n := range w.nodes {
		if n.leaving && n.state != nil {
			n.crash()
		}
		n.stopped, n.held, n.cut = false, false, false
		n.startIfDown()
	}
	for _, n := range w.nodes {
		w.elect(n)
	}
	w.pass(time.Duration(w.rand.IntN(8)) * time.Second)
}

// walk runs a world of a seed for so many steps, until a claim does not hold. In each world other things are
// rare, or frequent.
func walk(seed uint64, count int, c decide.Config) *world {
	w := newWorld(seed, c, "a", "b", "c")
	all := steps()
	total := 0
	for i := range all {
		all[i].weight = max(1, all[i].weight*[]int{1, 4, 16, 16, 32}[w.rand.IntN(5)]/16)
		total += all[i].weight
	}
	// In how many steps all faults end once. Without that most of a walk is of nodes that are down.
	healEvery := []int{500, 1000, 2000, 10_000}[w.rand.IntN(4)]
	for range count {
		if w.rand.IntN(healEvery) == 0 {
			w.heal()
		}
		at := w.rand.IntN(total)
		n := w.nodes[w.rand.IntN(len(w.nodes))]
		for _, s := range all {
			if at -= s.weight; at < 0 {
				s.run(w, n)
				break
			}
		}
		if len(w.violations) > 0 {
			break
		}
	}
	return w
}

// mustHold fails where a claim does not hold in a world.
func mustHold(t *testing.T, w *world) {
	t.Helper()
	if len(w.violations) > 0 {
		t.Fatalf("%s\n%s", strings.Join(w.violations, "\n"), strings.Join(w.story[max(0, len(w.story)-40):], "\n"))
	}
}

// TestWalk checks the claims of DESIGN.md in worlds in which anything may happen at any moment.
func TestWalk(t *testing.T) {
	counts := map[string]int{}
	for seed := range uint64(120) {
		c := usual()
		if seed%4 == 3 {
			c.Policy = decide.Strict
		}
		w := walk(seed, 20_000, c)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { mustHold(t, w) })
		for what, n := range w.counts {
			counts[what] += n
		}
	}
	for _, what := range []string{
		"acknowledged, two", "acknowledged, alone", "confirmed, two", "confirmed, alone", "answers that nobody knows",
		"changes that came late", "without an answer", "copies replaced", "handed over", "restored", "sets of 2",
		"answers to a term that was over",
	} {
		if counts[what] == 0 {
			t.Errorf("%q has happened 0 times, want at least once: %v", what, counts)
		}
	}
}

// FuzzWalk is TestWalk with seeds from the fuzzer.
func FuzzWalk(f *testing.F) {
	f.Add(uint64(1), uint16(1000), false)
	f.Add(uint64(2), uint16(30_000), true)
	f.Fuzz(func(t *testing.T, seed uint64, count uint16, strict bool) {
		c := usual()
		if strict {
			c.Policy = decide.Strict
		}
		mustHold(t, walk(seed, int(count), c))
	})
}
