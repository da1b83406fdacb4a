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
		before := w.consul.current()
		b.role.hold(true)
		b.cluster.Leave(t.Context())
		w.MustSet(t, "a")
		w.MustWrite(t, a, "one", repo.Alone)
		w.consul.restore(before)
		w.consul.refuse(1 << 30)
		end := w.write(t.Context(), a, "two", "k")
		replay := w.write(t.Context(), a, "one", "key of one")
		mustWait(t, end)
		mustWait(t, replay)
		w.consul.refuse(0)
		for _, end := range []<-chan written{end, replay} {
			w.MustEnd(t, end).expectAssurance(t, "a write and its replay", repo.Alone)
			if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
				t.Errorf("acknowledged alone with the set %v, want %v", got, []string{"a"})
			}
		}
		if log, want := a.logged(), "not the sync set of this term"; !strings.Contains(log, want) {
			t.Errorf("got the log %s, want %q in it", log, want)
		}
	})
	t.Run("two, with nothing to write", func(t *testing.T) {
		w := MustWorld(t)
		a := w.MustNode(t, "a")
		before := w.consul.current()
		w.MustNode(t, "b")
		w.MustSet(t, "a", "b")
		w.consul.restore(before) // here of a alone, elsewhere of one that has been replaced
		w.MustSet(t, "a", "b")
		w.MustWrite(t, a, "one", repo.Two)
	})
	t.Run("as the role is lost from view", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
		before := w.consul.current()
		b.role.hold(true)
		b.role.Set(repotest.Primary()) // it believes so, and reports to nobody
		w.MustSet(t, "a")
		w.MustWrite(t, a, "one", repo.Alone)
		a.role.Set(repotest.Unknown()) // the event stream breaks; the lease is the same
		w.consul.restore(before)
		a.role.Set(repotest.Primary())
		repotest.Eventually(t, patience, "a takes writes", func() bool { return a.repo.Writing().State == repo.WriteFit })
		if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("the set is %v, and b lacks a row that was acknowledged, want %v", got, []string{"a"})
		}
	})
	t.Run("in doubt, with equal members", func(t *testing.T) {
		w := MustWorld(t)
		a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
		before := w.consul.current()
		for _, item := range []string{"one", "two", "three"} {
			w.MustWrite(t, a, item, repo.Two)
		}
		b.role.Set(repotest.Unknown())
		b.role.Set(repotest.Primary()) // it believes so, and reports to nobody
		w.MustSet(t, "a")
		b.role.Set(replicaOf(a))
		w.MustSet(t, "a", "b")
		required := w.consul.current().Required
		w.consul.refuse(1)
		b.role.Set(repotest.Primary())
		repotest.Eventually(t, patience, "a change without an answer", func() bool { return w.consul.refused() })
		w.consul.restore(before)
		b.role.Set(replicaOf(a))
		repotest.Eventually(t, patience, "the set requires what it did", func() bool {
			return w.consul.current().Required == required
		})
	})
}
