//go:build linux

package mount_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
)

func (s suite) change(t *testing.T) {
	c := s.cluster(t)
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	mustAcquire(t, a)
	first := mustSet(t, a)
	both := mustAdd(t, a, b)
	if got := mustSet(t, b); got.Index != both.Index || !got.Has(a.ID) || !got.Has(b.ID) || got.Seq != 7 ||
		both.Index <= first.Index {
		t.Errorf("the set is %+v, want %+v", got, both)
	}
	alone := []node.Member{{ID: a.ID}}
	for name, test := range map[string]struct {
		change node.SyncChange
		want   error
	}{
		"a stale index": {node.SyncChange{Term: a.Term(), Index: first.Index, Members: alone}, node.ErrSetChanged},
		"no index":      {node.SyncChange{Term: a.Term(), Members: alone}, node.ErrSetChanged},
		"another term":  {node.SyncChange{Term: a.Term() + "0", Index: both.Index, Members: alone}, node.ErrNotHeld},
		"no term":       {node.SyncChange{Index: both.Index, Members: alone}, node.ErrNotHeld},
		"without itself": {
			node.SyncChange{Term: a.Term(), Index: both.Index, Members: []node.Member{{ID: b.ID}}}, node.ErrRefused,
		},
		"nobody": {node.SyncChange{Term: a.Term(), Index: both.Index}, node.ErrRefused},
		"a member twice": {
			node.SyncChange{Term: a.Term(), Index: both.Index, Members: append(alone, alone...)}, node.ErrRefused,
		},
		"a nameless other": {
			node.SyncChange{Term: a.Term(), Index: both.Index, Members: append(alone, node.Member{})}, node.ErrRefused,
		},
	} {
		if _, err := a.Change(t.Context(), test.change); err == nil {
			t.Errorf("%s: done", name)
		} else {
			mustErr(t, err, test.want)
		}
	}
	if got := mustSet(t, a); got.Index != both.Index {
		t.Errorf("a refused change has changed the set: %+v, want Index %v", got, both.Index)
	}
}

// unknownChange: without an answer the set may have changed or not.
func (s suite) unknownChange(t *testing.T) {
	c := s.cluster(t)
	between := newProxy(t, c.url)
	c.url = between.url
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	mustAcquire(t, a)
	before := mustAdd(t, a, b)
	change := node.SyncChange{Term: a.Term(), Index: before.Index, Members: []node.Member{{ID: a.ID}}}
	txn := "/txn"
	between.lose.Store(&txn)
	_, err := a.Change(t.Context(), change)
	mustErr(t, err, node.ErrNoAnswer)
	if got := mustSet(t, a); !got.Has(b.ID) {
		t.Errorf("a request that was lost has been carried out: %+v", got)
	}
	between.lose.Store(nil)
	between.swallow.Store(&txn)
	_, err = a.Change(t.Context(), change)
	mustErr(t, err, node.ErrNoAnswer)
	if got := mustSet(t, a); got.Has(b.ID) {
		t.Errorf("the set is %+v", got)
	}
	between.swallow.Store(nil)
	_, err = a.Change(t.Context(), change)
	mustErr(t, err, node.ErrSetChanged)
}

// lateChange: a change without an answer is still under way when the primary looks whether it was done. It must not
// be done after that: the primary goes by what it has read.
func (s suite) lateChange(t *testing.T) {
	c := s.cluster(t)
	between := newProxy(t, c.url)
	c.url = between.url
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	mustAcquire(t, a)
	first := mustSet(t, a)
	positions := []string{"5-x", "7-y"}
	before, err := a.Change(t.Context(), node.SyncChange{
		Term: a.Term(), Index: first.Index, Members: first.Members, Seq: 7, Positions: positions, Required: "5-x",
	})
	if err != nil || before.Required != "5-x" || !slices.Equal(before.Positions, positions) {
		t.Fatalf("got %+v, %v, want no error, Required 5-x and Positions %v", before, err, positions)
	}
	if got := mustSet(t, b); got.Required != "5-x" || !slices.Equal(got.Positions, positions) {
		t.Fatalf("b reads %+v, want Required 5-x and Positions %v", got, positions)
	}
	txn := "/txn"
	between.lose.Store(&txn)
	_, err = a.Change(t.Context(), node.SyncChange{
		Term: a.Term(), Index: before.Index, Members: []node.Member{{ID: a.ID}, {ID: b.ID}},
	})
	mustErr(t, err, node.ErrNoAnswer)
	_, err = a.Resolved(t.Context()) // nobody can know yet
	mustErr(t, err, node.ErrNoAnswer)
	between.lose.Store(nil)
	set, err := a.Resolved(t.Context())
	if err != nil || set.Has(b.ID) || set.Index == before.Index || set.Required != "5-x" ||
		!slices.Equal(set.Positions, positions) {
		t.Fatalf("got %+v, %v, want no error, a set without b, Required 5-x, Positions %v, and not Index %d", set, err,
			positions, before.Index)
	}
	if status := between.deliver(); status != http.StatusConflict {
		t.Errorf("the late change: status %d, want %d", status, http.StatusConflict)
	}
	if got := mustSet(t, a); got.Has(b.ID) || got.Index != set.Index {
		t.Errorf("the set is %+v", got)
	}
	again, err := a.Resolved(t.Context())
	if err != nil || again.Index != set.Index {
		t.Errorf("what is settled is written again: %+v, %v, want no error and Index %v", again, err, set.Index)
	}
}

