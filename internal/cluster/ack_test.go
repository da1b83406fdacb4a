package cluster_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// mustWait fails unless nothing is answered within a moment. A slow machine can only let a
// fault through here, never make one up.
func mustWait(t *testing.T, end <-chan written) {
	t.Helper()
	select {
	case got := <-end:
		t.Fatalf("got %+v, %v, want no answer yet", got.receipt, got.err)
	case <-time.After(100 * time.Millisecond):
	}
}

// MustEnd gives what came of a write, while replication goes on where it is not held.
func (w *world) MustEnd(t *testing.T, end <-chan written) written {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case got := <-end:
			return got
		case <-time.After(5 * time.Millisecond):
			w.replicate()
		case <-limit:
			t.Fatalf("got no answer within %s, want one", patience)
		}
	}
}

// TestAnAnswerWaitsForTheStandby: its own row, a replay's and a refusal's newest row.
func TestAnAnswerWaitsForTheStandby(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "first", repo.Two)
	b.role.hold(true)
	second := w.write(t.Context(), a, "second", "k")
	mustWait(t, second)
	replay := w.write(t.Context(), a, "second", "k")
	refused := w.write(t.Context(), a, "other", "k") // the key is another's
	mustWait(t, replay)
	mustWait(t, refused)
	b.role.hold(false)
	w.MustEnd(t, second).expectAssurance(t, "its own row", repo.Two)
	w.MustEnd(t, replay).expectReplayed(t, "a replay", true)
	if got := w.MustEnd(t, refused); !apperr.HasReason(got.err, apperr.KeyReused) {
		t.Errorf("refusal: %v, want the reason %v", got.err, apperr.KeyReused)
	}
}

// TestWhatIsNotConfirmedIsUnknown, at the deadline; the key then finds the row.
func TestWhatIsNotConfirmedIsUnknown(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.role.hold(true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	got := w.MustEnd(t, w.write(ctx, a, "one", "k"))
	got.expectUnknown(t, "at the deadline", "k")
	if !got.receipt.Cursor.Zero() {
		t.Errorf("at the deadline: got %+v, want no cursor", got.receipt)
	}
	b.role.hold(false)
	w.MustEnd(t, w.write(t.Context(), a, "one", "k")).expectReplayed(t, "asked again", true)
}

// TestAStandbyForwards: the way of a whole write from the standby itself.
func TestAStandbyForwards(t *testing.T) {
	w := MustWorld(t)
	_, b := w.MustPair(t)
	if r := w.MustWrite(t, b, "from b", repo.Two); r.Seq != 1 {
		t.Errorf("%+v, want Seq 1", r)
	}
}

// TestALostStandby is removed from the set before anything is acknowledged without it,
// and comes back when it has everything.
func TestALostStandby(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
	w.MustWrite(t, a, "first", repo.Two)
	b.role.Set(repotest.Primary()) // it believes so; its uplink ends
	w.MustWrite(t, a, "alone", repo.Alone)
	if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("acknowledged alone with the set %v, want %v", got, []string{"a"})
	}
	b.role.Set(replicaOf(a))
	w.MustSet(t, "a", "b")
	w.MustWrite(t, a, "two again", repo.Two)
}

// TestAloneAndCutOff: who acknowledges alone has Consul's answer, from after the row was
// there, that the lease is still held.
func TestAloneAndCutOff(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	w.MustWrite(t, a, "two", repo.Alone)
	w.consul.cut(true)
	three, replay := w.write(t.Context(), a, "three", "key of three"), w.write(t.Context(), a, "one", "key of one")
	mustWait(t, three)
	mustWait(t, replay)
	w.consul.cut(false)
	w.MustEnd(t, three).expectAssurance(t, "a write", repo.Alone)
	w.MustEnd(t, replay).expectAssurance(t, "a replay", repo.Alone)
}

// TestCutOffWithAStandby: a primary that hears neither from its standby nor from Consul does
// not even give what has been on both for long. One message of either will do.
func TestCutOffWithAStandby(t *testing.T) {
	for name, back := range map[string]func(w *world, a, b *node){
		"Consul answers": func(w *world, _, _ *node) { w.consul.cut(false) },
		"b reports":      func(_ *world, a, b *node) { b.role.Set(replicaOf(a)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			a, b := w.MustPair(t)
			w.MustWrite(t, a, "one", repo.Two)
			w.consul.cut(true)
			b.role.Set(repotest.Primary()) // it believes so, and reports to nobody
			repotest.Eventually(t, patience, "b is silent", func() bool {
				return slices.ContainsFunc(a.cluster.Nodes(t.Context(), nil), func(n cluster.Info) bool {
					return n.Node == "b" && n.Heard > 2*cluster.HeartbeatEvery.Milliseconds()
				})
			})
			replay := w.write(t.Context(), a, "one", "key of one")
			mustWait(t, replay)
			back(w, a, b)
			got := w.MustEnd(t, replay)
			got.expectReplayed(t, "a replay", true)
			got.expectAssurance(t, "a replay", repo.Two)
		})
	}
}

// TestAStandbyThatLacksARow reports again, but does not come into the set before its copy
// has what was acknowledged without it.
func TestAStandbyThatLacksARow(t *testing.T) {
	w := MustWorld(t)
	w.apart = "b"
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Wait = 2 * time.Second })
	w.MustWrite(t, a, "first", repo.Two)
	b.role.Set(repotest.Primary())
	w.MustSet(t, "a")
	b.role.hold(true)
	w.MustWrite(t, a, "alone", repo.Alone)
	b.role.Set(replicaOf(a)) // at once: who lacks a row for long is not even waited for
	reports := map[time.Time]bool{}
	repotest.Eventually(t, patience, "it reports", func() bool {
		for _, n := range a.cluster.Nodes(t.Context(), nil) {
			if n.Node == "b" {
				reports[n.Clock] = true
			}
		}
		return len(reports) > 3 && b.cluster.Self().Lag == 1
	})
	if got := w.consul.members(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("it lacks a row, and the set is %v, want %v", got, []string{"a"})
	}
	w.MustWrite(t, a, "alone still", repo.Alone)
	b.role.hold(false)
	w.MustSet(t, "a", "b")
	w.MustWrite(t, a, "two again", repo.Two)
}

