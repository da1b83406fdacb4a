//go:build linux

package mount_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

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
	//nolint:errorlint // LiteFS compares like this
	if _, err := a.Acquire(t.Context()); err == nil || err == litefs.ErrPrimaryExists {
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
	if err := b.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "LITEFS_CONSUL_KEY") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	_, err := b.AcceptLoss(t.Context())
	mustErr(t, err, node.ErrRefused)
}
