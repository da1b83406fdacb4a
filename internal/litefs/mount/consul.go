//go:build linux

package mount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
)

// LiteFS's defaults for Consul's lease.
const (
	defaultTTL       = 10 * time.Second
	defaultLockDelay = time.Second
)

// newLeaser returns the lease policy that l asks for.
func newLeaser(l Lease) (litefs.Leaser, error) {
	if l.Type == leaseStatic {
		return litefs.NewStaticLeaser(l.Candidate, l.Hostname, l.AdvertiseURL), nil
	}
	return newConsulLeaser(l)
}

var _ litefs.Leaser = (*consulLeaser)(nil)

// consulLeaser keeps the lease in Consul, in the same keys and values as LiteFS's own leaser (its consul
// package), so that nodes of both kinds make one cluster. It differs in three points: every call has a time limit, a
// Consul that is away at the start is no error, and a renewal counts from before it was sent, so that this node
// never believes in its lease for longer than Consul does.
type consulLeaser struct {
	client       *api.Client
	prefix       string // path in the URL, as Fly gives it; it also names a node of the catalog
	key          string
	hostname     string
	advertiseURL string
	ttl          time.Duration
	lockDelay    time.Duration
	limit        time.Duration // of one call
	registered   atomic.Bool
}

func newConsulLeaser(l Lease) (*consulLeaser, error) {
	u, err := url.Parse(l.Consul.URL)
	if err != nil {
		return nil, fmt.Errorf("lease.consul.url: %w", err)
	}
	c := &consulLeaser{
		prefix: strings.Trim(u.Path, "/"), key: l.Consul.Key,
		hostname: l.Hostname, advertiseURL: l.AdvertiseURL,
		ttl: l.Consul.TTL, lockDelay: l.Consul.LockDelay,
	}
	if c.ttl <= 0 {
		c.ttl = defaultTTL
	}
	if c.lockDelay <= 0 {
		c.lockDelay = defaultLockDelay
	}
	// Two renewals that get no answer must fit into what is left of the lease.
	c.limit = min(streamLimit, c.ttl/4)

	config := api.DefaultConfig()
	config.Address, config.Scheme = u.Host, u.Scheme
	// The limit of the client bounds what a context cannot: reading the answer.
	config.HttpClient = &http.Client{Timeout: c.limit, Transport: http.DefaultTransport}
	if token, ok := u.User.Password(); ok {
		config.Token = token
	}
	if c.client, err = api.NewClient(config); err != nil {
		return nil, fmt.Errorf("lease.consul: %w", err)
	}
	return c, nil
}

func (c *consulLeaser) Close() error         { return nil }
func (c *consulLeaser) Type() string         { return leaseConsul }
func (c *consulLeaser) Hostname() string     { return c.hostname }
func (c *consulLeaser) AdvertiseURL() string { return c.advertiseURL }

func (c *consulLeaser) lockKey() string      { return path.Join(c.prefix, c.key) }
func (c *consulLeaser) clusterIDKey() string { return path.Join(c.prefix, c.key, "clusterid") }

// nodeName is the catalog's node that owns the sessions: one for the cluster where the URL has a path, and the
// Consul agent's own otherwise.
func (c *consulLeaser) nodeName() string {
	if c.prefix == "" {
		return ""
	}
	return path.Join(c.prefix, "litefs")
}

// register makes the catalog's node once.
func (c *consulLeaser) register(ctx context.Context) error {
	if c.prefix == "" || c.registered.Load() {
		return nil
	}
	node := &api.CatalogRegistration{Node: c.nodeName(), Address: "localhost"}
	if _, err := c.client.Catalog().Register(node, new(api.WriteOptions).WithContext(ctx)); err != nil {
		return fmt.Errorf("register node %q: %w", node.Node, err)
	}
	c.registered.Store(true)
	return nil
}

// Acquire implements litefs.Leaser.
func (c *consulLeaser) Acquire(ctx context.Context) (litefs.Lease, error) {
	if err := c.register(ctx); err != nil {
		return nil, err
	}
	sent := time.Now()
	id, _, err := c.client.Session().CreateNoChecks(&api.SessionEntry{
		Node:      c.nodeName(),
		Name:      "litefs",
		Behavior:  api.SessionBehaviorDelete,
		LockDelay: c.lockDelay,
		TTL:       c.ttl.String(),
	}, new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		c.registered.Store(false) // Consul may have lost the node
		return nil, fmt.Errorf("create session: %w", err)
	}
	lease := c.newLease(id, sent)
	if err := c.lock(ctx, id); err != nil {
		// A courtesy to Consul, whatever comes of it: the session ends by itself, too.
		_, _ = c.client.Session().Destroy(id, nil)
		return nil, err
	}
	return lease, nil
}

