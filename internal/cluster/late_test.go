package cluster_test

import (
	"context"
	"testing"

	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// MustBeLate has a feed deliver what is written from now on only when replication is held no more, and returns when the
// feed has read it.
func MustBeLate(t *testing.T, n *node, write func()) {
	t.Helper()
	before := n.role.waits()
	n.role.hold(true)
	write()
	n.role.Notify()
	repotest.Eventually(t, patience, "the feed has read it", func() bool { return n.role.waits() > before })
}

// TestRowsOfAHistoryThatIsGivenUp: a primary's feed has read a row, and delivers it when another has been primary
// meanwhile, with another history, and this node is primary again.
func TestRowsOfAHistoryThatIsGivenUp(t *testing.T) {
	for name, rewrite := range map[string]func(t *testing.T, w *world){
		"the same seq":   func(t *testing.T, w *world) { t.Helper(); w.rewrite(t, 2, "another") },
		"one seq fewer":  func(t *testing.T, w *world) { t.Helper(); w.cut(t, 2) },
		"a longer other": func(t *testing.T, w *world) { t.Helper(); w.rewrite(t, 2, "another"); w.add(t, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			a := w.MustNode(t, "a")
			w.MustWrite(t, a, "one", repo.Alone)
			MustBeLate(t, a, func() { w.write(t.Context(), a, "given up", "k") })
			if err := a.cluster.ReadPosition(t.Context()); err != nil {
				t.Fatal(err)
			}
			givenUp, _ := a.cluster.Last()
			a.role.Set(repotest.Unknown())
			rewrite(t, w)
			w.consul.grant("a")
			a.role.Set(repotest.Primary())
			repotest.Eventually(t, patience, "it leads again", func() bool { return a.repo.Writing().State == repo.WriteFit })
			p := probe{a.cluster, make(chan repo.Cursor, 10)}
			a.repo.Feed().Attach(p) // behind the cluster, so what it hears the cluster has heard
			a.role.hold(false)
			<-p.positions
			if givenUp.Seq != 2 {
				t.Errorf("row %d is given up, want 2", givenUp.Seq)
			}
			// Two rows with one seq would break the term.
			w.MustWrite(t, a, "another", repo.Alone)
		})
	}
}

// probe is a tail behind the cluster's: it notes what the cluster reports.
type probe struct {
	c         *cluster.Cluster
	positions chan repo.Cursor
}

func (p probe) Rows(context.Context, []repo.Row)   { p.note() }
func (p probe) Reset(context.Context, repo.Cursor) { p.note() }

func (p probe) note() {
	at, _ := p.c.Last()
	p.positions <- at
}

// TestAPositionThatIsDeliveredLate: a replica's feed has found another history, and delivers it when the role has
// changed
// and the database has been read since. What this node reports must not go back: a row that it has would count as gone.
func TestAPositionThatIsDeliveredLate(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	w.MustWrite(t, a, "two", repo.Two)
	p := probe{b.cluster, make(chan repo.Cursor, 10)}
	b.repo.Feed().Attach(p)
	MustBeLate(t, b, func() { w.rewrite(t, 2, "another") })
	b.role.Set(repotest.Unknown())
	w.add(t, 3)
	b.role.Set(replicaOf(a))
	if err := b.cluster.ReadPosition(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.role.hold(false)
	if at := <-p.positions; at.Seq != 3 {
		t.Errorf("it reports row %d, want 3, which it has", at.Seq)
	}
}
