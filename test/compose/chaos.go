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
	longestCalm      = 3 * time.Second
	longestInjection = 20 * time.Second
	secondChance     = 0.35 // that a second injection follows before the first is undone
)

// plan is all that is drawn for one fault.
type plan struct {
	calm    time.Duration // before the first injection
	strikes []drawn       // one, or two at once
	swap    bool          // the first is undone first, and not last
}

// drawn is an injection, by its place among all, and how long it lasts before the next one follows or one is undone.
type drawn struct {
	injection int
	long      time.Duration
}

// draw returns the plan of a fault. It depends only on the seed, the number of the fault and the number of injections,
// and not on which node is primary.
func draw(seed uint64, number, injections int) plan {
	rng := rand.New(rand.NewPCG(seed, uint64(number))) // #nosec G115,G404 -- a small number; to be drawn again
	upTo := func(longest time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(longest))) }
	p := plan{calm: upTo(longestCalm), strikes: []drawn{{rng.IntN(injections), upTo(longestInjection / 2)}}}
	if rng.Float64() < secondChance {
		p.strikes = append(p.strikes, drawn{rng.IntN(injections), upTo(longestInjection / 3)})
		p.swap = rng.IntN(2) == 0
	}
	return p
}

// of returns the injections of the plan. The second is left out when it strikes a victim of the first, when it wipes a
// disk, or when one of the two must strike apart.
func (p plan) of(all []*injection) []*injection {
	first := all[p.strikes[0].injection]
	if len(p.strikes) > 1 {
		if second := all[p.strikes[1].injection]; !second.strikes(first) && !second.wipes && !first.apart && !second.apart {
			return []*injection{first, second}
		}
	}
	return []*injection{first}
}

// Chaos runs one drawn fault: one injection, or two at once. One alone has the checks of TestFaults. It lasts as long
// as was drawn, or longer, until writes are acknowledged again where they must be. For two at once the checks are
// these: writes are tried on every node; they are acknowledged where neither injection prevents it (surviving); a node
// that is cut off acknowledges nothing; and the cluster becomes whole by itself.
func (s *Storm) Chaos(tb testing.TB, number int) {
	tb.Helper()
	l := newLaps()
	s.begin(fmt.Sprintf("before fault %d", number))
	s.Go()
	s.Whole(tb)
	l.end("before it")
	p := draw(s.Seed, number, s.Drawable())
	f := s.spell(tb)
	f.lasts(f.from, p.calm)
	f.long = p.strikes[0].long
	primary, standby := s.Primary(tb)
	if struck := p.of(s.drawable(primary, standby)); len(struck) == 1 {
		f.announce(number, struck[0], primary)
		struck[0].only(f)
	} else {
		f.together(number, p, struck, primary)
	}
	l.end("the fault")
	s.after(f, fmt.Sprintf("fault %d", number), l)
}

// announce begins a fault with the name of its injection, and prints which node is primary.
func (f *spell) announce(number int, b *injection, primary *Node) {
	f.tb.Helper()
	f.begin(fmt.Sprintf("fault %d: %s", number, b))
	f.tb.Logf("%s: %s (primary %s)", f.Ledger.Now().Round(time.Millisecond), f.now(), primary.Name)
}

// together injects two injections, one after the other, and undoes both in the order of the plan.
func (f *spell) together(number int, p plan, struck []*injection, primary *Node) {
	f.tb.Helper()
	since := map[*injection]time.Duration{}
	for i, b := range struck {
		f.announce(number, b, primary)
		f.Hold(b.blind...)
		f.hit(f.forgiving(b))
		since[b] = f.struck
		f.lasts(f.struck, p.strikes[i].long)
		f.struckAll() // before the next injection, which may end what shows that this one has struck
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

// surviving returns the nodes on which writes must be acknowledged during two injections. A candidate that neither
// injection strikes is primary or becomes it, and acknowledges in the end, alone if need be. There may be no such node,
// and then surviving returns none, when both candidates are struck, when Consul is, or when a primary may stay primary
// that can commit nothing. A node that is cut off from another one, or from Consul, may not find the primary.
func (s *Storm) surviving(struck []*injection) []*Node {
	var victims, away []*Node
	for _, b := range struck {
		if b.stuck {
			return nil
		}
		if b.partial {
			continue
		}
		victims = append(victims, b.victims...)
		away = slices.Concat(away, b.victims, b.holds, b.blind)
	}
	if slices.Contains(victims, s.Node(Consul)) || slices.Contains(victims, s.Node(Fra1)) &&
		slices.Contains(victims, s.Node(Fra2)) {
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

// forgiving returns b for a time at which something else is wrong as well. A node may then end with another exit code
// than 0, so that is printed and is no error.
func (f *spell) forgiving(b *injection) *injection {
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
