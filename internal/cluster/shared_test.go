package cluster_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// impatient makes a node remove a silent standby as soon as it may.
func impatient(o *cluster.Options, _ *cluster.Info) { o.Wait = time.Millisecond }

// mustShare compares n's copy with the sync set.
func (w *world) mustShare(t *testing.T, n *node, set litefs.SyncSet) cluster.Shared {
	t.Helper()
	s, err := n.cluster.Shared(t.Context(), &set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustMakePrimary makes n primary, and other a node that knows of none.
func (w *world) mustMakePrimary(t *testing.T, n, other *node) {
	t.Helper()
	other.role.Set(repotest.Unknown())
	w.consul.grant(n.id)
	n.role.Set(repotest.Primary())
	repotest.Eventually(t, patience, n.id+" leads", func() bool { return n.repo.Writing().State == repo.WriteFit })
}

// TestWhatAnOldPrimaryShares: fra1 is cut off with a row that nobody else has; fra2 is primary,
// removes it and acknowledges others in that row's place, alone. What fra1's copy shares
// with what was acknowledged ends before its own row.
func TestWhatAnOldPrimaryShares(t *testing.T) {
	for name, c := range map[string]struct {
		waiting bool  // whether an author waits at fra2 for fra1 to go
		other   int64 // the row that is then known to be another one
	}{
		"nobody writes before it is out": {},
		"somebody does":                  {waiting: true, other: 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			w.apart = "fra1"
			fra2 := w.MustNode(t, "fra2", impatient)
			fra1 := w.MustNode(t, "fra1")
			w.MustSet(t, "fra2", "fra1")
			w.MustWrite(t, fra2, "one", repo.Two)
			last := w.MustWrite(t, fra2, "two", repo.Two)
			w.mustMakePrimary(t, fra1, fra2)
			ctx, cancel := context.WithCancel(t.Context())
			discarded := w.write(ctx, fra1, "three", "three at fra1")
			repotest.Eventually(t, patience, "fra1 has row 3", func() bool { return fra1.cluster.Self().Seq == 3 })
			fra1.role.hold(true)

			w.mustMakePrimary(t, fra2, fra1)
			cancel()
			if got := w.MustEnd(t, discarded); got.err == nil {
				t.Errorf("row 3 of fra1 was acknowledged: got %+v, want an error", got.receipt)
			}
			if c.waiting {
				w.MustWrite(t, fra2, "another three", repo.Alone)
			}
			w.MustSet(t, "fra2")
			for _, item := range []string{"four", "five", "six"} {
				w.MustWrite(t, fra2, item, repo.Alone)
			}
			got := w.mustShare(t, fra1, w.consul.current())
			if got.Here.Seq != 3 {
				t.Errorf("fra1's newest row is %v, want row 3", got.Here)
			}
			want := cluster.Shared{Here: got.Here, Last: last.Cursor, Other: c.other, Newest: max(2, c.other)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what fra1 shares (-want +got):\n%s", diff)
			}
			got = w.mustShare(t, fra2, w.consul.current())
			if got.Other != 0 {
				t.Errorf("in fra2's own history row %d is another, want none", got.Other)
			}
			if got.Last.Seq != got.Newest {
				t.Errorf("fra2 shares its own history up to row %d, want all of it, up to %d", got.Last.Seq, got.Newest)
			}
		})
	}
}

// TestPositionsOfAStandbyThatLeft: what it had reported is the newest that it shares, and
// stays so through other terms of the same history.
func TestPositionsOfAStandbyThatLeft(t *testing.T) {
	w := MustWorld(t)
	w.apart = "b"
	a := w.MustNode(t, "a")
	b := w.MustNode(t, "b")
	w.MustSet(t, "a", "b")
	last := w.MustWrite(t, a, "one", repo.Two)
	b.role.hold(true)
	b.cluster.Leave(t.Context())
	b.role.Set(repotest.Unknown())
	w.MustSet(t, "a")
	w.MustWrite(t, a, "two", repo.Alone)
	for range 20 { // more than positions are kept
		a.role.Set(repotest.Unknown())
		w.mustMakePrimary(t, a, b)
	}
	w.MustWrite(t, a, "three", repo.Alone)
	got := w.mustShare(t, b, w.consul.current())
	if diff := cmp.Diff(cluster.Shared{Here: last.Cursor, Last: last.Cursor, Newest: got.Newest}, got); diff != "" {
		t.Errorf("what b shares (-want +got):\n%s", diff)
	}
	// A holder of the release before writes none, nor what is required, and one of the release after may write others.
	for _, positions := range [][]string{nil, {"0"}, {"another form"}} {
		set := w.consul.current()
		set.Positions, set.Required = positions, ""
		if diff := cmp.Diff(cluster.Shared{Here: last.Cursor}, w.mustShare(t, b, set)); diff != "" {
			t.Errorf("what b shares with a set of the positions %q (-want +got):\n%s", positions, diff)
		}
	}
	got, err := b.cluster.Shared(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cluster.Shared{Here: last.Cursor, Other: got.Other, Newest: got.Newest}, got); diff != "" {
		t.Errorf("what b shares with no set (-want +got):\n%s", diff)
	}
}

// TestANewPrimaryDropsWhatItDoesNotHave: rows of the primary before it that were never
// acknowledged are no positions of its own history.
func TestANewPrimaryDropsWhatItDoesNotHave(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	one := w.MustWrite(t, a, "one", repo.Alone)
	two := w.MustWrite(t, a, "two", repo.Alone)
	foreign := repo.Cursor{Seq: 2, Mark: repo.Mark{7}}
	w.consul.mu.Lock()
	w.consul.set.Members = append(w.consul.set.Members, litefs.Member{ID: "b", Name: "b"})
	w.consul.set.Positions = []string{one.Cursor.String(), foreign.String(), repo.Cursor{Seq: 9}.String()}
	w.consul.mu.Unlock()
	a.role.Set(repotest.Unknown())
	w.mustMakePrimary(t, a, &node{role: newRole(repotest.Unknown())})
	want := []string{one.Cursor.String(), two.Cursor.String()}
	if diff := cmp.Diff(want, w.consul.current().Positions); diff != "" {
		t.Errorf("the positions of the set (-want +got):\n%s", diff)
	}
}
