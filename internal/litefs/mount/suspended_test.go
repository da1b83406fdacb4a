//go:build linux

package mount_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// These tests are about a machine that was suspended: the clock of a lease jumps on, and no timer has run meanwhile.

// soon is longer than it takes to check whether a lease has run out, and far shorter than a renewal takes to come.
const soon = bubbleLease / 50

// TestSuspended: when a machine wakes after its lease, LiteFS believes in the lease no more at the next check, long
// before the renewal is due, and the child is told at once that the lease is over.
func TestSuspended(t *testing.T) {
	consul := cluster.StartConsul(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, consul.URL, "t/suspended")
		c.ttl = bubbleLease
		store, toConsul, closeStore := c.mustStore(t)
		defer closeStore()
		mustBelieve(t, store, true)
		ttl := c.mustTTL(t)
		before, err := toConsul.standing(t.Context())
		if err != nil || !before.Primary {
			t.Fatalf("before: %+v, %v, want no error and Primary true", before, err)
		}
		toConsul.clock.Jump(ttl / 4)
		time.Sleep(soon)
		if during, err := toConsul.standing(t.Context()); err != nil || during.Term != before.Term {
			t.Fatalf("after less than a lease: %+v, %v, want no error and Term %v", during, err, before.Term)
		}
		toConsul.clock.Jump(ttl)
		woke := time.Now()
		if now, err := toConsul.standing(t.Context()); err != nil || now.Primary || !store.IsPrimary() {
			t.Errorf("at once: the child is told %+v, %v; LiteFS: primary %t, and there was no check yet", now, err,
				store.IsPrimary())
		}
		mustBelieve(t, store, false)
		if took := time.Since(woke); took > soon {
			t.Errorf("LiteFS believes in its lease until %s after the waking, want at most %v", took, soon)
		}
		mustBelieve(t, store, true)
		if now, err := toConsul.standing(t.Context()); err != nil || !now.Primary || now.Term == before.Term {
			t.Errorf("the next lease: %+v, %v, want no error, Primary true and Term not %v", now, err, before.Term)
		}
	})
}

// TestSuspendedLease: a lease that ran out while the machine was suspended changes no set, confirms nothing and is not
// renewed, although Consul has it still.
func TestSuspendedLease(t *testing.T) {
	consul := cluster.StartConsul(t)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, consul.URL, "t/suspended/lease")
		c.ttl = bubbleLease
		a, toConsul := c.mustBubblePeer(t)
		lease, err := a.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		change := func() error {
			set := mustSet(t, a)
			_, err := a.Change(t.Context(), node.SyncChange{Term: a.Term(), Index: set.Index, Members: set.Members})
			return err
		}
		if err := change(); err != nil || !a.Held() || !a.Confirmed() {
			t.Fatalf("before: %v, held %t, confirmed %t, want no error, true and true", err, a.Held(), a.Confirmed())
		}
		a.Clock.Jump(c.mustTTL(t))
		if err := change(); !errors.Is(err, node.ErrNotHeld) || a.Held() || a.Confirmed() {
			t.Errorf("after: %v, held %t, confirmed %t, want %v, false and false", err, a.Held(), a.Confirmed(), node.ErrNotHeld)
		}
		before := toConsul.sent()
		mustExpired(t, lease)
		if asked := toConsul.sent() - before; asked != 0 {
			t.Errorf("Consul is asked %d times for a lease that is over, want 0", asked)
		}
		select {
		case <-a.Demoted:
		case <-time.After(soon):
			t.Error("LiteFS is not demoted")
		}
		if err := lease.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestSuspendedInACall: Consul's answer to what was asked before the machine was suspended begins no lease and renews
