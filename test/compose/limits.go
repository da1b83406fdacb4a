package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/test/cluster"
)

// spell is a fault that is in effect, with what its checks need.
type spell struct {
	*Storm
	tb       testing.TB
	from     time.Duration // beginning of the injection
	struck   time.Duration // end of the injection; checks consider what was asked for later
	until    time.Duration // the heal; 0 before it
	long     time.Duration // least duration
	recovery time.Duration // limit from the heal until the cluster is whole
	survive  []*Node       // nodes on which writes have to be acknowledged during the fault
	cutOff   []*Node       // nodes on which writes have to be asked for during the fault
}

// Limits of the time from a heal until the cluster is whole, on a quiet machine: a lease or two for
// an election, and as much for a standby to come into the set again. It takes longer when more than
// one container starts again, after its pause, or when Consul elects a leader first.
const (
	usual  = 4 * Lease
	longer = 6 * Lease
	both   = 8 * Lease // after two faults at the same time
)

func (s *Storm) spell(tb testing.TB) *spell {
	tb.Helper()
	s.expected()
	return &spell{Storm: s, tb: tb, from: s.Ledger.Now(), recovery: usual}
}

// strike injects the fault and notes the times.
func (f *spell) strike(inject func(ctx context.Context) error) time.Duration {
	f.tb.Helper()
	f.Board.Schedule(true)
	f.from = f.Ledger.Now()
	f.try("inject", inject)
	f.struck = f.Ledger.Now()
	if f.pending() == 0 {
		f.tb.Fatalf("%s: the injection has left no probe: it is not known whether it strikes", f.now())
	}
	return f.struck
}

// heal ends the fault, once it has lasted long enough and writes were acknowledged on all nodes
// that have to: an election may take longer than what was drawn.
func (f *spell) heal(heal func(ctx context.Context) error) {
	f.tb.Helper()
	if len(f.survive) > 0 {
		f.AwaitAcks(f.tb, f.struck, f.survive...)
	}
	f.attempted(f.cutOff...)
	f.lasts(f.struck, f.long)
	f.step("the fault has lasted")
	f.struckAll()
	f.until = f.Ledger.Now()
	f.try("heal", heal)
	f.expected() // healing may leave a probe as well
}

// whole waits until the cluster is whole, within a limit. What nodes need in that time is excused,
// so without a limit a node that takes minutes to follow again would not be noticed.
func (f *spell) whole() {
	f.tb.Helper()
	f.limitOfStart("whole again after the heal", f.Whole(f.tb)-f.until, f.recovery)
}

func (f *spell) try(what string, do func(ctx context.Context) error) {
	f.tb.Helper()
	if err := do(f.tb.Context()); err != nil {
		f.tb.Fatalf("%s: %s: %v", f.now(), what, err)
	}
}

// attempted waits until writes were asked for on each of the nodes since the injection.
func (f *spell) attempted(nodes ...*Node) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "writes are asked for on the other side",
		func(context.Context) error { return f.asked(nodes...) })
}

// asked returns an error that names the nodes on which no write was asked for since the injection.
func (f *spell) asked(nodes ...*Node) error {
	var errs []error
	for _, n := range nodes {
		if !slices.ContainsFunc(f.Ledger.Asks(), func(a Ask) bool { return a.Node == n.Name && a.Start > f.struck }) {
			errs = append(errs, fmt.Errorf("none on %s", n.Name))
		}
	}
	return errors.Join(errs...)
}

// onTheirWay is how long after a cut an answer may come to what was asked for before it: the row
// had arrived, and the answer waited for the node's own copy, for 2 s at most, or was delayed by a
// shared machine.
const onTheirWay = 3 * time.Second

// noAcks checks that the nodes that must not acknowledge have not.
func (f *spell) noAcks(injected time.Duration, refusing ...*Node) {
	f.tb.Helper()
	for _, a := range groundless(f.Ledger.Asks(), injected, f.until, refusing...) {
		f.tb.Errorf("%s: %s acknowledged key %s (%s) after %s and before %s", f.now(), a.Node, a.Key, at(a), injected,
			f.until)
	}
}

// groundless returns the acknowledgements by nodes that got no confirmation between two moments: a
// write that was asked for there after the first moment, or was waiting there, is not done before
// the second. A replay of what others were told earlier does not count, since it stays true.
func groundless(asks []Ask, cut, until time.Duration, nodes ...*Node) []Ask {
	return slices.DeleteFunc(asks, func(a Ask) bool {
		there := slices.ContainsFunc(nodes, func(n *Node) bool { return n.Name == a.Node })
		known := a.Start < cut && a.End <= cut+onTheirWay
		return !there || a.Outcome != OK || a.Replayed || known || a.End > until
	})
}

// limit prints how long something took in which no node starts, and its limit, and fails when it took too long for this
// machine (speed.go).
func (f *spell) limit(what string, took, limit time.Duration) {
	f.tb.Helper()
	f.within(what, took, limit, f.speed.write)
}

// limitOfStart is limit for something in which nodes start.
func (f *spell) limitOfStart(what string, took, limit time.Duration) {
	f.tb.Helper()
	f.within(what, took, limit, f.speed.start+f.speed.write)
}

func (f *spell) within(what string, took, limit, work time.Duration) {
	f.tb.Helper()
	const digits = 10 * time.Millisecond
	f.tb.Logf("%s: %s: %s, limit %s (and %s for this machine)", f.now(), what, took.Round(digits), limit,
		work.Round(digits))
	if err := exceeds(took, limit, work); err != nil {
		f.tb.Errorf("%s: %s: %v", f.now(), what, err)
	}
}

