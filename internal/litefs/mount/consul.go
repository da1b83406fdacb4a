//go:build linux

package mount

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	node "blog/internal/litefs"
)

// LiteFS's defaults for Consul's lease.
const (
	defaultTTL       = 10 * time.Second
	defaultLockDelay = time.Second
)

var _ litefs.Leaser = (*consulLeaser)(nil)

// consulLeaser holds the lease and the sync set in Consul. DESIGN.md has the model, the transactions and the faults.
// The lease uses the keys and values of LiteFS's leaser (its consul package), so that a stock LiteFS finds it.
//
// LiteFS calls it from one goroutine, the control socket from others.
type consulLeaser struct {
	log          *slog.Logger
	elapsed      func() time.Duration // a lease's time: see clock.Source.Elapsed
	client       *api.Client
	data         *identity
	candidate    bool
	prefix       string // path in the URL, as Fly gives it; it also names a node of the catalog
	key          string
	name         string // for people
	hostname     string
	advertiseURL string
	lease        time.Duration // what is configured; a session lasts for ttl
	whole        atomic.Bool   // Consul allows no session that is shorter
	lockDelay    time.Duration
	registered   atomic.Bool
	// primary says whether LiteFS believes in a lease, and stepDown makes it let go.
	primary  func() bool
	stepDown func()
	// handingTo returns the channel on which LiteFS passes the session to the stream of a node that it hands off to.
	// Nobody sends on the channel where the node has no stream.
	handingTo func(node uint64) <-chan string
	// current is the newest lease, until it is closed or over. After a hand-off the lease is that of another node.
	current atomic.Pointer[consulLease]
	// unsettled is the index that a change without an answer was for; 0: there is none.
	unsettled atomic.Uint64
	// lacking is why this node is not elected with the copy that it has; nil: nothing speaks against it.
	lacking atomic.Pointer[lackingCopy]
	// positions are LiteFS's own, by database.
	positions func() map[string]ltx.Pos
	// Only LiteFS's goroutine uses these: sessions that could not be ended because Consul did not answer, and the reason
	// against an election that was logged last.
	left   []string
	logged string
}

// newConsulLeaser returns the leaser of l. The time of a lease is counted by elapsed.
func newConsulLeaser(
	l Lease, data *identity, elapsed func() time.Duration, logger *slog.Logger,
) (*consulLeaser, error) {
	u, err := url.Parse(l.Consul.URL)
	if err != nil {
		return nil, fmt.Errorf("lease.consul.url: %w", err)
	}
	c := &consulLeaser{
		log: logger, elapsed: elapsed, data: data, candidate: l.Candidate,
		primary: func() bool { return false }, stepDown: func() {},
		handingTo: func(uint64) <-chan string { return nil },
		positions: func() map[string]ltx.Pos { return nil },
		prefix:    strings.Trim(u.Path, "/"), key: l.Consul.Key,
		// The application's name for the node, where it has one.
		name: cmp.Or(os.Getenv("NODE"), l.Hostname), hostname: l.Hostname, advertiseURL: l.AdvertiseURL,
		lease: l.Consul.TTL, lockDelay: l.Consul.LockDelay,
	}
	if c.lease <= 0 {
		c.lease = defaultTTL
	}
	if c.lockDelay <= 0 {
		c.lockDelay = defaultLockDelay
	}
	config := api.DefaultConfig()
	config.Address, config.Scheme = u.Host, u.Scheme
	config.HttpClient = consulClient(min(streamLimit, c.ttl()/4), net.DefaultResolver.LookupHost)
	if token, ok := u.User.Password(); ok {
		config.Token = token
	}
	if c.client, err = api.NewClient(config); err != nil {
		return nil, fmt.Errorf("lease.consul: %w", err)
	}
	return c, nil
}

// serve makes this the store's leaser.
func (c *consulLeaser) serve(store *litefs.Store) {
	c.primary, c.stepDown, c.positions = store.IsPrimary, store.Demote, store.PosMap
	c.handingTo = func(node uint64) <-chan string {
		if sub := store.SubscriberByNodeID(node); sub != nil {
			return sub.HandoffCh()
		}
		return nil
	}
	store.Leaser = c
	store.OS = recordingOS{store.OS, c.data}
}