func (s suite) lostSession(t *testing.T) {
	c := s.cluster(t)
	a := c.mustPeer(t, "a", "")
	lease := mustAcquire(t, a)
	set := mustSet(t, a)
	term := a.Term()
	if _, err := c.raw.Session().Destroy(lease.ID(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := a.Change(t.Context(), node.SyncChange{Term: term, Index: set.Index, Members: set.Members})
	mustErr(t, err, node.ErrNotHeld)
	mustExpired(t, lease)
	mustAcquire(t, a)
}

// deletedLock: the session lives on, and is not enough.
func (s suite) deletedLock(t *testing.T) {
	c := s.cluster(t)
	a := c.mustPeer(t, "a", "")
	lease := mustAcquire(t, a)
	if err := lease.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, term := mustSet(t, a), a.Term()
	lock, _ := a.Keys()
	if _, err := c.raw.KV().Delete(lock, nil); err != nil {
		t.Fatal(err)
	}
	_, err := a.Change(t.Context(), node.SyncChange{Term: term, Index: set.Index, Members: set.Members})
	mustErr(t, err, node.ErrNotHeld)
	mustExpired(t, lease)
	if err := lease.Close(); err != nil {
		t.Error(err)
	}
	mustAcquire(t, a)
}

func mustExpired(t *testing.T, lease litefs.Lease) {
	t.Helper()
	if err := lease.Renew(t.Context()); err != litefs.ErrLeaseExpired { //nolint:errorlint // LiteFS compares like this
		t.Errorf("got %v, want %v", err, litefs.ErrLeaseExpired)
	}
}

func (s suite) acceptLoss(t *testing.T) {
	c := s.cluster(t)
	id := litefs.GenerateClusterID()
	a, b, empty := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", id), c.mustPeer(t, "c", "")
	far := c.lease("far")
	far.Candidate = false
	never, err := mount.NewPeer(far, t.TempDir(), id)
	if err != nil {
		t.Fatal(err)
	}
	lease := mustAcquire(t, a)
	if err = a.SetClusterID(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	refused := func(p *mount.Peer, part string) {
		t.Helper()
		_, why := p.AcceptLoss(t.Context())
		mustErr(t, why, node.ErrRefused)
		if why != nil && !strings.Contains(why.Error(), part) {
			t.Errorf("got %q, want %q in it", why, part)
		}
	}
	refused(b, "a holds the lease")
	refused(empty, "no data")
	refused(never, "no candidate")
	if err = lease.Close(); err != nil {
		t.Fatal(err)
	}
	refused(a, "in the sync set already")
	before := mustSet(t, b)
	accepted, err := b.AcceptLoss(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if accepted.Before.Index != before.Index || !accepted.Before.Has(a.ID) || accepted.Now.Has(a.ID) ||
		!accepted.Now.Has(b.ID) {
		t.Errorf("got %+v, want Before at %d with a, and Now with b alone", accepted, before.Index)
	}
	if got := mustSet(t, b); got.Index != accepted.Now.Index || got.Has(a.ID) {
		t.Errorf("the set is %+v", got)
	}
	if _, err := a.Acquire(t.Context()); err == nil {
		t.Error("the node that was given up is elected")
	}
	mustAcquire(t, b)
}

// setMeanwhile: between a node's read of the set and its transaction the primary takes the node out of the set. It
// lacks what is acknowledged from then on.
func (s suite) setMeanwhile(t *testing.T) {
	c := s.cluster(t)
	a := c.mustPeer(t, "a", "")
	between := newProxy(t, c.url)
	c.url = between.url
	b := c.mustPeer(t, "b", "")
	remove := func() error {
		set, err := a.Set(t.Context())
		if err != nil {
			return err
		}
		_, err = a.Change(t.Context(), node.SyncChange{Term: a.Term(), Index: set.Index, Members: []node.Member{{ID: a.ID}}})
		return err
	}

	lease := mustAcquire(t, a)
	mustAdd(t, a, b)
	if err := lease.Close(); err != nil {
		t.Fatal(err)
	}
	election := func() {
		held, err := a.Acquire(t.Context())
		if err == nil {
			err = errors.Join(remove(), held.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	between.meanwhile.Store(&election)
	if _, err := b.Acquire(t.Context()); err == nil {
		t.Error("a node is elected that is outside the set by now")
	}
	mustNoPrimary(t, a)

	lease = mustAcquire(t, a)
	mustAdd(t, a, b)
	handoff := func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	}
	between.meanwhile.Store(&handoff)
	if _, err := b.AcquireExisting(t.Context(), lease.ID()); err == nil {
		t.Error("a node takes a hand-off that is outside the set by now")
	}
}