// becomes waits until a node is primary, and returns when that was seen.
func (f *spell) becomes(n *Node) time.Duration {
	f.tb.Helper()
	return f.awaitRole(n, true, f.from)
}

// stepsDown waits until a node is no longer primary, and returns when that was seen.
func (f *spell) stepsDown(n *Node) time.Duration {
	f.tb.Helper()
	return f.awaitRole(n, false, f.from)
}

// awaitRole waits until a node has said, after a moment, that it is primary, or that it is not. It
// returns when that was seen.
func (f *spell) awaitRole(n *Node, primary bool, since time.Duration) time.Duration {
	f.tb.Helper()
	var when time.Duration
	cluster.Poll(f.tb, upLimit, fmt.Sprintf("%s is primary: %t", n.Name, primary), func(context.Context) error {
		seen, ok := f.Roles.Since(n.Name, primary, since)
		if when = seen; !ok {
			return errors.New("it has not said so")
		}
		return nil
	})
	return when
}

// denies waits until a node says, after a moment, that it is not primary.
func (f *spell) denies(n *Node, since time.Duration) {
	f.tb.Helper()
	cluster.Poll(f.tb, upLimit, n.Name+" knows that it is not primary", func(context.Context) error {
		if !f.Roles.Deny(since, n.Name) {
			return errors.New("not yet")
		}
		return nil
	})
}

// comesBack checks, while the primary is down, that the standby is not elected, because it lacks
// what the primary has acknowledged alone. It starts the primary, which must become primary again.
func (f *spell) comesBack(primary, standby *Node) {
	f.tb.Helper()
	f.headless(3*Lease, standby.Name)
	f.survive, f.cutOff, f.recovery = nil, f.Nodes, longer
	f.heal(primary.Start)
	f.from = f.until // the wait for a primary counts from here
	f.becomes(primary)
}

// staysPrimary checks that the role has not moved.
func (f *spell) staysPrimary(primary *Node) {
	f.tb.Helper()
	if now, _ := f.Primary(f.tb); now != primary {
		f.tb.Errorf("%s: the role went from %s to %s", f.now(), primary.Name, now.Name)
	}
}

// staysOrMoves checks that the role has not moved or went to the other candidate, and prints which.
// It is for faults after which both are right.
func (f *spell) staysOrMoves(primary, standby *Node) {
	f.tb.Helper()
	now, _ := f.Primary(f.tb)
	moved, err := f.Roles.Moved(primary.Name, standby.Name, now.Name, f.from)
	switch {
	case err != nil:
		f.tb.Errorf("%s: the role was neither kept nor moved: %v", f.now(), err)
	case moved:
		f.tb.Logf("%s: the role has moved from %s to %s", f.now(), primary.Name, standby.Name)
	default:
		f.tb.Logf("%s: %s has kept the role", f.now(), primary.Name)
	}
}

// headless checks for some time that no node is primary, and that the named nodes deny it
// themselves. A node that is down denies nothing.
func (f *spell) headless(long time.Duration, up ...string) {
	f.tb.Helper()
	begun := f.Ledger.Now()
	cluster.Poll(f.tb, long+upLimit, "nobody is primary", func(context.Context) error {
		if names := f.Roles.Primaries(begun); len(names) > 0 {
			f.tb.Fatalf("%s: %v became primary without every acknowledged write", f.now(), names)
		}
		if f.Ledger.Now()-begun < long {
			return errors.New("so far")
		}
		if !f.Roles.Deny(begun, up...) {
			return fmt.Errorf("%v have not answered", up)
		}
		return nil
	})
}

// awaitReason waits until an ask on one of the nodes, after since, was answered with this reason.
func (f *spell) awaitReason(since time.Duration, reason string, nodes ...*Node) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "somebody is told "+reason, func(context.Context) error {
		for _, a := range f.Ledger.AnsweredWith(since, reason) {
			if slices.ContainsFunc(nodes, func(n *Node) bool { return n.Name == a.Node }) {
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// lasts waits until long has passed since a moment.
func (f *spell) lasts(since, long time.Duration) {
	f.tb.Helper()
	cluster.Poll(f.tb, long+upLimit, "time passes", func(context.Context) error {
		if f.Ledger.Now()-since < long {
			return errors.New("not yet")
		}
		return nil
	})
}

// silence returns the longest time without an acknowledgement on any node, after since.
func (f *spell) silence(since time.Duration) time.Duration {
	ends := []time.Duration{since}
	for _, a := range f.Ledger.Asks() {
		if a.Outcome == OK && !a.Replayed && a.End > since {
			ends = append(ends, a.End)
		}
	}
	slices.Sort(ends)
	var most time.Duration
	for i := range len(ends) - 1 {
		most = max(most, ends[i+1]-ends[i])
	}
	return most
}

// alone waits until the primary has acknowledged alone.
func (f *spell) alone() {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "the primary is alone", func(context.Context) error {
		if newestAssurance(f.Ledger.Asks(), f.from) != repo.Alone {
			return errors.New("it is not")
		}
		return nil
	})
}

// step prints that a step of a fault begins.
func (f *spell) step(format string, args ...any) {
	f.tb.Helper()
	f.tb.Logf("%s: %s", f.Ledger.Now().Round(10*time.Millisecond), fmt.Sprintf(format, args...))
}