// AcquireExisting implements litefs.Leaser: it takes over the session of a primary that hands off.
func (c *consulLeaser) AcquireExisting(ctx context.Context, id string) (litefs.Lease, error) {
	lease := c.newLease(id, time.Now())
	if err := lease.Renew(ctx); err != nil {
		return nil, err
	}
	if err := c.lock(ctx, id); err != nil {
		return nil, err
	}
	return lease, nil
}

// lock writes this node's name into the key under the session. It returns litefs.ErrPrimaryExists, unwrapped as
// LiteFS compares it, when another has it.
func (c *consulLeaser) lock(ctx context.Context, session string) error {
	value, err := json.Marshal(litefs.PrimaryInfo{Hostname: c.hostname, AdvertiseURL: c.advertiseURL})
	if err != nil {
		return fmt.Errorf("encode lease: %w", err)
	}
	ok, _, err := c.client.KV().Acquire(
		&api.KVPair{Key: c.lockKey(), Value: value, Session: session},
		new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("lock %s: %w", c.lockKey(), err)
	}
	if !ok {
		return litefs.ErrPrimaryExists
	}
	return nil
}

// PrimaryInfo implements litefs.Leaser.
func (c *consulLeaser) PrimaryInfo(ctx context.Context) (info litefs.PrimaryInfo, err error) {
	kv, err := c.read(ctx, c.lockKey())
	if err != nil {
		return info, err
	}
	if kv == nil || len(kv.Value) == 0 {
		return info, litefs.ErrNoPrimary
	}
	if err := json.Unmarshal(kv.Value, &info); err != nil {
		return info, fmt.Errorf("decode %s: %w", c.lockKey(), err)
	}
	return info, nil
}

// ClusterID implements litefs.Leaser. "" means that none has been set.
func (c *consulLeaser) ClusterID(ctx context.Context) (string, error) {
	kv, err := c.read(ctx, c.clusterIDKey())
	if err != nil || kv == nil {
		return "", err
	}
	return string(kv.Value), nil
}

// SetClusterID implements litefs.Leaser. It is set once: index 0 makes Consul refuse a key that exists.
func (c *consulLeaser) SetClusterID(ctx context.Context, id string) error {
	ok, _, err := c.client.KV().CAS(
		&api.KVPair{Key: c.clusterIDKey(), Value: []byte(id)},
		new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("set %s: %w", c.clusterIDKey(), err)
	}
	if !ok {
		return errors.New("the cluster has an id already")
	}
	return nil
}

func (c *consulLeaser) read(ctx context.Context, key string) (*api.KVPair, error) {
	kv, _, err := c.client.KV().Get(key, new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return kv, nil
}

var _ litefs.Lease = (*consulLease)(nil)

// consulLease is a held lock. LiteFS calls all but Handoff from one goroutine.
type consulLease struct {
	leaser  *consulLeaser
	id      string
	renewed time.Time
	handoff chan uint64
}

func (c *consulLeaser) newLease(id string, renewed time.Time) *consulLease {
	return &consulLease{leaser: c, id: id, renewed: renewed, handoff: make(chan uint64)}
}

func (l *consulLease) ID() string               { return l.id }
func (l *consulLease) TTL() time.Duration       { return l.leaser.ttl }
func (l *consulLease) RenewedAt() time.Time     { return l.renewed }
func (l *consulLease) HandoffCh() <-chan uint64 { return l.handoff }

// Renew implements litefs.Lease. litefs.ErrLeaseExpired is returned as it is: LiteFS compares it.
func (l *consulLease) Renew(ctx context.Context) error {
	sent := time.Now()
	entry, _, err := l.leaser.client.Session().Renew(l.id, new(api.WriteOptions).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	if entry == nil {
		return litefs.ErrLeaseExpired
	}
	l.renewed = sent
	return nil
}

// handoffLimit is LiteFS's own.
const handoffLimit = 5 * time.Second

// Handoff implements litefs.Lease.
func (l *consulLease) Handoff(ctx context.Context, node uint64) error {
	limit := time.NewTimer(handoffLimit)
	defer limit.Stop()
	select {
	case l.handoff <- node:
		return nil
	case <-limit.C:
		return errors.New("hand off: the lease did not answer in time")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements litefs.Lease: it releases the key and ends the session, so that another can be primary at once.
// It has no context; the client's own limit bounds it.
func (l *consulLease) Close() error {
	_, _, err := l.leaser.client.KV().Release(&api.KVPair{Key: l.leaser.lockKey(), Session: l.id}, nil)
	if _, e := l.leaser.client.Session().Destroy(l.id, nil); e != nil {
		err = errors.Join(err, fmt.Errorf("destroy session: %w", e))
	}
	return err
}
