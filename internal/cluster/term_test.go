package cluster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestAnUnknownChange: while nobody knows whether the standby is in the set, nothing is
// acknowledged without it, and what was on its way does not arrive later.
func TestAnUnknownChange(t *testing.T) {
	t.Run("of one that leaves", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t)
		b.seat.hold(true)
		w.keeper.mu.Lock()
		w.keeper.swallow = 1
		w.keeper.mu.Unlock()
		b.cluster.Leave(t.Context())
		w.MustWrite(t, a, "alone", repo.Alone)
		before := w.keeper.members()
		w.keeper.arrive()
		if got := w.keeper.members(); !slices.Equal(before, []string{"a"}) || !slices.Equal(got, before) {
			t.Errorf("acknowledged with %v, and then the set is %v", before, got)
		}
	})
	t.Run("of one that comes", func(t *testing.T) {
		w := MustWorld(t)
		a := w.MustNode(t, "a")
		w.keeper.mu.Lock()
		w.keeper.swallow = 1
		w.keeper.mu.Unlock()
		b := w.MustNode(t, "b")
		repotest.Eventually(t, patience, "the change has been tried", func() bool {
			w.keeper.mu.Lock()
			defer w.keeper.mu.Unlock()
			return w.keeper.swallow == 0
		})
		b.seat.hold(true)
		b.cluster.Leave(t.Context()) // nobody waits for it, unless it may be in the set
		w.MustWrite(t, a, "alone", repo.Alone)
		w.keeper.arrive()
		if got := w.keeper.members(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("a change that came late made the set %v: b can be elected without the write", got)
		}
	})
	t.Run("while nobody answers", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t)
		w.keeper.cut(true)
		b.seat.hold(true)
		b.cluster.Leave(t.Context())
		end := w.write(t.Context(), a, "one", "k")
		waits(t, end)
		w.keeper.cut(false)
		if got := w.MustEnd(t, end); got.err != nil || got.receipt.Assurance != repo.Alone {
			t.Errorf("%+v, %v", got.receipt, got.err)
		}
	})
}

// TestALostRole: who waits is told that nobody knows, at once, and asks the new primary.
func TestALostRole(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.seat.hold(true)
	mine := w.write(t.Context(), a, "mine", "k")
	waits(t, mine)
	w.keeper.hand("b")
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	b.seat.hold(false)
	got := w.MustEnd(t, mine)
	if got.err != nil || !got.receipt.Replayed {
		t.Errorf("%+v, %v: the new primary has the row", got.receipt, got.err)
	}
	if got := w.keeper.members(); !slices.Equal(got, []string{"b", "a"}) && !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the set is %v", got)
	}
}

// TestAShortLossOfTheRole is one all the same: another was primary meanwhile, and the
// row that the call waits for is not in its history.
func TestAShortLossOfTheRole(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.seat.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	waits(t, end)
	w.rewrite(t, 1, "somebody else's")
	w.keeper.hand("a") // another term
	a.seat.Set(repotest.Unknown())
	a.seat.Set(repotest.Primary())
	b.seat.hold(false)
	// Asked again in the new term, which knows nothing of it.
	if got := w.MustEnd(t, end); got.err != nil || got.receipt.Replayed || got.receipt.Seq != 2 {
		t.Errorf("%+v, %v", got.receipt, got.err)
	}
}

// TestOutsideTheSetNobodyLeads: no writing connection, no migration, and the lease is
// given up.
func TestOutsideTheSetNobodyLeads(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := w.MustNode(t, "b", func(_ *cluster.Options, i *cluster.Info) { i.Candidate = false })
	w.keeper.hand("b")
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if got := w.MustEnd(t, w.write(ctx, b, "two", "k")); !repo.HasReason(got.err, repo.NoPrimary) {
		t.Errorf("%+v, %v", got.receipt, got.err)
	}
	repotest.Eventually(t, patience, "b gives the lease up", func() bool {
		w.keeper.mu.Lock()
		defer w.keeper.mu.Unlock()
		return slices.Contains(w.keeper.told, "demote b")
	})
}

// TestHandOff: the standby is asked once it has everything, and does not wait for the one
// that left.
func TestHandOff(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	if err := a.repo.Retire(); err != nil {
		t.Fatal(err)
	}
	late := w.write(t.Context(), a, "too late for a", "k")
	a.cluster.Leave(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.cluster.HandOff(t.Context()) }()
	repotest.Eventually(t, patience, "b is asked to take over", func() bool {
		w.keeper.mu.Lock()
		defer w.keeper.mu.Unlock()
		return slices.Contains(w.keeper.told, "promote b")
	})
	a.seat.Set(repotest.Unknown()) // as LiteFS does: the lease is on its way
	select {
	case err := <-done:
		t.Errorf("%v, and nobody leads", err)
	case <-time.After(100 * time.Millisecond):
	}
	w.keeper.hand("b")
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.MustSet(t, "b") // although DURABILITY_WAIT is a minute
	if got := w.MustEnd(t, late); got.err != nil || got.receipt.Replayed {
		t.Errorf("%+v, %v: a's own user is served by b", got.receipt, got.err)
	}
	// It reports to b now, until it has ended, and is not taken into the set again.
	repotest.Eventually(t, patience, "a reports to b", func() bool { return len(b.cluster.Nodes(t.Context(), nil)) == 2 })
	w.MustWrite(t, b, "after", repo.Alone)
}

