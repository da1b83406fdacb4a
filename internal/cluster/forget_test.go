package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// elsewhere makes a node one that is never in the sync set.
func elsewhere(_ *cluster.Options, i *cluster.Info) { i.Candidate = false }

// shows are the ids in n's own list of nodes.
func (n *node) shows(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, i := range n.cluster.Nodes(t.Context(), nil) {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	return ids
}

// mustShow waits until n's list of nodes is that of ids.
func (n *node) mustShow(t *testing.T, ids ...string) {
	t.Helper()
	repotest.Eventually(t, patience, "the status shows "+strings.Join(ids, ", "), func() bool { return slices.Equal(n.shows(t), ids) })
}

// mustGo has n lose its uplink.
func (n *node) mustGo(t *testing.T, primary *node) {
	t.Helper()
	n.seat.Set(repotest.Primary()) // it has no uplink then, and without the lease it does not lead
	repotest.Eventually(t, patience, n.id+" is gone", func() bool { return primary.cluster.Uplinks(n.id) == 0 })
}

// TestForget: an operator forgets who is gone, on whatever node that is asked; nobody else.
func TestForget(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	c := w.MustNode(t, "c", elsewhere)
	a.mustShow(t, "a", "b", "c")
	transport := repo.NewTransport(repotest.Secret)
	t.Cleanup(transport.Close)
	refused := func(on *node, id string, code repo.Code, says string) {
		t.Helper()
		_, err := on.cluster.Forget(t.Context(), transport, id)
		if e := repo.AsError(err); err == nil || e.Code != code || !strings.Contains(e.Message, says) {
			t.Errorf("%s forgets %q: %v, want %s with %q", on.id, id, err, code, says)
		}
	}
	for _, on := range []*node{a, b} {
		refused(on, "a", repo.Conflict, "the primary itself")
		refused(on, "b", repo.Conflict, "in the sync set")
		refused(on, "c", repo.Conflict, "it reported")
		refused(on, "nobody", repo.NotFound, "blog status --json")
		refused(on, "", repo.NotFound, "")
	}
	b.mustGo(t, a)
	refused(a, "b", repo.Conflict, "in the sync set") // gone, but writes wait for it
	b.seat.Set(replicaOf(a))

	c.mustGo(t, a)
	got, err := b.cluster.Forget(t.Context(), transport, "c")
	if err != nil || got.ID != "c" || got.Node != "c" || got.Heard <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	a.mustShow(t, "a", "b")
	c.seat.Set(replicaOf(a))
	a.mustShow(t, "a", "b", "c")
	if ids := a.cluster.ForgottenIDs(); len(ids) != 0 {
		t.Errorf("one that is back still counts as forgotten: %v", ids)
	}

	c.seat.Set(repotest.Unknown())
	refused(c, "b", repo.Unavailable, "No primary is known")
	c.seat.Set(litefs.Role{State: litefs.Replica, Host: "nowhere", URL: "http://127.0.0.1:1"})
	refused(c, "b", repo.Unavailable, "does not answer")
}

// TestForgottenAfterADay, but for a member of the set.
func TestForgottenAfterADay(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	c := w.MustNode(t, "c", elsewhere)
	d := w.MustNode(t, "d", elsewhere)
	a.mustShow(t, "a", "b", "c", "d")
	for _, n := range []*node{b, c, d} {
		n.mustGo(t, a)
	}
	a.cluster.ReportedBefore("c", 23*time.Hour+59*time.Minute)
	a.cluster.ReportedBefore("d", 24*time.Hour)
	a.mustShow(t, "a", "b", "c")
	a.cluster.ForgetOld()
	a.mustShow(t, "a", "b", "c")
	a.cluster.ReportedBefore("c", time.Minute)
	a.mustShow(t, "a", "b")
	w.MustSet(t, "a", "b")
	a.cluster.SilentMember("b", 25*time.Hour)
	a.mustShow(t, "a", "b")
}

// TestForgottenByTheNextPrimary: a node that was primary itself knows whom it heard of then. What an operator had
// forgotten meanwhile does not come back with its next term.
func TestForgottenByTheNextPrimary(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	c := w.MustNode(t, "c", elsewhere)
	a.mustShow(t, "a", "b", "c")
	w.mustLead(t, b, a)
	a.seat.Set(replicaOf(b))
	c.seat.Set(replicaOf(b))
	b.mustShow(t, "a", "b", "c")
	c.mustGo(t, b)
	if _, err := b.cluster.Forget(t.Context(), nil, "c"); err != nil {
		t.Fatal(err)
	}
	repotest.Eventually(t, patience, "a has heard of it", func() bool { return a.cluster.Uplinks("c") < 0 })
	w.mustLead(t, a, b)
	b.seat.Set(replicaOf(a))
	a.mustShow(t, "a", "b")
}
