//go:build linux

package mount_test

import (
	"strings"
	"testing"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/consul"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// suite is the tests of one leaser or two that share a Consul. Each has a key of its own.
type suite struct{ consul *cluster.Consul }

func (s suite) cluster(t *testing.T) testCluster {
	t.Helper()
	t.Parallel()
	c := newCluster(t, s.consul.URL, "t/"+t.Name())
	return c
}

func TestLeaser(t *testing.T) {
	s := suite{cluster.StartConsul(t)}
	t.Run("FirstStart", s.firstStart)
	t.Run("SessionTTL", s.sessionTTL)
	t.Run("Outside", s.outside)
	t.Run("Handoff", s.handoff)
	t.Run("HandoffOutside", s.handoffOutside)
	t.Run("SetMeanwhile", s.setMeanwhile)
	t.Run("Stock", s.stock)
	t.Run("DataLost", s.dataLost)
	t.Run("Released", s.released)
	t.Run("UnknownLock", s.unknownLock)
	t.Run("UnknownClusterID", s.unknownClusterID)
	t.Run("Foreign", s.foreign)
	t.Run("Change", s.change)
	t.Run("UnknownChange", s.unknownChange)
	t.Run("LateChange", s.lateChange)
	t.Run("LostSession", s.lostSession)
	t.Run("DeletedLock", s.deletedLock)
	t.Run("AcceptLoss", s.acceptLoss)
}

// sessionTTL: a session is shorter than the lease where Consul allows it, and LiteFS believes in neither for longer
// than the session lasts.
func (s suite) sessionTTL(t *testing.T) {
	c := s.cluster(t)
	for lease, want := range map[time.Duration]time.Duration{
		10 * time.Second: 8 * time.Second,
		time.Second:      time.Second, // 0.8 s is below this Consul's session_ttl_min
	} {
		c.ttl = lease
		c.key += "x"
		p := c.mustPeer(t, "a", "")
		held := mustAcquire(t, p)
		entry, _, err := c.raw.Session().Info(held.ID(), nil)
		if err != nil || entry == nil || entry.TTL != want.String() || held.TTL() != want {
			t.Errorf("a lease of %s: session %+v, %v, believed in for %s; want %s", lease, entry, err, held.TTL(), want)
		}
	}
}

// firstStart: of two that start at once one makes the set and has the lease.
func (s suite) firstStart(t *testing.T) {
	c := s.cluster(t)
	for range 10 {
		c.key += "x" // no key begins the other's run
		peers := []*mount.Peer{c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")}
		errs := make([]chan error, len(peers))
		for i, p := range peers {
			errs[i] = make(chan error, 1)
			go func() {
				_, err := p.Acquire(t.Context())
				errs[i] <- err
			}()
		}
		won := 0
		for i, p := range peers {
			err := <-errs[i]
			if err != nil && err != litefs.ErrPrimaryExists { //nolint:errorlint // LiteFS compares like this
				t.Errorf("%s: %v", p.Hostname(), err)
			}
			if set := mustSet(t, p); (err == nil) != set.Has(p.ID) || len(set.Members) != 1 {
				t.Errorf("%s: %v with the set %+v", p.Hostname(), err, set)
			}
			if err == nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d nodes were elected", won)
		}
	}
}

// outside: without being in the set a node does not even begin.
func (s suite) outside(t *testing.T) {
	c := s.cluster(t)
	a := c.mustPeer(t, "a", "")
	if err := mustAcquire(t, a).Close(); err != nil {
		t.Fatal(err)
	}
	between := newProxy(t, c.url)
	c.url = between.url
	b := c.mustPeer(t, "b", "")
	if _, err := b.Acquire(t.Context()); err == nil || !strings.Contains(err.Error(), "outside the sync set") {
		t.Errorf("got %v", err)
	}
	if n := between.sessions.Load(); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
	mustAcquire(t, a)
}

// handoff: the session stays the same, so the lock's index tells the holders apart.
func (s suite) handoff(t *testing.T) {
	c := s.cluster(t)
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	old := mustAcquire(t, a)
	if a.Confirmed() {
		t.Error("the election alone confirms the term")
	}
	set := mustAdd(t, a, b)
	if !a.Confirmed() {
		t.Error("a change of the set does not confirm the term")
	}
	lease, err := b.AcquireExisting(t.Context(), old.ID())
	if err != nil {
		t.Fatal(err)
	}
	if lease.ID() != old.ID() || a.Term() == b.Term() {
		t.Errorf("sessions %s and %s, terms %s and %s", old.ID(), lease.ID(), a.Term(), b.Term())
	}
	_, err = a.Change(t.Context(), node.SyncChange{Term: a.Term(), Index: set.Index, Members: []node.Member{{ID: a.ID}}})
	mustErr(t, err, node.ErrNotHeld)
	mustErr(t, old.Renew(t.Context()), litefs.ErrLeaseExpired)
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Errorf("the old holder's end was the new one's, too: %v", err)
	}
	if info, err := a.PrimaryInfo(t.Context()); err != nil || info.Hostname != "b" {
		t.Errorf("the primary is %+v, %v", info, err)
	}
	if b.Confirmed() {
		t.Error("the old holder's changes confirm the new one's term")
	}
	mustAdd(t, b)
	if !b.Confirmed() || a.Confirmed() {
		t.Errorf("confirmed: the new holder's term %t, the old one's %t", b.Confirmed(), a.Confirmed())
	}
}

// handoffOutside: a lease that was handed to a wrong node is free at once.
func (s suite) handoffOutside(t *testing.T) {
	c := s.cluster(t)
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	lease := mustAcquire(t, a)
	if _, err := a.PrimaryInfo(t.Context()); err == nil || !strings.Contains(err.Error(), "own name") {
		t.Errorf("its own lease: %v", err)
	}
	if _, err := b.AcquireExisting(t.Context(), lease.ID()); err == nil || !strings.Contains(err.Error(), "outside") {
		t.Errorf("got %v", err)
	}
	mustNoPrimary(t, a)
	mustAcquire(t, a)
}

// stock: LiteFS's own leaser understands the lock, but is not followed when there is a set.
func (s suite) stock(t *testing.T) {
	c := s.cluster(t)
	stock := consul.NewLeaser(c.url, c.key, "s", "http://s")
	if err := stock.Open(); err != nil {
		t.Fatal(err)
	}
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	lease := mustAcquire(t, a)
	if info, err := stock.PrimaryInfo(t.Context()); err != nil || info.Hostname != "a" || info.AdvertiseURL != "http://a" {
		t.Errorf("stock LiteFS sees %+v, %v", info, err)
	}
	if err := lease.Close(); err != nil {
		t.Fatal(err)
	}
	stock.TTL = testTTL
	if _, err := stock.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := b.PrimaryInfo(t.Context())
	//nolint:errorlint // LiteFS compares like this
	if err == nil || err == litefs.ErrNoPrimary || !strings.Contains(err.Error(), "outside") {
		t.Errorf("a primary from outside is followed: %+v, %v", info, err)
	}
}
