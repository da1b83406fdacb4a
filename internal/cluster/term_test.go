package cluster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
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
		b.role.hold(true)
		w.consul.mu.Lock()
		w.consul.unanswered = 1
		w.consul.mu.Unlock()
		b.cluster.Leave(t.Context())
		w.MustWrite(t, a, "alone", repo.Alone)
		before := w.consul.members()
		w.consul.arrive()
		if !slices.Equal(before, []string{"a"}) {
			t.Errorf("acknowledged with the set %v, want %v", before, []string{"a"})
		}
		if got := w.consul.members(); !slices.Equal(got, before) {
			t.Errorf("after a change that came late the set is %v, want %v, as before", got, before)
		}
	})
	t.Run("of one that comes", func(t *testing.T) {
		w := MustWorld(t)
		a := w.MustNode(t, "a")
		w.consul.mu.Lock()
		w.consul.unanswered = 1
		w.consul.mu.Unlock()
		b := w.MustNode(t, "b")
		repotest.Eventually(t, patience, "the change has been tried", func() bool {
			w.consul.mu.Lock()
			defer w.consul.mu.Unlock()
			return w.consul.unanswered == 0
		})
		b.role.hold(true)
		b.cluster.Leave(t.Context()) // nobody waits for it, unless it may be in the set
		w.MustWrite(t, a, "alone", repo.Alone)
		w.consul.arrive()
		if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("a change that came late made the set %v: b can be elected without the write, want %v", got, []string{"a"})
		}
	})
	t.Run("while nobody answers", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t)
		w.consul.cut(true)
		b.role.hold(true)
		b.cluster.Leave(t.Context())
		end := w.write(t.Context(), a, "one", "k")
		mustWait(t, end)
		w.consul.cut(false)
		w.MustEnd(t, end).expectAssurance(t, "once Consul answers", repo.Alone)
	})
}

// TestALostRole: who waits gets the answer that nobody knows, at once, and asks the new primary.
func TestALostRole(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.role.hold(true)
	mine := w.write(t.Context(), a, "mine", "k")
	mustWait(t, mine)
	w.consul.grant("b")
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	b.role.hold(false)
	w.MustEnd(t, mine).expectReplayed(t, "asked the new primary, which has the row", true)
	if got := slices.Sorted(slices.Values(w.consul.members())); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the set is %v, want %v", got, []string{"a", "b"})
	}
}

// TestAShortLossOfTheRole is one all the same: another was primary meanwhile, and the
// row that the call waits for is not in its history.
func TestAShortLossOfTheRole(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.role.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	mustWait(t, end)
	w.rewrite(t, 1, "somebody else's")
	w.consul.grant("a") // another term
	a.role.Set(repotest.Unknown())
	a.role.Set(repotest.Primary())
	b.role.hold(false)
	// Asked again in the new term, which knows nothing of it.
	got := w.MustEnd(t, end)
	got.expectReplayed(t, "asked again", false)
	if got.receipt.Seq != 2 {
		t.Errorf("asked again: got Seq %d, want 2", got.receipt.Seq)
	}
}

// TestOutsideTheSetNoTermBegins: no writing connection, no migration, and the lease is
// given up.
func TestOutsideTheSetNoTermBegins(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := w.MustNode(t, "b", func(_ *cluster.Options, i *cluster.Info) { i.Candidate = false })
	w.consul.grant("b")
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if got := w.MustEnd(t, w.write(ctx, b, "two", "k")); !apperr.HasReason(got.err, apperr.NoPrimary) {
		t.Errorf("%+v, %v, want the reason %v", got.receipt, got.err, apperr.NoPrimary)
	}
	repotest.Eventually(t, patience, "b gives the lease up", func() bool {
		w.consul.mu.Lock()
		defer w.consul.mu.Unlock()
		return slices.Contains(w.consul.requests, "demote b")
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
		w.consul.mu.Lock()
		defer w.consul.mu.Unlock()
		return slices.Contains(w.consul.requests, "promote b")
	})
	a.role.Set(repotest.Unknown()) // as LiteFS does: the lease is on its way
	select {
	case err := <-done:
		t.Errorf("the lease is handed over with %v, want it to wait until b leads", err)
	case <-time.After(100 * time.Millisecond):
	}
	w.consul.grant("b")
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.MustSet(t, "b") // although DURABILITY_WAIT is a minute
	w.MustEnd(t, late).expectReplayed(t, "a's own user, served by b", false)
	// It reports to b now, until it has ended, and is not added to the set again.
	repotest.Eventually(t, patience, "a reports to b", func() bool { return len(b.cluster.Nodes(t.Context(), nil)) == 2 })
	w.MustWrite(t, b, "after", repo.Alone)
}

