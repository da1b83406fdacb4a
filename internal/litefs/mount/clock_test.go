//go:build linux

package mount_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/internal/repo/repotest"
	"blog/test/cluster"
)

// These tests are about time, and none is about how fast the machine is: they live in a bubble of testing/synctest,
// whose clock goes on when everybody in it waits for the clock, and stands still while somebody waits for the network.
// Consul is outside and real. To it they last for moments only.

// bubbleLease is so long that to Consul, which has another clock, it does not end before the test.
const bubbleLease = 100 * time.Second

// way is how a node in a bubble reaches Consul.
type way struct {
	clock    *repotest.Elapsed // of the node's lease
	standing func(context.Context) (node.Standing, error)

	mu    sync.Mutex
	hangs bool          // connections open and nothing answers
	slow  time.Duration // before a call arrives
	last  time.Time     // when one was sent that arrived
	calls int           // how many have arrived
	// during is called when a call of that number has been sent.
	during map[int]func()
}

func (w *way) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	hangs, slow := w.hangs, w.slow
	if !hangs {
		w.last = time.Now()
		w.calls++
	}
	during := w.during[w.calls]
	w.mu.Unlock()
	if during != nil {
		during()
	}
	if hangs {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		return here, nil
	}
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// hang sets whether Consul hangs, and returns when it was last reached.
func (w *way) hang(hangs bool) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hangs = hangs
	return w.last
}

// mustTTL is how long the only session that Consul knows may go without a renewal: it does not end before.
func (c testCluster) mustTTL(t *testing.T) time.Duration {
	t.Helper()
	raw, err := api.NewClient(&api.Config{
		Address:    strings.TrimPrefix(c.url, "http://"),
		HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions, _, err := raw.Session().List(nil)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("sessions: %+v, %v, want no error and 1 of them", sessions, err)
	}
	ttl, err := time.ParseDuration(sessions[0].TTL)
	if err != nil {
		t.Fatal(err)
	}
	return ttl
}

// TestBelief: whenever Consul begins to hang, LiteFS has ceased to believe in its lease before the session can end, and
// not much earlier than it must.
func TestBelief(t *testing.T) {
	consul := cluster.StartConsul(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, consul.URL, "t/belief")
		c.ttl = bubbleLease
		store, toConsul, closeStore := c.mustStore(t)
		defer closeStore()
		mustBelieve(t, store, true)
		ttl := c.mustTTL(t)
		for moment := time.Duration(0); moment < ttl; moment += ttl / 16 { // of the renewal's turn
			time.Sleep(moment)
			renewed := toConsul.hang(true)
			mustBelieve(t, store, false)
			if took := time.Since(renewed); took > ttl || took < ttl*3/4 {
				t.Errorf("it hangs %s after it was primary: LiteFS believes in its lease until %s after the last renewal of a "+
					"session of %s", moment, took, ttl)
			}
			toConsul.hang(false)
			mustBelieve(t, store, true)
		}
	})
}

// mustStore starts LiteFS's store in a bubble. The caller closes it in the same bubble.
func (c testCluster) mustStore(t *testing.T) (store *litefs.Store, toConsul *way, closeStore func()) {
	t.Helper()
	lease := c.lease("a")
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	lease.ReconnectDelay, lease.DemoteDelay = 50*time.Millisecond, time.Second
	toConsul = &way{clock: repotest.NewElapsed()}
	var err error
	store, toConsul.standing, err = mount.OpenStore(mount.Config{
		Data: mount.Data{Dir: t.TempDir(), Retention: time.Minute, RetentionMonitorInterval: time.Minute}, Lease: lease,
	}, strings.TrimPrefix(c.url, "http://"), toConsul.dial, toConsul.clock.Read, log)
	if err != nil {
		t.Fatal(err)
	}
	return store, toConsul, func() { cluster.MustClose(t, "store", store.Close()) }
}

// TestHandoffHangs: LiteFS waits up to 5 s for the stream of the node that it hands off to, and hears of nothing
// meanwhile. A lease that is shorter is over in time all the same, nobody gets it later, and the lock is free at once.
func TestHandoffHangs(t *testing.T) {
	consul := cluster.StartConsul(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, consul.URL, "t/handoff")
		c.ttl = 5 * time.Second
		store, toConsul, closeStore := c.mustStore(t)
		defer closeStore()
		mustBelieve(t, store, true)
		ttl := c.mustTTL(t)
		const frozen = 7
		sub := store.SubscribeChangeSet(frozen)
		defer func() { _ = sub.Close() }()
		if err := store.Handoff(t.Context(), frozen); err != nil {
			t.Fatal(err)
		}
		const step = 10 * time.Millisecond
		var renewed time.Time
		for store.IsPrimary() {
			renewed = toConsul.hang(false)
			time.Sleep(step)
		}
		if took := time.Since(renewed); took > ttl || took < ttl*3/4 {
			t.Errorf("LiteFS believes in its lease until %s after the last renewal of a session of %s", took, ttl)
		}
		over := time.Now()
		mustBelieve(t, store, true)
		if took := time.Since(over); took > ttl/2 {
			t.Errorf("the lock was free only after %s", took)
		}
		select {
		case id := <-sub.HandoffCh():
			t.Errorf("the session %s is handed off after its end", id)
		case <-time.After(2 * ttl):
		}
		if !store.IsPrimary() {
			t.Error("the next lease is over, too")
		}
	})
}

func mustBelieve(t *testing.T, store *litefs.Store, primary bool) {
	t.Helper()
	const step = 10 * time.Millisecond
	for range 10 * bubbleLease / step {
		if store.IsPrimary() == primary {
			return
		}
		time.Sleep(step)
	}
	t.Fatalf("primary: never %t", primary)
}

// TestLeaseClock: where LiteFS forgets to renew, the lease steps down by itself, counted from when the last renewal was
// sent, not from its answer.
func TestLeaseClock(t *testing.T) {
	consul := cluster.StartConsul(t)
	for name, renew := range map[string]bool{"taken": false, "renewed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, consul.URL, "t/clock/"+name)
				c.ttl = bubbleLease
				a := c.mustPeer(t, "a", "")
				toConsul := &way{slow: time.Second} // no call may take two
				if err := a.DialConsul(strings.TrimPrefix(c.url, "http://"), toConsul.dial); err != nil {
					t.Fatal(err)
				}
				sent := time.Now().Add(2 * toConsul.slow) // after a look at who has it, and the registration of the sessions' node
				lease, err := a.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				ttl := c.mustTTL(t)
				if renew {
					time.Sleep(ttl / 2)
					sent = time.Now()
					if err := lease.Renew(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				select {
				case <-a.Demoted:
				case <-time.After(10 * bubbleLease):
				}
				if took := time.Since(sent); took > ttl || took < ttl*3/4 || !lease.RenewedAt().Equal(sent) {
					t.Errorf("stepped down %s after the renewal of a session of %s, which was noted %s late", took, ttl,
						lease.RenewedAt().Sub(sent))
				}
				mustExpired(t, lease)
				if err := lease.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