// TestAStandbyThatLeaves is not waited for, however long DURABILITY_WAIT is.
func TestAStandbyThatLeaves(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	b.cluster.Leave(t.Context())
	w.MustSet(t, "a")
	w.MustWrite(t, a, "alone", repo.Alone)
}

// TestAStandbyThatStandsStill reports, but its copy does not move on.
func TestAStandbyThatStandsStill(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Stall = time.Second })
	b.role.hold(true)
	w.MustWrite(t, a, "one", repo.Alone)
	if log, want := a.logged(), "its copy stands still"; !strings.Contains(log, want) {
		t.Errorf("got the log %s, want %q in it", log, want)
	}
}

// TestStrict never acknowledges on one node.
func TestStrict(t *testing.T) {
	w := MustWorld(t)
	strict := func(o *cluster.Options, _ *cluster.Info) {
		o.Policy, o.Wait, o.Stall = cluster.Strict, time.Second, time.Second
	}
	a := w.MustNode(t, "a", strict)
	mustWait(t, w.write(t.Context(), a, "without any", "k1"))
	b := w.MustNode(t, "b", strict)
	w.MustSet(t, "a", "b")
	w.MustWrite(t, a, "two", repo.Two)
	b.role.hold(true)
	b.cluster.Leave(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if got := w.MustEnd(t, w.write(ctx, a, "it has left", "k2")); !apperr.HasReason(got.err, apperr.OutcomeUnknown) {
		t.Errorf("%+v, %v, want the reason %v", got.receipt, got.err, apperr.OutcomeUnknown)
	}
	if got := w.consul.members(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the set is %v, want %v", got, []string{"a", "b"})
	}
}

// TestWhoMayBeAStandby: a candidate in the primary's region, and only one.
func TestWhoMayBeAStandby(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustNode(t, "far", func(_ *cluster.Options, i *cluster.Info) { i.Region = "nrt" })
	w.MustNode(t, "reader", func(_ *cluster.Options, i *cluster.Info) { i.Candidate = false })
	repotest.Eventually(t, patience, "both report", func() bool { return len(a.cluster.Nodes(t.Context(), nil)) == 3 })
	w.MustWrite(t, a, "alone", repo.Alone)
	w.MustNode(t, "b")
	w.MustSet(t, "a", "b")
	c := w.MustNode(t, "c")
	repotest.Eventually(t, patience, "the third logs it", func() bool {
		return strings.Contains(c.logged(), "There are 4 candidates") || strings.Contains(c.logged(),
			"There are 3 candidates")
	})
	problems := map[string]string{}
	for _, n := range a.cluster.Nodes(t.Context(), nil) {
		problems[n.Node] = n.Problem
	}
	for id, want := range map[string]string{"far": "set the same PRIMARY_REGION", "a": "candidates"} {
		if got := problems[id]; !strings.Contains(got, want) {
			t.Errorf("%s has the problem %q, want %q in it", id, got, want)
		}
	}
	if got := problems["reader"]; got != "" {
		t.Errorf("reader has the problem %q, want none", got)
	}
	if got := w.consul.members(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the set is %v, want %v", got, []string{"a", "b"})
	}
}

// TestNodesAreKnownEverywhere is what `blog status` shows.
func TestNodesAreKnownEverywhere(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	transport := transport.NewClient(repotest.Secret)
	defer transport.Close()
	repotest.Eventually(t, patience, "b knows everything", func() bool {
		nodes := b.cluster.Nodes(t.Context(), transport)
		return len(nodes) == 2 && nodes[0].Node == "b" && nodes[0].Seq == 1 && nodes[0].Durability == "two" &&
			nodes[1].Node == "a" && nodes[1].Seq == 1 && nodes[1].StandbySeq == 1 && slices.Equal(nodes[1].SyncSet,
			[]string{"a", "b"})
	})
}

// TestAnotherSecret is reported on the node that has it.
func TestAnotherSecret(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	wrong := transport.NewClient("another secret of the tests")
	defer wrong.Close()
	b := w.MustNode(t, "b", func(o *cluster.Options, _ *cluster.Info) { o.Header = wrong.Header() })
	repotest.Eventually(t, patience, "b says why", func() bool {
		return strings.Contains(b.logged(), "CLUSTER_SECRET differs")
	})
	w.MustWrite(t, a, "alone", repo.Alone)
	if p := b.cluster.Self().Problem; !strings.Contains(p, "CLUSTER_SECRET") {
		t.Errorf("status says %q, want with %q", p, "CLUSTER_SECRET")
	}
}

// TestStrictAndAnotherStandby: one whose disk is lost comes back as somebody else, and
// gets the place of the one that will not come back. Nobody goes before it is there.
func TestStrictAndAnotherStandby(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Policy, o.Wait = cluster.Strict, time.Second })
	w.MustWrite(t, a, "one", repo.Two)
	b.cluster.Leave(t.Context())
	b.role.Set(repotest.Unknown())
	w.MustNode(t, "c", func(o *cluster.Options, _ *cluster.Info) { o.Policy = cluster.Strict })
	w.MustSet(t, "a", "c")
	w.MustWrite(t, a, "two", repo.Two)
}
