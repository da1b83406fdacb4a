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

// MustElect makes n primary anew in a term of Consul's of its own. It does not wait until n takes writes.
func (w *world) MustElect(t *testing.T, n *node) {
	t.Helper()
	n.role.Set(repotest.Unknown())
	w.consul.grant(n.id)
	n.role.Set(repotest.Primary())
}

// reports counts how often n has reported to the primary, by its clock.
func (w *world) reports(t *testing.T, primary, n *node, times int) {
	t.Helper()
	clocks := map[time.Time]bool{}
	repotest.Eventually(t, patience, n.id+" reports", func() bool {
		for _, other := range primary.cluster.Nodes(t.Context(), nil) {
			if other.ID == n.id {
				clocks[other.Clock] = true
			}
		}
		return len(clocks) > times
	})
}

// TestATermThatCouldNotBegin leaves nothing behind that changes the sync set: its view of this node's history ends
// before the rows that the term after it acknowledges.
func TestATermThatCouldNotBegin(t *testing.T) {
	w := MustWorld(t)
	w.apart = "b"
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
	w.MustWrite(t, a, "first", repo.Two)

	// a is elected again, and its schema cannot be brought up at first.
	w.schema.broken.Store(true)
	w.MustElect(t, a)
	repotest.Eventually(t, patience, "the term does not begin", func() bool {
		return strings.Contains(a.logged(), "cannot take writes")
	})
	w.reports(t, a, b, 2)
	w.schema.broken.Store(false)
	repotest.Eventually(t, patience, "a takes writes", func() bool { return a.repo.Writing().State == repo.WriteFit })

	// b dies, and a acknowledges a row alone.
	b.role.hold(true)
	b.role.Set(repotest.Primary()) // it believes so; its uplink ends
	w.MustSet(t, "a")
	w.MustWrite(t, a, "second", repo.Alone)

	// b is back, without that row.
	b.role.Set(replicaOf(a))
	w.reports(t, a, b, 4)
	if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the set is %v, and b lacks a row that was acknowledged, want %v", got, []string{"a"})
	}
	b.role.hold(false)
	w.MustSet(t, "a", "b")
	w.MustWrite(t, a, "third", repo.Two)
}

// MustBeginTerm begins a term of n's behind its repository's back.
func (n *node) MustBeginTerm(t *testing.T, over <-chan struct{}) repo.Term {
	t.Helper()
	term, err := n.cluster.BeginTerm(t.Context(), over)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// TestTwoTermsOfOneRole ends the first term, although its role goes on.
func TestTwoTermsOfOneRole(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	row := w.MustWrite(t, a, "one", repo.Alone).Cursor
	over := make(chan struct{})
	first := a.MustBeginTerm(t, over)
	if !cluster.Acts(first) {
		t.Error("nothing acts for the first term, want something to")
	}
	second := a.MustBeginTerm(t, over)
	if cluster.Acts(first) {
		t.Error("the first term goes on, want it ended")
	}
	if assurance, err := first.Await(t.Context(), row); err == nil {
		t.Errorf("the first term acknowledges: got %s, want an error", assurance)
	}
	assurance, err := second.Await(t.Context(), row)
	if err != nil {
		t.Errorf("the second term: got %v, want no error", err)
	}
	if assurance != repo.Alone {
		t.Errorf("the second term: got an answer that rests on %q, want on %q", assurance, repo.Alone)
	}
	first.End() // again, by who does not know
	if !cluster.Acts(second) {
		t.Error("the end of the first term has ended the second, want it to go on")
	}
	second.End()
	if cluster.Acts(second) {
		t.Error("the second term goes on, want it ended")
	}
}

// TestATermEndsWithItsRole by itself: who has begun it may be busy closing what it was for.
func TestATermEndsWithItsRole(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	row := w.MustWrite(t, a, "one", repo.Alone).Cursor
	over := make(chan struct{})
	term := a.MustBeginTerm(t, over)
	close(over)
	repotest.Eventually(t, patience, "nothing acts for the term", func() bool { return !cluster.Acts(term) })
	if assurance, err := term.Await(t.Context(), row); err == nil {
		t.Errorf("the term acknowledges: got %s, want an error", assurance)
	}
}

// TestNoAnswerFromATermThatIsOver: the role has ended, and everything that an answer rests on is there.
func TestNoAnswerFromATermThatIsOver(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	row := w.MustWrite(t, a, "one", repo.Alone).Cursor
	b := MustScript(t, a, "b")
	w.MustSet(t, "a", "b")
	term := a.MustBeginTerm(t, a.role.Changed())
	b.MustSend(t, cluster.Report{Cursor: row})
	assurance, err := term.Await(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	if assurance != repo.Two {
		t.Fatalf("got an answer that rests on %q, want on %q", assurance, repo.Two)
	}
	a.role.Set(repotest.Unknown())
	if assurance, err = term.Await(t.Context(), row); err == nil {
		t.Errorf("the term acknowledges: got %s, want an error", assurance)
	}
}
