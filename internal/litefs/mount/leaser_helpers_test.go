//go:build linux

package mount_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// testTTL is short, for the tests that wait for its end. The others have longTTL, with which a call has time on a busy
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
	return testCluster{url: consulURL, key: key, ttl: longTTL, raw: raw}
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
	set, err := p.Change(t.Context(), node.SyncChange{
		Term: p.Term(), Index: mustSet(t, p).Index, Members: members, Seq: 7,
	})
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

func mustNoPrimary(t *testing.T, p *mount.Peer) {
	t.Helper()
	if _, err := p.PrimaryInfo(t.Context()); err != litefs.ErrNoPrimary { //nolint:errorlint // LiteFS compares like this
		t.Errorf("got %v, want no primary", err)
	}
}
