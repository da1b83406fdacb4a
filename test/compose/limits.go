package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"blog/test/cluster"
)

// spell is a fault that is on: what it needs to say what must happen, and to count.
type spell struct {
	*Storm
	tb       testing.TB
	from     time.Duration // the injection's beginning
	struck   time.Duration // its end: what is counted was asked for after it
	until    time.Duration // the heal; 0 before it
	long     time.Duration // how long it lasts at least
	recovery time.Duration // the limit from the heal until all is as before
	survive  []*Node       // where writes must be acknowledged meanwhile
	cutOff   []*Node       // where writes must be asked for meanwhile
}

// Limits of the time from a heal until the cluster is whole: a lease or two for an
// election, as much for a standby to come into the set again. It takes longer where more
// than one container begins anew, after its pause, or Consul's own election comes before.
const (
	usual  = 4 * Lease
	longer = 6 * Lease
	both   = 8 * Lease // after two faults at once
)

func (s *Storm) spell(tb testing.TB) *spell {
	tb.Helper()
	return &spell{Storm: s, tb: tb, from: s.Ledger.Now(), recovery: usual}
}

// strike injects: from now on it counts.
func (f *spell) strike(inject func(ctx context.Context) error) time.Duration {
	f.tb.Helper()
	f.from = f.Ledger.Now()
	f.try("inject", inject)
	f.struck = f.Ledger.Now()
	return f.struck
}

// heal ends it, once it has lasted and writes have been acknowledged wherever they must
// be: an election may take longer than what was drawn.
func (f *spell) heal(heal func(ctx context.Context) error) {
	f.tb.Helper()
	if len(f.survive) > 0 {
		f.AwaitAcks(f.tb, f.struck, f.survive...)
	}
	f.attempted(f.cutOff...)
	f.lasts(f.struck, f.long)
	f.until = f.Ledger.Now()
	f.try("heal", heal)
}

// whole waits until the cluster is as it was, within a limit: what it needs meanwhile is
// excused, so a node that takes minutes to follow again would not be seen.
func (f *spell) whole() {
	f.tb.Helper()
	f.Whole(f.tb)
	f.limit("whole again after the heal", f.Ledger.Now()-f.until, f.recovery)
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
	cluster.Poll(f.tb, ackLimit, "writes are asked for on the other side", func(context.Context) error { return f.asked(nodes...) })
}

// asked reports the nodes on which no write was asked for after the injection.
func (f *spell) asked(nodes ...*Node) error {
	var errs []error
	for _, n := range nodes {
		if !slices.ContainsFunc(f.Ledger.Asks(), func(a Ask) bool { return a.Node == n.Name && a.Start > f.struck }) {
			errs = append(errs, fmt.Errorf("none on %s", n.Name))
		}
	}
	return errors.Join(errs...)
}

// onTheirWay is how long after a cut an answer may come to what was asked before it: it had
// arrived, and waited for the node's own copy, for 2 s at the most, or was about to be told
// by a machine that is shared.
const onTheirWay = 3 * time.Second

// noAcks checks that what must not acknowledge has not.
func (f *spell) noAcks(injected time.Duration, refusing ...*Node) {
	f.tb.Helper()
	for _, a := range groundless(f.Ledger.Asks(), injected, f.until, refusing...) {
		f.tb.Errorf("%s: %s acknowledged key %s (%s) after %s and before %s", f.now(), a.Node, a.Key, at(a), injected, f.until)
	}
}

// groundless are the acknowledgements on nodes that nobody confirmed anything to between
// two moments: what was asked there after the first is not done before the second, nor is
// what waited there already. A replay of what others have had before is no news: it stays
// true.
func groundless(asks []Ask, cut, until time.Duration, nodes ...*Node) []Ask {
	return slices.DeleteFunc(asks, func(a Ask) bool {
		there := slices.ContainsFunc(nodes, func(n *Node) bool { return n.Name == a.Node })
		known := a.Start < cut && a.End <= cut+onTheirWay
		return !there || a.Outcome != OK || a.Replayed || known || a.End > until
	})
}

// limit prints how long something took against its limit, and fails at twice the limit:
// the machine is shared.
func (f *spell) limit(what string, took, limit time.Duration) {
	f.tb.Helper()
	f.tb.Logf("%s: %s: %s, limit %s", f.now(), what, took.Round(10*time.Millisecond), limit)
	if took > 2*limit {
		f.tb.Errorf("%s: %s took %s, more than twice %s", f.now(), what, took, limit)
	}
}

// becomes waits until a node is primary, and returns when it was seen to be.
func (f *spell) becomes(n *Node) time.Duration {
	f.tb.Helper()
	var when time.Duration
	cluster.Poll(f.tb, upLimit, n.Name+" becomes primary", func(context.Context) error {
		since, ok := f.Roles.Since(n.Name, true, f.from)
		if when = since; !ok {
			return errors.New("it is not")
		}
		return nil
	})
	return when
}

// stepsDown waits until a node is not primary any more, and returns when that was seen.
func (f *spell) stepsDown(n *Node) time.Duration {
	f.tb.Helper()
	var when time.Duration
	cluster.Poll(f.tb, upLimit, n.Name+" steps down", func(context.Context) error {
		since, ok := f.Roles.Since(n.Name, false, f.from)
		if when = since; !ok {
			return errors.New("it is primary still")
		}
		return nil
	})
	return when
}

// keeps checks that the role is where it was.
func (f *spell) keeps(primary *Node) {
	f.tb.Helper()
	if now, _ := f.Primary(f.tb); now != primary {
		f.tb.Errorf("%s: the role went from %s to %s", f.now(), primary.Name, now.Name)
	}
}

// keepsOrMoves checks that the role is where it was or went over to the other candidate, as
// it may where nothing says which, and prints which it was.
func (f *spell) keepsOrMoves(primary, standby *Node) {
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

// headless checks for some time that nobody is primary, and that the named nodes have
// said so of themselves: one that is down denies nothing.
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

// tells waits until somebody who asked after since, on one of the nodes, was told that
// reason.
func (f *spell) tells(since time.Duration, reason string, nodes ...*Node) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "somebody is told "+reason, func(context.Context) error {
		for _, a := range f.Ledger.Told(since, reason) {
			if slices.ContainsFunc(nodes, func(n *Node) bool { return n.Name == a.Node }) {
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// lasts waits until so much time has passed since a moment.
func (f *spell) lasts(since, long time.Duration) {
	f.tb.Helper()
	cluster.Poll(f.tb, long+upLimit, "time passes", func(context.Context) error {
		if f.Ledger.Now()-since < long {
			return errors.New("not yet")
		}
		return nil
	})
}

// silence is the longest time without an acknowledgement anywhere, in what was
// acknowledged after since.
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

// alone waits until the primary acknowledges by itself, where it ever waits for another.
func (f *spell) alone(nodes ...*Node) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "the primary is alone", func(context.Context) error {
		for _, a := range f.Ledger.Asks() {
			if a.Start > f.from && a.Outcome == OK && a.Assurance != "two" {
				return nil
			}
		}
		return errors.New("it is not")
	})
}