// TestHandOffThatNobodyAccepts: it is no success.
func TestHandOffThatNobodyAccepts(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	a.role.Set(repotest.Unknown())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := a.cluster.HandOff(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

// TestHandOffWithoutAStandby does not wait.
func TestHandOffWithoutAStandby(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	if err := a.cluster.HandOff(t.Context()); err != cluster.ErrNoStandby { //nolint:errorlint // returned as it is
		t.Errorf("%v, want %v", err, cluster.ErrNoStandby)
	}
}

// TestAbandon ends all waiting with the key.
func TestAbandon(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.role.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	mustWait(t, end)
	a.repo.Abandon()
	w.MustEnd(t, end).expectUnknown(t, "abandoned", "k")
}

// TestTheOldPrimaryIsNotWaitedForTwice: its heartbeats count as reports. One that has been
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
			b.role.Set(repotest.Unknown())
			b.elapsed.Jump(c.silent)
			w.consul.grant("b")
			b.role.Set(repotest.Primary())
			if !c.lost {
				mustWait(t, w.write(t.Context(), b, "two", "k"))
				return
			}
			w.MustWrite(t, b, "two", repo.Alone)
			if log, want := b.logged(), "out of the sync set"; !strings.Contains(log, want) {
				t.Errorf("got the log %s, want %q in it", log, want)
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
	elect := func(n, other *node) {
		t.Helper()
		other.role.Set(repotest.Unknown())
		w.consul.grant(n.id)
		n.role.Set(repotest.Primary())
		repotest.Eventually(t, patience, n.id+" leads", func() bool { return n.repo.Writing().State == repo.WriteFit })
	}
	elect(b, a)
	a.role.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports to b", func() bool { return b.cluster.Self().StandbySeq == 1 })
	elect(a, b)
	b.role.Set(replicaOf(a))
	b.role.hold(true)
	ctx, cancel := context.WithCancel(t.Context())
	lost := w.write(ctx, a, "two", "k") // b never gets it
	repotest.Eventually(t, patience, "a has it", func() bool {
		return a.cluster.Self().StandbySeq == 1 && a.cluster.Self().Seq == 2
	})
	elect(b, a)
	if got := b.cluster.Self().StandbySeq; got != 0 {
		t.Errorf("a has said nothing yet, and counts as having row %d, want 0", got)
	}
	a.role.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports its own row", func() bool { return b.reported(t, "a") == 2 })
	if got := b.cluster.Self().StandbySeq; got != 0 {
		t.Errorf("a has a row that is none of b's, and counts as having row %d, want 0", got)
	}
	cancel() // this world gives a nobody else's history, so it would wait
	<-lost
}

// reported is the newest row that the copy of the node with that id has by its own account, as n knows it.
func (n *node) reported(t *testing.T, id string) int64 {
	t.Helper()
	for _, i := range n.cluster.Nodes(t.Context(), nil) {
		if i.ID == id {
			return i.Seq
		}
	}
	return -1
}

// TestAnOldPrimaryReportsWhatItWrote, also what its own feed has not delivered: else the new
// primary would count it as a copy without that row.
func TestAnOldPrimaryReportsWhatItWrote(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	a.role.hold(true)
	b.role.hold(true)
	end := w.write(t.Context(), a, "one", "k")
	mustWait(t, end)
	w.consul.grant("b")
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a reports its row", func() bool {
		nodes := b.cluster.Nodes(t.Context(), nil)
		return len(nodes) == 2 && nodes[1].Node == "a" && nodes[1].Seq == 1
	})
	a.role.hold(false)
	b.role.hold(false)
	w.MustEnd(t, end).expectReplayed(t, "asked again", true)
}