// consulClient returns a client none of whose calls takes longer than limit.
func consulClient(limit time.Duration, lookup lookupHost) *http.Client {
	return &http.Client{Timeout: limit, Transport: newConsulServers(limit, lookup)}
}

// urgent is the limit of a call whose time counts against the lease: LiteFS believes in a lease only after three of
// them (session, lock, cluster id), and asks for its renewal, two more, half a TTL later.
func (c *consulLeaser) urgent() time.Duration { return c.ttl() / 8 }

// ttl is the TTL of Consul's sessions, and how long LiteFS believes in a lease after its last renewal. Consul ends a
// session after up to two TTLs. With four fifths of the lease, that time, the standby's check of the lock and its
// election take at most two leases.
func (c *consulLeaser) ttl() time.Duration {
	if c.whole.Load() {
		return c.lease
	}
	return c.lease * 4 / 5
}

func (c *consulLeaser) Close() error         { return nil }
func (c *consulLeaser) Type() string         { return leaseConsul }
func (c *consulLeaser) Hostname() string     { return c.hostname }
func (c *consulLeaser) AdvertiseURL() string { return c.advertiseURL }

func (c *consulLeaser) lockKey() string      { return path.Join(c.prefix, c.key) }
func (c *consulLeaser) syncKey() string      { return path.Join(c.prefix, c.key, "sync") }
func (c *consulLeaser) clusterIDKey() string { return path.Join(c.prefix, c.key, clusterIDFile) }

func (c *consulLeaser) self() node.Member { return node.Member{ID: c.data.id(), Name: c.name} }

// nodeName is the catalog's node that owns the sessions, which is no node of Consul's own. A session ends with its
// node, checks or not, and Consul takes an agent out of the catalog that leaves, or a server that is away for a quarter
// of a minute: the lease would be over while its holder believes in it.
func (c *consulLeaser) nodeName() string { return path.Join(c.prefix, "litefs") }

// register makes the catalog's node once, where there is none of that name.
func (c *consulLeaser) register(ctx context.Context) error {
	if c.registered.Load() {
		return nil
	}
	node := &api.CatalogRegistration{Node: c.nodeName(), Address: "localhost", SkipNodeUpdate: true}
	if _, err := c.client.Catalog().Register(node, new(api.WriteOptions).WithContext(ctx)); err != nil {
		return fmt.Errorf("register node %q: %w", node.Node, err)
	}
	c.registered.Store(true)
	return nil
}

// holder is the value of the lock: LiteFS's, and who it is.
type holder struct {
	litefs.PrimaryInfo
	MemberID string `json:"member-id,omitempty"` // "": a stock LiteFS
}

// view is everything that Consul has of the cluster, as of one moment.
type view struct {
	lock      *api.KVPair // nil: there is none
	holder    holder      // of lock, if it is held
	set       *node.SyncSet
	clusterID string
}

func (v *view) held() bool { return v.lock != nil && v.lock.Session != "" }

