package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
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
	repotest.Eventually(t, patience, "the status shows "+strings.Join(ids, ", "), func() bool {
		return slices.Equal(n.shows(t), ids)
	})
}

// mustGo has n lose its uplink.
func (n *node) mustGo(t *testing.T, primary *node) {
	t.Helper()
	n.role.Set(repotest.Primary()) // it has no uplink then, and without the lease no term begins
	repotest.Eventually(t, patience, n.id+" is gone", func() bool { return primary.cluster.Uplinks(n.id) == 0 })
}

// TestForget: an operator forgets who is gone, on whatever node that is asked; nobody else.
func TestForget(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	c := w.MustNode(t, "c", elsewhere)
	a.mustShow(t, "a", "b", "c")
	transport := transport.NewClient(repotest.Secret)
	t.Cleanup(transport.Close)
	refused := func(on *node, id string, code apperr.Code, says string) {
		t.Helper()
		_, err := on.cluster.Forget(t.Context(), transport, id)
		if err == nil {
			t.Errorf("%s forgets %q: got no error, want %s", on.id, id, code)
		}
		e := apperr.From(err)
		if e.Code != code {
			t.Errorf("%s forgets %q: got %v, want %s", on.id, id, err, code)
		}
		if !strings.Contains(e.Message, says) {
			t.Errorf("%s forgets %q: got the message %q, want %q in it", on.id, id, e.Message, says)
		}
	}
	for _, on := range []*node{a, b} {
		refused(on, "a", apperr.Conflict, "the primary itself")
		refused(on, "b", apperr.Conflict, "in the sync set")
		refused(on, "c", apperr.Conflict, "it reported")
		refused(on, "nobody", apperr.NotFound, "blog status --json")
		refused(on, "", apperr.NotFound, "")
	}
	b.mustGo(t, a)
	refused(a, "b", apperr.Conflict, "in the sync set") // gone, but writes wait for it
	b.role.Set(replicaOf(a))

	c.mustGo(t, a)
	got, err := b.cluster.Forget(t.Context(), transport, "c")
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"c", "c"}, []string{got.ID, got.Node}); diff != "" {
		t.Errorf("the id and the name of who is forgotten (-want +got):\n%s", diff)
	}
	if got.Heard <= 0 {
		t.Errorf("it was heard of %d ms ago, want more than 0", got.Heard)
	}
	a.mustShow(t, "a", "b")
	c.role.Set(replicaOf(a))
	a.mustShow(t, "a", "b", "c")

	c.role.Set(repotest.Unknown())
	refused(c, "b", apperr.Unavailable, "No primary is known")
	c.role.Set(litefs.Role{State: litefs.Replica, Host: "nowhere", URL: "http://127.0.0.1:1"})
	refused(c, "b", apperr.Unavailable, "does not answer")
}

// TestForgottenAfterADay: who may be forgotten is a table of package decide's.
func TestForgottenAfterADay(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	c := w.MustNode(t, "c", elsewhere)
	a.mustShow(t, "a", "c")
	c.mustGo(t, a)
	a.elapsed.Jump(24 * time.Hour)
	a.mustShow(t, "a")
}

// TestForgottenByTheNextPrimary: a node that was primary itself knows whom it heard of then. What an operator had
// forgotten meanwhile does not come back with its next term.
func TestForgottenByTheNextPrimary(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	c := w.MustNode(t, "c", elsewhere)
	a.mustShow(t, "a", "b", "c")
	w.mustMakePrimary(t, b, a)
	a.role.Set(replicaOf(b))
	c.role.Set(replicaOf(b))
	b.mustShow(t, "a", "b", "c")
	c.mustGo(t, b)
	if _, err := b.cluster.Forget(t.Context(), nil, "c"); err != nil {
		t.Fatal(err)
	}
	repotest.Eventually(t, patience, "a has heard of it", func() bool { return a.cluster.Uplinks("c") < 0 })
	w.mustMakePrimary(t, a, b)
	b.role.Set(replicaOf(a))
	a.mustShow(t, "a", "b")
}