// none, and the lock is free.
func TestSuspendedInACall(t *testing.T) {
	consul := cluster.StartConsul(t)
	const session, lock = 3, 4 // after a look at who has it, and the registration of the sessions' node
	for name, call := range map[string]int{"session": session, "lock": lock} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, consul.URL, "t/suspended/"+name)
				c.ttl = bubbleLease
				a, toConsul := c.mustBubblePeer(t)
				toConsul.during = map[int]func(){call: func() { a.Clock.Jump(bubbleLease) }}
				if lease, err := a.Acquire(t.Context()); err == nil {
					t.Errorf("acquired %s", lease.ID())
				}
				lease, err := a.Acquire(t.Context())
				if err != nil {
					t.Fatalf("the lock is not free: %v", err)
				}
				if err := lease.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	t.Run("renewal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, consul.URL, "t/suspended/renewal")
			c.ttl = bubbleLease
			a, toConsul := c.mustBubblePeer(t)
			lease, err := a.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			toConsul.during = map[int]func(){toConsul.sent() + 2: func() { a.Clock.Jump(bubbleLease) }}
			mustExpired(t, lease)
			if err := lease.Close(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("cluster id", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, consul.URL, "t/suspended/id")
			c.ttl = bubbleLease
			a, toConsul := c.mustBubblePeer(t)
			lease, err := a.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			toConsul.during = map[int]func(){toConsul.sent() + 1: func() { a.Clock.Jump(bubbleLease) }}
			if id, err := a.ClusterID(t.Context()); err == nil {
				t.Errorf("LiteFS is told %q, and goes on to believe in the lease", id)
			}
			if err := lease.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

// mustBubblePeer is a peer in a bubble, and how it reaches Consul.
func (c testCluster) mustBubblePeer(t *testing.T) (*mount.Peer, *way) {
	t.Helper()
	a, toConsul := c.mustPeer(t, "a", ""), new(way)
	if err := a.DialConsul(strings.TrimPrefix(c.url, "http://"), toConsul.dial); err != nil {
		t.Fatal(err)
	}
	return a, toConsul
}

// lateReader is a log whose reader reads a line about the end of a lease only once LiteFS was told to step down.
type lateReader struct {
	slog.Handler
	t    *testing.T
	peer *mount.Peer
	read atomic.Int32 // how many such lines
}

func (l *lateReader) Enabled(context.Context, slog.Level) bool { return true }

func (l *lateReader) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "the lease has run out") || r.Message == "the lease is over" {
		l.read.Add(1)
		if len(l.peer.Demoted) == 0 {
			l.t.Errorf("%q is logged before LiteFS was told to step down, want it after", r.Message)
		}
	}
	return nil
}

// TestStepsDownBeforeItLogs: a line of the log may wait for who reads it, and LiteFS may not believe in the lease
// meanwhile.
func TestStepsDownBeforeItLogs(t *testing.T) {
	consul := cluster.StartConsul(t)
	for name, end := range map[string]func(t *testing.T, a *mount.Peer, lease litefs.Lease){
		"it has run out": func(_ *testing.T, a *mount.Peer, lease litefs.Lease) { a.Clock.Jump(lease.TTL()) },
		"it is not renewed any more": func(t *testing.T, a *mount.Peer, lease litefs.Lease) {
			t.Helper()
			a.Clock.Jump(lease.TTL())
			if err := lease.Renew(t.Context()); err != litefs.ErrLeaseExpired { //nolint:errorlint // LiteFS compares like this
				t.Errorf("got %v, want %v", err, litefs.ErrLeaseExpired)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, consul.URL, "t/log/"+strings.ReplaceAll(name, " ", "-"))
				c.ttl = bubbleLease
				a, _ := c.mustBubblePeer(t)
				log := &lateReader{Handler: slog.DiscardHandler, t: t, peer: a}
				a.LogTo(log)
				lease, err := a.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				end(t, a, lease)
				time.Sleep(soon)
				if log.read.Load() == 0 {
					t.Error("got no line about the end of the lease, want one")
				}
			})
		})
	}
}

// sent is how many calls have arrived at Consul.
func (w *way) sent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}
