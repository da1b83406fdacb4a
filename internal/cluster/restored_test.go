package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestARestoredConsul has the lock of this term, but a set from before: somebody may be elected who lacks what has
// been acknowledged since. Nothing is acknowledged until the set is this term's again.
func TestARestoredConsul(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t)
		before := w.keeper.current()
		b.seat.hold(true)
		b.cluster.Leave(t.Context())
		w.MustSet(t, "a")
		w.MustWrite(t, a, "one", repo.Alone)
		w.keeper.restore(before)
		w.keeper.refuse(1 << 30)
		end := w.write(t.Context(), a, "two", "k")
		replay := w.write(t.Context(), a, "one", "key of one")
		waits(t, end)
		waits(t, replay)
		w.keeper.refuse(0)
		for _, end := range []<-chan written{end, replay} {
			if got := w.MustEnd(t, end); got.err != nil || got.receipt.Assurance != repo.Alone {
				t.Errorf("%+v, %v", got.receipt, got.err)
			}
			if got := w.keeper.members(); !slices.Equal(got, []string{"a"}) {
				t.Errorf("acknowledged alone with the set %v", got)
			}
		}
		if !strings.Contains(a.log.String(), "not the sync set of this term") {
			t.Error("the log does not say so")
		}
	})
	t.Run("two, with nothing to write", func(t *testing.T) {
		w := MustWorld(t)
		a := w.MustNode(t, "a")
		before := w.keeper.current()
		w.MustNode(t, "b")
		w.MustSet(t, "a", "b")
		w.keeper.restore(before) // here of a alone, elsewhere of one that has been replaced
		w.MustSet(t, "a", "b")
		w.MustWrite(t, a, "one", repo.Two)
	})
	t.Run("as the role is lost from sight", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
		before := w.keeper.current()
		b.seat.hold(true)
		b.seat.Set(repotest.Primary()) // it believes so, and reports to nobody
		w.MustSet(t, "a")
		w.MustWrite(t, a, "one", repo.Alone)
		a.seat.Set(repotest.Unknown()) // the event stream breaks; the lease is the same
		w.keeper.restore(before)
		a.seat.Set(repotest.Primary())
		repotest.Eventually(t, patience, "a takes writes", func() bool { return a.repo.Writing().State == repo.WriteFit })
		if got := w.keeper.members(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("the set is %v, and b lacks a row that was acknowledged", got)
		}
	})
	t.Run("in doubt, with equal members", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
		before := w.keeper.current()
		for _, item := range []string{"one", "two", "three"} {
			w.MustWrite(t, a, item, repo.Two)
		}
		b.seat.Set(repotest.Unknown())
		b.seat.Set(repotest.Primary()) // it believes so, and reports to nobody
		w.MustSet(t, "a")
		b.seat.Set(replicaOf(a))
		w.MustSet(t, "a", "b")
		required := w.keeper.current().Required
		w.keeper.refuse(1)
		b.seat.Set(repotest.Primary())
		repotest.Eventually(t, patience, "a change without an answer", func() bool { return w.keeper.refused() })
		w.keeper.restore(before)
		b.seat.Set(replicaOf(a))
		repotest.Eventually(t, patience, "the set requires what it did", func() bool {
			return w.keeper.current().Required == required
		})
	})
}