// read reads the keys consistently. It lists them, which Consul does in one read transaction: the verb for a key that
// may be absent (get-or-empty) exists only since its release 1.14.
func (c *consulLeaser) read(ctx context.Context) (*view, error) {
	opts := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
	pairs, _, err := c.client.KV().List(c.lockKey(), opts)
	if err != nil {
		return nil, fmt.Errorf("read %s from Consul: %w", c.lockKey(), err)
	}
	v := &view{}
	for _, p := range pairs { // other clusters' keys, too, if they begin like this one's
		switch p.Key {
		case c.lockKey():
			v.lock = p
			if v.held() {
				err = json.Unmarshal(p.Value, &v.holder)
			}
		case c.syncKey():
			v.set = &node.SyncSet{}
			err = json.Unmarshal(p.Value, v.set)
			v.set.Index = p.ModifyIndex
		case c.clusterIDKey():
			v.clusterID = string(p.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("decode Consul's key %s: %w", p.Key, err)
		}
	}
	return v, nil
}

// result is the outcome of a transaction that Consul answered.
type result struct {
	done    bool
	index   map[string]uint64 // ModifyIndex by key, when done
	refused map[string]string // Consul's reason by key, otherwise
}

// transact does all of ops or none. After an error it is not known which.
func (c *consulLeaser) transact(ctx context.Context, ops ...api.KVTxnOp) (result, error) {
	txn := make(api.TxnOps, len(ops))
	for i := range ops {
		txn[i] = &api.TxnOp{KV: &ops[i]}
	}
	done, answer, _, err := c.client.Txn().Txn(txn, new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return result{}, fmt.Errorf("a transaction of Consul's on %s: %w", c.lockKey(), err)
	}
	r := result{done: done, index: map[string]uint64{}, refused: map[string]string{}}
	for _, one := range answer.Results { // not one for each of ops
		if one != nil && one.KV != nil {
			r.index[one.KV.Key] = one.KV.ModifyIndex
		}
	}
	for _, one := range answer.Errors {
		if one != nil && one.OpIndex >= 0 && one.OpIndex < len(ops) {
			r.refused[ops[one.OpIndex].Key] = one.What
		}
	}
	if !done && len(r.refused) == 0 {
		return result{}, errors.New("Consul refused a transaction without saying why")
	}
	return r, nil
}

// unchanged is the check that the sync set is still the one of v.
func (c *consulLeaser) unchanged(v *view) api.KVTxnOp {
	if v.set == nil {
		return api.KVTxnOp{Verb: api.KVCheckNotExists, Key: c.syncKey()}
	}
	return api.KVTxnOp{Verb: api.KVCheckIndex, Key: c.syncKey(), Index: v.set.Index}
}

// putSet sets the sync set if it is still at index; 0 means that there is none. The value is never the one before:
// Consul would leave the index as it is, and a late change from before could then still be carried out.
func (c *consulLeaser) putSet(index uint64, set node.SyncSet) (api.KVTxnOp, error) {
	set.Index = 0 // Consul's to know
	value, err := json.Marshal(struct {
		node.SyncSet
		Change string `json:"change"`
	}{set, rand.Text()})
	if err != nil {
		return api.KVTxnOp{}, fmt.Errorf("encode the sync set: %w", err)
	}
	return api.KVTxnOp{Verb: api.KVCAS, Key: c.syncKey(), Index: index, Value: value}, nil
}

// lockOperation returns the operation that acquires the lock, or takes it over if the session has it already.
func (c *consulLeaser) lockOperation(session string) (api.KVTxnOp, error) {
	value, err := json.Marshal(holder{
		PrimaryInfo: litefs.PrimaryInfo{Hostname: c.hostname, AdvertiseURL: c.advertiseURL}, MemberID: c.data.id(),
	})
	if err != nil {
		return api.KVTxnOp{}, fmt.Errorf("encode the lease: %w", err)
	}
	return api.KVTxnOp{Verb: api.KVLock, Key: c.lockKey(), Value: value, Session: session}, nil
}

// inspect finds, before the node starts, what no waiting would cure. A Consul that does not answer is none of that:
// the node serves reads without it.
func (c *consulLeaser) inspect(ctx context.Context) error {
	have, err := c.data.clusterID()
	if err != nil {
		return err
	}
	v, err := c.read(ctx)
	if err != nil {
		c.log.Error("Consul cannot be read: this node serves reads and waits for it; is LITEFS_CONSUL_URL right?", "err", err)
		return nil
	}
	switch {
	case have != "" && v.clusterID != "" && have != v.clusterID:
		return fmt.Errorf("the key %s in Consul belongs to cluster %s, but data.dir %s to %s: two clusters cannot share a "+
			"key; set LITEFS_CONSUL_KEY to another, or empty data.dir",
			c.lockKey(), v.clusterID, c.data.dir, have)
	case have != "" && v.set == nil:
		c.logIneligible(errSetLost)
	case have == "" && v.clusterID != "" && !v.held():
		c.log.Warn("this node is empty and nobody is primary: it waits for a node that has the data; if there is none any "+
			"more, delete these keys in Consul to begin anew",
			"keys", c.clusterIDKey()+" "+c.syncKey(), "cluster", v.clusterID)
	}
	return nil
}
