package cluster_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"blog/internal/clock"
	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// years is what a wrong clock is ahead by.
const years = 10 * 365 * 24 * time.Hour

// withClock gives the node the clocks of m, and changes nothing else.
func withClock(m *repotest.Machine) (change, *clock.Clock) {
	c := clock.OpenMember(m.Read, slog.New(slog.DiscardHandler))
	return func(o *cluster.Options, _ *cluster.Info) { o.Clock = c }, c
}

// newestAt is the date of the newest write.
func newestAt(t *testing.T, n *node) time.Time {
	t.Helper()
	var at string
	err := n.repo.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "SELECT at FROM writes ORDER BY seq DESC LIMIT 1").Scan(&at)
	})
	if err != nil {
		t.Fatal(err)
	}
	when, err := repo.ParseTime(at)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// wantTime fails unless the newest write, which n has just made, has that date.
func wantTime(t *testing.T, when string, n *node, want time.Time) {
	t.Helper()
	if off := newestAt(t, n).Sub(want).Abs(); off > clock.Bound {
		t.Errorf("%s: dated %v, want %v", when, newestAt(t, n), want)
	}
}

// TestClockOfAPrimaryThatAloneIsWrong: at its start a primary whose clock is ten years
// ahead, or behind, dates writes by the newest write's date and what has passed since, and
// says so, as long as no other node's clock agrees; once its own is right it goes by it.
// The others go by no clock that nobody confirms.
func TestClockOfAPrimaryThatAloneIsWrong(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": years, "behind": -years} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			right, wrong := repotest.NewMachine(0), repotest.NewMachine(off)
			first, firstClock := withClock(right)
			old := w.MustNode(t, "a", first)
			w.MustWrite(t, old, "one", repo.Alone)
			begun := newestAt(t, old)
			for _, m := range []*repotest.Machine{right, wrong} {
				m.Pass(time.Hour)
			}

			second, wrongClock := withClock(wrong)
			b := w.MustNode(t, "b", second)
			w.MustSet(t, "a", "b")
			w.consul.grant("b")
			b.role.Set(repotest.Primary())
			old.role.Set(replicaOf(b))
			w.MustSet(t, "a", "b")
			wrong.Pass(time.Hour)
			right.Pass(time.Hour)
			w.MustWrite(t, b, "two", repo.Two)
			// b saw the row when it began, an hour after it was written.
			wantTime(t, "alone", b, begun.Add(time.Hour))
			repotest.Eventually(t, patience, "it says so", func() bool {
				return strings.Contains(b.cluster.Self().Problem, "no second node's agrees")
			})
			if at := wrongClock.Confirmed(); !at.IsZero() {
				t.Errorf("the wrong clock is confirmed at %s, want it not to be", at)
			}
			if got := firstClock.Now().Sub(right.Truth()).Abs(); got > clock.Bound {
				t.Errorf("the other node's time is %v from the truth, want at most %v", got, clock.Bound)
			}
			wrong.Set(0)
			repotest.Eventually(t, patience, "the second node agrees", func() bool { return !wrongClock.Confirmed().IsZero() })
			w.MustWrite(t, b, "three", repo.Two)
			wantTime(t, "confirmed", b, right.Truth())
			repotest.Eventually(t, patience, "nothing is wrong", func() bool { return b.cluster.Self().Problem == "" })
		})
	}
}

// TestClocksOfTwoNodes: two nodes whose clocks agree go by them, whatever the newest
// write says; a clock that jumps afterwards, on either, is not followed, and the jump is
// said on every node.
func TestClocksOfTwoNodes(t *testing.T) {
	w := MustWorld(t)
	ma, mb := repotest.NewMachine(0), repotest.NewMachine(0)
	first, ca := withClock(ma)
	second, cb := withClock(mb)
	a := w.MustNode(t, "a", first)
	w.MustNode(t, "b", second)
	w.MustSet(t, "a", "b")
	repotest.Eventually(t, patience, "both are confirmed", func() bool {
		return !ca.Confirmed().IsZero() && !cb.Confirmed().IsZero()
	})
	w.MustWrite(t, a, "one", repo.Two)
	wantTime(t, "two that agree", a, ma.Truth())

	ma.Set(years)
	w.MustWrite(t, a, "two", repo.Two)
	wantTime(t, "the primary's jumps", a, ma.Truth())
	mb.Set(-years)
	if off := cb.Now().Sub(mb.Truth()).Abs(); off > clock.Bound {
		t.Errorf("the replica's jumps: its time is %v off, want at most %v", off, clock.Bound)
	}
	repotest.Eventually(t, patience, "both say so, on the primary", func() bool {
		said := 0
		for _, i := range a.cluster.Nodes(t.Context(), nil) {
			if strings.Contains(i.Problem, "which is wrong by") {
				said++
			}
		}
		return said == 2
	})
	ma.Set(0)
	mb.Set(0)
	repotest.Eventually(t, patience, "mended", func() bool { return ca.Problem() == "" && cb.Problem() == "" })
}

// TestClockOfAReplica: a replica whose clock is ten years ahead from the start goes by
// the primary's, on which two nodes agree: it ends nobody's session.
func TestClockOfAReplica(t *testing.T) {
	w := MustWorld(t)
	right, wrong := repotest.NewMachine(0), repotest.NewMachine(years)
	first, _ := withClock(right)
	second, _ := withClock(right)
	third, cc := withClock(wrong)
	w.MustNode(t, "a", first)
	w.MustNode(t, "b", second)
	w.MustSet(t, "a", "b")
	w.MustNode(t, "c", third, func(_ *cluster.Options, i *cluster.Info) { i.Candidate = false })
	repotest.Eventually(t, patience, "it goes by the primary's time", func() bool { return !cc.Confirmed().IsZero() })
	if off := cc.Now().Sub(right.Truth()).Abs(); off > clock.Bound {
		t.Errorf("the replica's time is %v off, want at most %v", off, clock.Bound)
	}
	if problem := cc.Problem(); !strings.Contains(problem, "which is wrong by") {
		t.Errorf("the problem %q, want with %q", problem, "which is wrong by")
	}
}
