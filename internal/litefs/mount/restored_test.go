//go:build linux

package mount_test

import (
	"bytes"
	"io"
	"testing"

	node "blog/internal/litefs"
	"blog/test/cluster"
)

// TestARestoredSnapshot of Consul's, taken under the same holding of the lease: the lock is as it was, so what the set
// is has to be read with it. The holder can write its own set over the older one, and by the older one nobody is
// elected after that.
func TestARestoredSnapshot(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/restored")
	a, b := c.mustPeer(t, "a", ""), c.mustPeer(t, "b", "")
	lease := mustAcquire(t, a)
	term := a.Term()
	older := mustAdd(t, a, b)
	saved, _, err := c.raw.Snapshot().Save(nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := io.ReadAll(saved)
	cluster.MustClose(t, "the snapshot", err)
	alone := mustAdd(t, a)
	if err = c.raw.Snapshot().Restore(nil, bytes.NewReader(snapshot)); err != nil {
		t.Fatal(err)
	}
	read, err := a.Resolved(t.Context())
	if err != nil || !read.Has(b.ID) || read.Index != older.Index || a.Term() != term {
		t.Fatalf("got %+v in term %s, %v, want the set at %d in term %s", read, a.Term(), err, older.Index, term)
	}
	change := node.SyncChange{Term: term, Index: alone.Index, Members: alone.Members}
	_, err = a.Change(t.Context(), change)
	mustErr(t, err, node.ErrSetChanged) // what the holder remembers is not what is there
	change.Index = read.Index
	again, err := a.Change(t.Context(), change)
	if err != nil || again.Has(b.ID) || again.Index <= alone.Index {
		t.Errorf("got %+v, %v, want a alone at an index after %d", again, err, alone.Index)
	}
	if err := lease.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Acquire(t.Context()); err == nil {
		t.Error("b is elected by the set that was restored")
	}
	mustAcquire(t, a)
}
