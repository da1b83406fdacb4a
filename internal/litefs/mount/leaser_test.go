//go:build linux

package mount_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
	"github.com/superfly/litefs/consul"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// testTTL is short for the tests that wait for its end. The others take one with which a call has time on a busy
// machine.
const (
	testTTL = 2 * time.Second
	longTTL = 10 * time.Second
)

// testCluster is one key in Consul.
type testCluster struct {
	url, key string
	ttl      time.Duration
	raw      *api.Client // what nobody but an operator would do
}

func newCluster(t *testing.T, consulURL, key string) testCluster {
	t.Helper()
	raw, err := api.NewClient(&api.Config{Address: strings.TrimPrefix(consulURL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	return testCluster{url: consulURL, key: key, ttl: testTTL, raw: raw}
}

func (c testCluster) lease(name string) mount.Lease {
	return mount.Lease{
		Type: "consul", Hostname: name, AdvertiseURL: "http://" + name, Candidate: true,
		Consul: mount.Consul{URL: c.url, Key: c.key, TTL: c.ttl, LockDelay: time.Millisecond},
	}
}

func (c testCluster) mustPeer(t *testing.T, name, clusterID string) *mount.Peer {
	t.Helper()
	p, err := mount.NewPeer(c.lease(name), t.TempDir(), clusterID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustAcquire(t *testing.T, p *mount.Peer) litefs.Lease {
	t.Helper()
	var lease litefs.Lease
	cluster.Poll(t, limit, p.Hostname()+"'s lease", func(ctx context.Context) (err error) {
		lease, err = p.Acquire(ctx)
		return err
	})
	return lease
}

const limit = 30 * time.Second

func mustSet(t *testing.T, p *mount.Peer) *node.SyncSet {
	t.Helper()
	set, err := p.Set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// mustAdd has the primary p put others into the set, beside itself.
func mustAdd(t *testing.T, p *mount.Peer, others ...*mount.Peer) node.SyncSet {
	t.Helper()
	members := []node.Member{{ID: p.ID, Name: p.Hostname()}}
	for _, o := range others {
		members = append(members, node.Member{ID: o.ID, Name: o.Hostname()})
	}
	set, err := p.Change(t.Context(), node.SyncChange{Term: p.Term(), Index: mustSet(t, p).Index, Members: members, Seq: 7})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mustErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// suite is the tests of one leaser or two that share a Consul. Each has a key of its own.
type suite struct{ consul *cluster.Consul }

func (s suite) cluster(t *testing.T) testCluster {
	t.Helper()
	t.Parallel()
	c := newCluster(t, s.consul.URL, "t/"+t.Name())
	c.ttl = longTTL
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

// sessionTTL: a session is shorter than the lease where Consul allows it, and LiteFS believes in neither for longer than
// the session lasts.
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

func mustNoPrimary(t *testing.T, p *mount.Peer) {
	t.Helper()
	if _, err := p.PrimaryInfo(t.Context()); err != litefs.ErrNoPrimary { //nolint:errorlint // LiteFS compares like this
		t.Errorf("got %v, want no primary", err)
	}
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
	if info, err := b.PrimaryInfo(t.Context()); err == nil || err == litefs.ErrNoPrimary || !strings.Contains(err.Error(), "outside") { //nolint:errorlint // LiteFS compares like this
		t.Errorf("a primary from outside is followed: %+v, %v", info, err)
	}
}

// dataLost: Consul has forgotten everything; only an operator can say which node to keep.
func (s suite) dataLost(t *testing.T) {
	c := s.cluster(t)
	id := litefs.GenerateClusterID()
	a, b := c.mustPeer(t, "a", id), c.mustPeer(t, "b", id)
	for _, p := range []*mount.Peer{a, b} {
		if err := p.Inspect(t.Context()); err != nil {
			t.Errorf("such a node can serve reads: %v", err)
		}
		if _, err := p.Acquire(t.Context()); err == nil || !strings.Contains(err.Error(), "accept-loss") {
			t.Errorf("got %v", err)
		}
	}
	accepted, err := b.AcceptLoss(t.Context())
	if err != nil || accepted.Before != nil || !accepted.Now.Has(b.ID) {
		t.Errorf("%+v, %v", accepted, err)
	}
	mustAcquire(t, b)
}

// released: a holder that dies while it lets go leaves a value that nobody holds.
func (s suite) released(t *testing.T) {
	c := s.cluster(t)
	a, b := c.mustPeer(t, "a", litefs.GenerateClusterID()), c.mustPeer(t, "b", "")
	lock, _ := b.Keys()
	if _, err := c.raw.KV().Put(&api.KVPair{Key: lock, Value: []byte(`{"hostname":"gone"}`)}, nil); err != nil {
		t.Fatal(err)
	}
	mustNoPrimary(t, a)
	if _, err := a.AcceptLoss(t.Context()); err != nil {
		t.Error(err)
	}
	mustAcquire(t, a)
}

// unknownLock: without an answer the session is ended, later if it cannot be now.
func (s suite) unknownLock(t *testing.T) {
	c := s.cluster(t)
	between := newProxy(t, c.url)
	direct := c.mustPeer(t, "direct", "")
	c.url = between.url
	a := c.mustPeer(t, "a", "")
	txn, destroy := "/txn", "/session/destroy"
	between.swallow.Store(&txn)
	between.lose.Store(&destroy)
	if _, err := a.Acquire(t.Context()); err == nil || err == litefs.ErrPrimaryExists { //nolint:errorlint // LiteFS compares like this
		t.Fatalf("got %v", err)
	}
	if info, err := direct.PrimaryInfo(t.Context()); err != nil || info.Hostname != "a" {
		t.Fatalf("the swallowed transaction was to be done: %+v, %v", info, err)
	}
	between.swallow.Store(nil)
	between.lose.Store(nil)
	mustNoPrimary(t, a)
	if !mustSet(t, a).Has(a.ID) {
		t.Error("the set is not there")
	}
	mustAcquire(t, a)
}

// unknownClusterID: LiteFS would never be primary again if it took this for a failure.
func (s suite) unknownClusterID(t *testing.T) {
	c := s.cluster(t)
	direct := c.mustPeer(t, "direct", "")
	between := newProxy(t, c.url)
	c.url = between.url
	a := c.mustPeer(t, "a", "")
	all, id := "/v1/kv/", litefs.GenerateClusterID()
	between.swallow.Store(&all)
	done := make(chan error, 1)
	go func() { done <- a.SetClusterID(t.Context(), id) }()
	cluster.Poll(t, limit, "the id in Consul", func(ctx context.Context) error {
		if have, err := direct.ClusterID(ctx); err != nil || have != id {
			return fmt.Errorf("it is %q, %w", have, err)
		}
		return nil
	})
	select {
	case err := <-done:
		t.Errorf("got %v before anything is known", err)
	default:
	}
	between.swallow.Store(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := a.SetClusterID(t.Context(), litefs.GenerateClusterID()); err == nil {
		t.Error("another id is taken")
	}
}

// foreign: two clusters on one key are told so.
func (s suite) foreign(t *testing.T) {
	c := s.cluster(t)
	a, b := c.mustPeer(t, "a", litefs.GenerateClusterID()), c.mustPeer(t, "b", litefs.GenerateClusterID())
	if err := a.SetClusterID(t.Context(), litefs.GenerateClusterID()); err != nil {
		t.Fatal(err)
	}
	if err := a.Inspect(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "LITEFS_CONSUL_KEY") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	_, err := b.AcceptLoss(t.Context())
	mustErr(t, err, node.ErrRefused)
}
