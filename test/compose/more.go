package compose

import (
	"regexp"
	"time"
)

// moreFaults returns the faults in the middle of a transfer, of nodes that are elected and cannot begin a term, and of
// clocks.
func moreFaults() []Fault {
	locked, migration, descriptors := unfits()
	return []Fault{
		{"r. replicas frozen, cut off and slow inside a copy", func(f *spell) {
			f.long = stalled
			inCopy(f, f.inAllWays())
		}},
		{"r. replicas frozen, cut off and slow inside a frame", func(f *spell) {
			inTransaction(f, f.inAllWays())
		}},
		{"s. a node is elected that " + locked.name, func(f *spell) { electedUnfit(f, locked) }},
		{"s. a node is elected that " + migration.name, func(f *spell) { electedUnfit(f, migration) }},
		{"s. a node is elected that " + descriptors.name, func(f *spell) { electedUnfit(f, descriptors) }},
		{"t. clocks minutes apart", clocksApart},
		{"t. the primary's clock jumps ten years", func(f *spell) {
			primary, _ := f.Primary(f.tb)
			clockJumps(f, primary)
		}},
		{"u. the primary suspended, its clocks standing still", suspended},
		{"u. the primary wakes from a suspension that its clock has counted", woken},
	}
}

// stalled is longer than a primary waits for a replica that reads nothing of its stream (package stream).
const stalled = 11 * time.Second

// inAllWays freezes the standby, cuts one replica off and leaves another slow.
func (f *spell) inAllWays() []interrupted {
	f.tb.Helper()
	_, standby := f.Primary(f.tb)
	frozen, cut, slow := interruptions()
	return replicas(
		interrupted{Node: standby, by: frozen},
		interrupted{Node: f.Node(Iad1), by: cut},
		interrupted{Node: f.Node(Nrt1), by: slow},
	)
}

// Named returns the faults whose name matches a regular expression, which are all for "". It panics when the expression
// is invalid.
func Named(all []Fault, expression string) (some []Fault) {
	match := regexp.MustCompile(expression)
	for _, f := range all {
		if match.MatchString(f.Name) {
			some = append(some, f)
		}
	}
	return some
}

// Drawable returns how many injections chaos draws from.
func (s *Storm) Drawable() int { return len(s.drawable(s.Node(Fra1), s.Node(Fra2))) }

// drawable returns the injections that chaos draws from: all, or those whose name matches Only. An injection has the
// same place among them, whichever node is primary.
func (s *Storm) drawable(primary, standby *Node) (some []*injection) {
	match := regexp.MustCompile(s.Only)
	for _, b := range s.injections(primary, standby) {
		if match.MatchString(b.name) {
			some = append(some, b)
		}
	}
	return some
}

// moreInjections returns the faults of moreFaults as injections, each for one node and one kind of interruption, and
// the losses of power.
func (s *Storm) moreInjections(primary, standby *Node) (all []*injection) {
	add := func(name string, victim *Node, only func(f *spell)) {
		// inject does nothing, because only injects by itself.
		all = append(all, &injection{
			name: name, victims: []*Node{victim}, apart: true, inject: nothing, undo: nothing, only: only,
		})
	}
	frozen, cut, slow := interruptions()
	for _, way := range []struct {
		interruption
		at *Node
	}{
		{frozen, standby}, {frozen, s.Node(Nrt1)}, {cut, standby}, {cut, s.Node(Iad1)}, {slow, standby}, {slow, s.Node(Nrt1)},
	} {
		at := func() []interrupted { return replicas(interrupted{Node: way.at, by: way.interruption}) }
		add(way.name+" inside a copy", way.at, func(f *spell) { inCopy(f, at()) })
		add(way.name+" inside a frame", way.at, func(f *spell) { inTransaction(f, at()) })
	}
	locked, migration, descriptors := unfits()
	for _, u := range []unfit{locked, migration, descriptors} {
		add("an election of one that "+u.name, standby, func(f *spell) { electedUnfit(f, u) })
	}
	add("clocks minutes apart", primary, clocksApart)
	for _, n := range s.Nodes {
		add("a clock that jumps ten years", n, func(f *spell) { clockJumps(f, n) })
	}
	add("suspension with clocks that stand still", primary, suspended)
	add("suspension that the clock has counted", primary, woken)
	return append(all, s.powerInjections(primary, standby)...)
}
