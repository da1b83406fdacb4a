package compose

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// Bounds of what chaos draws.
const (
	longestCalm  = 3 * time.Second
	longestBlow  = 20 * time.Second
	secondChance = 0.35 // that another follows before the first is undone
)

// plan is all that is drawn for one fault.
type plan struct {
	calm    time.Duration // before the first blow
	strikes []drawn       // one, or two at once
	swap    bool          // the first is undone first
}

// drawn is a blow by its place among all, and how long it is the newest.
type drawn struct {
	blow int
	long time.Duration
}

// draw makes the plan of a fault from the seed and the fault's number, and from nothing
// else. Which node is primary at that moment is not drawn.
func draw(seed uint64, number, blows int) plan {
	rng := rand.New(rand.NewPCG(seed, uint64(number))) // #nosec G115,G404 -- a small number; to be drawn again
	upTo := func(longest time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(longest))) }
	p := plan{calm: upTo(longestCalm), strikes: []drawn{{rng.IntN(blows), upTo(longestBlow / 2)}}}
	if rng.Float64() < secondChance {
		p.strikes = append(p.strikes, drawn{rng.IntN(blows), upTo(longestBlow / 3)})
		p.swap = rng.IntN(2) == 0
	}
	return p
}

// of returns the blows of the plan: the second only where it strikes others than the first.
func (p plan) of(all []*blow) []*blow {
	first := all[p.strikes[0].blow]
	if len(p.strikes) > 1 {
		if second := all[p.strikes[1].blow]; !second.strikes(first) && !second.wipes {
			return []*blow{first, second}
		}
	}
	return []*blow{first}
}

// Chaos draws a fault, or two at once, and when. One alone must do what TestFaults says of
// it, and lasts until writes are acknowledged again where they must be, if that is longer
// than what was drawn. Of two at once it is known that writes are tried everywhere, that they
// are acknowledged where neither keeps them from it (surviving), that who is cut off
// acknowledges nothing, and that the cluster becomes whole by itself.
func (s *Storm) Chaos(tb testing.TB, number int) {
	tb.Helper()
	s.begin(fmt.Sprintf("before fault %d", number))
	s.Go()
	s.Whole(tb)
	p := draw(s.Seed, number, len(s.blows(s.Node(Fra1), s.Node(Fra2))))
	f := s.spell(tb)
	f.lasts(f.from, p.calm)
	f.long = p.strikes[0].long
	primary, standby := s.Primary(tb)
	if struck := p.of(s.blows(primary, standby)); len(struck) == 1 {
		f.announce(number, struck[0], primary)
		struck[0].only(f)
	} else {
		f.together(number, p, struck, primary)
	}
	s.begin(fmt.Sprintf("after fault %d", number))
	f.whole()
	s.awaitChanges(tb)
	s.Quiet(tb)
}

func (f *spell) announce(number int, b *blow, primary *Node) {
	f.tb.Helper()
	f.begin(fmt.Sprintf("fault %d: %s", number, b))
	f.tb.Logf("%s: %s (primary %s)", f.Ledger.Now().Round(time.Millisecond), f.now(), primary.Name)
}

// together strikes with two blows, one after the other, and undoes both in any order.
func (f *spell) together(number int, p plan, struck []*blow, primary *Node) {
	f.tb.Helper()
	since := map[*blow]time.Duration{}
	for i, b := range struck {
		f.announce(number, b, primary)
		f.Hold(b.blind...)
		f.hit(f.forgiving(b))
		since[b] = f.struck
		f.lasts(f.struck, p.strikes[i].long)
	}
	f.attempted(f.Nodes...)
	if f.survive = f.surviving(struck); len(f.survive) > 0 {
		f.AwaitAcks(f.tb, f.struck, f.survive...)
		f.tb.Logf("%s: writes are acknowledged on %s", f.now(), strings.Join(names(f.survive), ", "))
	}
	if !p.swap {
		slices.Reverse(struck)
	}
	for _, b := range struck {
		f.until = f.Ledger.Now()
		f.try("heal", b.undo)
		if b.refuses {
			f.noAcks(since[b], b.victims...)
		}
	}
	f.recovery = both
}

// surviving are the nodes on which writes must be acknowledged although two blows last, none
// where that cannot be said. A candidate that neither strikes is primary or becomes it, and
// acknowledges by itself in the end. With both struck, or Consul, or with a primary that
// keeps the role for nothing, there may be none. A node that is away from another, or from
// Consul, may not find who is primary.
func (s *Storm) surviving(struck []*blow) []*Node {
	var victims, away []*Node
	for _, b := range struck {
		if b.stuck {
			return nil
		}
		victims = append(victims, b.victims...)
		away = slices.Concat(away, b.victims, b.holds, b.blind)
	}
	if slices.Contains(victims, s.Node(Consul)) || slices.Contains(victims, s.Node(Fra1)) && slices.Contains(victims, s.Node(Fra2)) {
		return nil
	}
	return s.others(away...)
}

func names(nodes []*Node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return all
}

// forgiving is b where something else is wrong too: then it is not known whether a node can
// still leave in good order, so it is only printed.
func (f *spell) forgiving(b *blow) *blow {
	f.tb.Helper()
	soft := *b
	soft.inject = func(ctx context.Context) error {
		err := b.inject(ctx)
		var exit *exitError
		if errors.As(err, &exit) {
			f.tb.Logf("%s: %v", f.now(), err)
			return nil
		}
		return err
	}
	return &soft
}
