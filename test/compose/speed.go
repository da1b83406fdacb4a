package compose

import (
	"context"
	"fmt"
	"testing"
	"time"

	"blog/test/cluster"
)

// speed is how long the machine takes for what nodes do besides waiting for leases. A storm measures it before its
// first fault, so that a slow machine does not fail for its slowness. A limit needs no figure of another machine for
// that.
type speed struct {
	start time.Duration // from the start of two containers until both nodes are ready
	write time.Duration // the longest of some writes on each node
}

// slowest is the slowest machine on which a storm runs. It fails on a slower one: nothing is wrong yet, so either nodes
// hang, or the limits would be too long to find one that does.
var slowest = speed{start: 30 * time.Second, write: 5 * time.Second}

// check fails for a machine that is slower than slowest.
func (s speed) check() error {
	if s.start > slowest.start || s.write > slowest.write {
		return fmt.Errorf("nothing is wrong, and two nodes start in %s, at most %s, and a write takes %s, at most %s",
			s.start, slowest.start, s.write, slowest.write)
	}
	return nil
}

// exceeds fails when something took more than twice its limit and the machine's time for its work, because the machine
// is shared. The limit is that of a quiet machine: it has the leases and elections, which take as long on every one.
func exceeds(took, limit, work time.Duration) error {
	if allowed := 2 * (limit + work); took > allowed {
		return fmt.Errorf("it took %s, more than %s: twice %s, and %s for what this machine does meanwhile", took, allowed,
			limit, work)
	}
	return nil
}

// measureStart restarts the two nodes that are never primary, so no role moves, and measures how long they take until
// both are ready.
func (s *Storm) measureStart(tb testing.TB) {
	tb.Helper()
	nodes := []*Node{s.Node(Iad1), s.Node(Nrt1)}
	stop := func(n *Node, ctx context.Context) error { return n.docker(ctx, "stop") }
	if err := onEach(nodes, stop)(tb.Context()); err != nil {
		tb.Fatalf("stop two nodes: %v", err)
	}
	begun := time.Now()
	if err := onEach(nodes, (*Node).Start)(tb.Context()); err != nil {
		tb.Fatalf("start two nodes: %v", err)
	}
	s.awaitReady(tb)
	s.speed.start = time.Since(begun)
}

// measuredWrites is how many writes are measured on each node.
const measuredWrites = 2

// measureWrites measures writes, one after the other, while nobody else writes. It prints the machine's speed, and
// fails on one that is too slow.
func (s *Storm) measureWrites(tb testing.TB) {
	tb.Helper()
	s.begin("the machine's speed")
	s.awaitTwo(tb)
	for _, n := range s.Nodes {
		for i := range measuredWrites {
			key := fmt.Sprintf("%sspeed%d", n.Name, i)
			begun := time.Now()
			cluster.Poll(tb, ackLimit, "a write on "+n.Name, func(ctx context.Context) error {
				answer := s.Writers[n.Name].Ask(ctx, Write{Key: key, Kind: Create, Post: key}, patient)
				if answer.Outcome != OK {
					return fmt.Errorf("it is %s: %s", answer.Outcome, answer.Message)
				}
				return nil
			})
			s.speed.write = max(s.speed.write, time.Since(begun))
		}
	}
	if err := s.speed.check(); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("%s: two nodes start in %s, and a write takes %s", s.now(), s.speed.start.Round(10*time.Millisecond),
		s.speed.write.Round(10*time.Millisecond))
}
