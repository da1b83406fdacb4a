package compose

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"blog/internal/repo"
)

// blow is what chaos can do to a node or to Consul, and undo.
type blow struct {
	name   string
	victim *Node
	// silent: the victim is not expected to answer readers.
	silent bool
	// holds are nodes that rows may not reach, or leave.
	holds        []*Node
	inject, undo func(ctx context.Context) error
}

// cutOff is the blow after which the victim has nobody on whose word it could
// acknowledge anything, although it is asked.
const cutOff = "cut off from all"

// fullDisk is the blow after which those who write are told so, where nothing else is
// wrong.
const fullDisk = "full disk"

func nothing(context.Context) error { return nil }

// blows are all that can be done now.
func (s *Storm) blows(primary, standby *Node) []blow {
	var all []blow
	for _, n := range s.Nodes {
		all = append(
			all,
			blow{"kill -9 of the container", n, true, nil, n.Kill, n.Start},
			blow{"kill -9 of blog serve", n, true, nil, func(ctx context.Context) error { return n.KillProcess(ctx, "serve") }, nothing},
			blow{"kill -9 of blog mount", n, true, nil, func(ctx context.Context) error { return n.KillProcess(ctx, "mount") }, nothing},
			blow{"SIGTERM", n, true, nil, func(ctx context.Context) error { _, err := n.Stop(ctx); return err }, n.Start},
			blow{cutOff, n, false, []*Node{n}, n.CutOff, n.Heal},
			blow{"pause", n, true, nil, n.Pause, n.Unpause},
			blow{"unplug", n, true, nil, n.Unplug, n.Plug},
		)
	}
	for _, n := range []*Node{primary, standby} {
		all = append(all, blow{"cut off from Consul", n, false, []*Node{n}, func(ctx context.Context) error { return n.CutFrom(ctx, s.Node(Consul)) }, n.Heal})
	}
	consul := s.Node(Consul)
	return append(
		all,
		blow{"cut off from the standby", primary, false, []*Node{standby}, func(ctx context.Context) error { return primary.CutFrom(ctx, standby) }, primary.Heal},
		blow{"replication held", standby, false, []*Node{standby}, standby.HoldReplication, standby.Heal},
		blow{fullDisk, primary, true, nil, func(context.Context) error { return primary.Fill() }, func(context.Context) error { return primary.Empty() }},
		blow{"pause", consul, false, nil, consul.Pause, consul.Unpause},
		blow{"kill -9 of the container", consul, false, nil, consul.Kill, consul.Start},
	)
}

// Bounds of what chaos draws.
const (
	longestCalm  = 3 * time.Second
	longestBlow  = 20 * time.Second
	secondChance = 0.35 // that another follows before the first is undone
)

// Chaos draws a fault, or two at once, and when, from the seed and the fault's number;
// afterwards the cluster has to become whole by itself. Which node is primary at that
// moment is not drawn.
func (s *Storm) Chaos(tb testing.TB, number int) {
	tb.Helper()
	// Anew for each fault: what is drawn elsewhere depends on what happens, this must not.
	s.rng = rand.New(rand.NewPCG(s.Seed, uint64(number))) // #nosec G115,G404 -- a small number; to be drawn again
	s.begin(fmt.Sprintf("before fault %d", number))
	s.Go()
	s.Whole(tb)
	f := &spell{Storm: s, tb: tb, from: s.Ledger.Now()}
	f.lasts(f.from, s.draw(longestCalm))
	primary, standby := s.Primary(tb)
	var struck []blow
	since := map[*Node]time.Duration{} // it has been struck
	for len(struck) == 0 || (len(struck) == 1 && s.rng.Float64() < secondChance) {
		all := s.blows(primary, standby)
		b := all[s.rng.IntN(len(all))]
		if slices.ContainsFunc(struck, func(o blow) bool { return o.victim == b.victim }) {
			break
		}
		struck = append(struck, b)
		s.begin(fmt.Sprintf("fault %d: %s of %s", number, b.name, b.victim.Name))
		tb.Logf("%s: %s (primary %s)", s.Ledger.Now().Round(time.Millisecond), s.now(), primary.Name)
		if b.silent {
			s.Excuse(b.victim)
		}
		s.Hold(b.holds...)
		f.try("inject", b.inject)
		since[b.victim] = s.Ledger.Now()
		f.lasts(since[b.victim], s.draw(longestBlow/time.Duration(1+len(struck))))
	}
	if len(struck) == 1 && struck[0].name == fullDisk {
		f.tells(since[primary], repo.DiskFull, s.Nodes...)
	}
	s.rng.Shuffle(len(struck), func(i, j int) { struck[i], struck[j] = struck[j], struck[i] })
	for _, b := range struck {
		f.until = s.Ledger.Now()
		f.try("heal", b.undo)
		if b.name == cutOff {
			f.refusing = []*Node{b.victim}
			f.noAcks(since[b.victim])
		}
	}
	s.begin(fmt.Sprintf("after fault %d", number))
	s.Whole(tb)
	s.Quiet(tb)
}

// draw returns a time up to longest.
func (s *Storm) draw(longest time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(longest)))
}
