//go:build linux

package mount_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// mustBare starts a node without a mount. Its data directory is dir.
func mustBare(t *testing.T, lease mount.Lease, dir string) *mount.Bare {
	t.Helper()
	return mustBareLogging(t, lease, dir, t.Output())
}

// mustBareLogging starts a node without a mount, whose log goes to out.
func mustBareLogging(t *testing.T, lease mount.Lease, dir string, out io.Writer) *mount.Bare {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	lease.AdvertiseURL, lease.ReconnectDelay, lease.DemoteDelay = "http://"+addr, 50*time.Millisecond, time.Second
	cfg := mount.Config{
		Data: mount.Data{Dir: dir, Retention: time.Minute, RetentionMonitorInterval: time.Minute},
		HTTP: mount.HTTP{Addr: addr}, Lease: lease,
	}
	b, err := mount.OpenBare(t.Context(), cfg, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.MustClose(t, lease.Hostname, b.Close()) })
	return b
}

func mustStanding(t *testing.T, b *mount.Bare) node.Standing {
	t.Helper()
	s, err := b.Control.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitPrimary waits until the node is primary and says so.
func awaitPrimary(t *testing.T, b *mount.Bare) node.Standing {
	t.Helper()
	var s node.Standing
	cluster.Poll(t, limit, "primary", func(ctx context.Context) (err error) {
		if s, err = b.Control.Standing(ctx); err == nil && !s.Primary {
			err = fmt.Errorf("it is not: %+v", s)
		}
		return err
	})
	return s
}

// awaitReplica waits until the node follows somebody.
func awaitReplica(t *testing.T, b *mount.Bare) {
	t.Helper()
	cluster.Poll(t, limit, "replica", func(context.Context) error {
		if primary, info := b.Store.PrimaryInfo(); primary || info == nil || b.Store.ClusterID() == "" {
			return errors.New("it follows nobody")
		}
		return nil
	})
}

func TestControl(t *testing.T) {
	consul := cluster.StartConsul(t)
	c := newCluster(t, consul.URL, "t/control")
	a := mustBare(t, c.lease("a"), t.TempDir())
	first := awaitPrimary(t, a)
	if first.Term == "" || !first.Candidate || !first.Set.Has(first.Self.ID) || first.Self.Name != "a" {
		t.Errorf("the first node stands so: %+v", first)
	}
	b := mustBare(t, c.lease("b"), t.TempDir())
	awaitReplica(t, b)
	standby := mustStanding(t, b)
	if standby.Primary || standby.Term != "" || standby.Self.ID == first.Self.ID || standby.Set.Has(standby.Self.ID) {
		t.Errorf("the second node stands so: %+v", standby)
	}
	mustErr(t, b.Control.Promote(t.Context()), node.ErrRefused) // outside the set
	_, err := b.Control.AcceptLoss(t.Context())
	mustErr(t, err, node.ErrRefused)

	change := node.SyncChange{Term: "x", Index: first.Set.Index, Members: []node.Member{first.Self, standby.Self}, Seq: 3}
	_, err = a.Control.Change(t.Context(), change)
	mustErr(t, err, node.ErrNotHeld)
	change.Term = first.Term
	_, err = b.Control.Change(t.Context(), change)
	mustErr(t, err, node.ErrNotHeld)
	set, err := a.Control.Change(t.Context(), change)
	if err != nil || set.Index == 0 || set.Seq != 3 || !set.Has(standby.Self.ID) {
		t.Fatalf("got %+v, %v", set, err)
	}
	_, err = a.Control.Change(t.Context(), change)
	mustErr(t, err, node.ErrSetChanged)

	// One promotion at a time.
	end := b.Promoting()
	mustErr(t, b.Control.Promote(t.Context()), node.ErrRefused)
	end()
	// The hand-off: the term is another, and the old one is worth nothing.
	if err = b.Control.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := awaitPrimary(t, b)
	awaitReplica(t, a)
	change.Index = set.Index
	_, err = a.Control.Change(t.Context(), change)
	mustErr(t, err, node.ErrNotHeld)
	if second.Term == first.Term || strings.Split(second.Term, ":")[0] != strings.Split(first.Term, ":")[0] {
		t.Errorf("terms %q and %q: want one session and two indexes", first.Term, second.Term)
	}
	// Giving up: the other member is elected.
	if err := b.Control.Demote(t.Context(), node.Giving{}); err != nil {
		t.Fatal(err)
	}
	awaitPrimary(t, a)

	consul.Pause(t)
	cluster.Poll(t, limit, "no answer", func(ctx context.Context) error { // a signal takes its time
		if _, err := a.Control.Standing(ctx); !errors.Is(err, node.ErrNoAnswer) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	consul.Resume(t)
	awaitPrimary(t, a)
}

// TestConsulHangs: a node steps down while Consul is stopped where it is, and is primary again with it. Until when it
// may believe in its lease TestBelief says.
func TestConsulHangs(t *testing.T) {
	consul := cluster.StartConsul(t)
	a := mustBare(t, newCluster(t, consul.URL, "t/hangs").lease("a"), t.TempDir())
	awaitPrimary(t, a)
	consul.Pause(t)
	cluster.Poll(t, limit, "stepping down", func(context.Context) error {
		if a.Store.IsPrimary() {
			return errors.New("it is primary")
		}
		return nil
	})
	consul.Resume(t)
	awaitPrimary(t, a)
}

// TestLockDeleted: a node that has lost its lock notices at the next renewal.
func TestLockDeleted(t *testing.T) {
	consul := cluster.StartConsul(t)
	c := newCluster(t, consul.URL, "t/deleted")
	a := mustBare(t, c.lease("a"), t.TempDir())
	before := awaitPrimary(t, a)
	if _, err := c.raw.KV().Delete(c.key, nil); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, limit, "another term", func(ctx context.Context) error {
		s, err := a.Control.Standing(ctx)
		if err == nil && (s.Term == "" || s.Term == before.Term) {
			err = fmt.Errorf("it is %q", s.Term)
		}
		return err
	})
}

// TestIdentity: the id goes with the data.
func TestIdentity(t *testing.T) {
	consul := cluster.StartConsul(t)
	c := newCluster(t, consul.URL, "t/identity")
	dir := t.TempDir()
	a := mustBare(t, c.lease("a"), dir)
	id := awaitPrimary(t, a).Self.ID
	cluster.MustClose(t, "a", a.Close())
	again, err := mount.NewPeer(c.lease("a"), dir, "")
	if err != nil || again.ID != id {
		t.Errorf("the same data: %q, %v, want %q", again.ID, err, id)
	}
	wiped := c.mustPeer(t, "a", "")
	if wiped.ID == id {
		t.Error("other data has the same id")
	}
	if _, err := wiped.Acquire(t.Context()); err == nil {
		t.Error("a wiped node is elected")
	}
}