// TestHandOffThatNobodyTakes: it is no success.
func TestHandOffThatNobodyTakes(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	a.seat.Set(repotest.Unknown())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := a.cluster.HandOff(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestHandOffWithoutAStandby does not wait.
func TestHandOffWithoutAStandby(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	if err := a.cluster.HandOff(t.Context()); err != cluster.ErrNoStandby { //nolint:errorlint // returned as it is
		t.Error(err)
	}
}

// TestAbandon ends all waiting with the key.
func TestAbandon(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.seat.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	waits(t, end)
	a.repo.Abandon()
	if got := w.MustEnd(t, end); !repo.HasReason(got.err, repo.OutcomeUnknown) || repo.AsError(got.err).Key != "k" {
		t.Errorf("%v", got.err)
	}
}

// TestTheOldPrimaryIsNotWaitedForTwice: its words count as reports. One that has been
// silent for DURABILITY_WAIT when this node becomes primary is lost at once, and one that
// was heard until a moment before is not.
func TestTheOldPrimaryIsNotWaitedForTwice(t *testing.T) {
	for name, c := range map[string]struct {
		silent time.Duration
		lost   bool
	}{
		"silent through the election": {61 * time.Second, true},
		"heard until just now":        {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			a, b := w.MustPair(t) // they wait a minute
			w.MustWrite(t, a, "one", repo.Two)
			if err := a.cluster.Close(); err != nil { // as if it were dead
				t.Fatal(err)
			}
			b.seat.Set(repotest.Unknown())
			b.cluster.Unheard(c.silent)
			w.keeper.hand("b")
			b.seat.Set(repotest.Primary())
			if !c.lost {
				waits(t, w.write(t.Context(), b, "two", "k"))
				return
			}
			w.MustWrite(t, b, "two", repo.Alone)
			if !strings.Contains(b.log.String(), "out of the sync set") {
				t.Error("the log does not say so")
			}
		})
	}
}

// TestAReportOfAnEarlierTerm does not count: the copy has had another history since.
func TestAReportOfAnEarlierTerm(t *testing.T) {
	w := MustWorld(t)
	w.apart = "b"
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := w.MustNode(t, "b")
	w.MustSet(t, "a", "b")
	lead := func(n, other *node) {
		t.Helper()
		other.seat.Set(repotest.Unknown())
		w.keeper.hand(n.id)
		n.seat.Set(repotest.Primary())
		repotest.Eventually(t, patience, n.id+" leads", func() bool { return n.repo.Writing().State == repo.WriteFit })
	}
	lead(b, a)
	a.seat.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports to b", func() bool { return b.cluster.Covered("a") == 1 })
	lead(a, b)
	b.seat.Set(replicaOf(a))
	b.seat.hold(true)
	ctx, cancel := context.WithCancel(t.Context())
	lost := w.write(ctx, a, "two", "k") // b never gets it
	repotest.Eventually(t, patience, "a has it", func() bool { return a.cluster.Covered("b") == 1 && a.cluster.Newest() == 2 })
	lead(b, a)
	if got := b.cluster.Covered("a"); got != -1 {
		t.Errorf("a has said nothing yet, and counts as having row %d", got)
	}
	a.seat.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports its own row", func() bool { return b.cluster.Reported("a") == 2 })
	if got := b.cluster.Covered("a"); got != -1 {
		t.Errorf("a has a row that is none of b's, and counts as having row %d", got)
	}
	cancel() // this world gives a nobody else's history, so it would wait
	<-lost
}

// TestAnOldPrimaryReportsWhatItWrote, also what its own feed has not told: else the new
// primary would take it for a copy without that row.
func TestAnOldPrimaryReportsWhatItWrote(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	a.seat.hold(true)
	b.seat.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	waits(t, end)
	w.keeper.hand("b")
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports its row", func() bool {
		nodes := b.cluster.Nodes(t.Context(), nil)
		return len(nodes) == 2 && nodes[1].Node == "a" && nodes[1].Seq == 1
	})
	a.seat.hold(false)
	b.seat.hold(false)
	if got := w.MustEnd(t, end); got.err != nil || !got.receipt.Replayed {
		t.Errorf("%+v, %v", got.receipt, got.err)
	}
}
