//go:build linux

package mount_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	node "blog/internal/litefs"
	"blog/test/cluster"
)

// TestDroppedDatabase: a database that was removed on the mount costs no node its id, and with it the right to be
// elected.
func TestDroppedDatabase(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/dropped")
	dirA, dirB := t.TempDir(), t.TempDir()
	a := mustBare(t, c.lease("a"), dirA)
	first := awaitPrimary(t, a)
	mustHold(t, a, 3)
	stray, err := a.Store.CreateDBIfNotExists("stray.db")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dirA, "dbs/blog.db/database"))
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(stray.Import(t.Context(), f), f.Close()); err != nil {
		t.Fatal(err)
	}
	b := mustBare(t, c.lease("b"), dirB)
	awaitReplica(t, b)
	same := func(context.Context) error {
		for _, name := range []string{"blog.db", "stray.db"} {
			if db := b.Store.DB(name); db == nil || db.Pos() != a.Store.DB(name).Pos() {
				return errors.New("it is not complete")
			}
		}
		return nil
	}
	cluster.Poll(t, limit, "b's copy", same)
	if err = stray.Drop(t.Context()); err != nil { // as `rm` on the mount does
		t.Fatal(err)
	}
	cluster.Poll(t, limit, "b's copy without it", same)
	standby := mustStanding(t, b).Self
	if _, err = a.Control.Change(t.Context(), node.SyncChange{
		Term: first.Term, Index: first.Set.Index, Members: []node.Member{first.Self, standby},
	}); err != nil {
		t.Fatal(err)
	}
	cluster.MustClose(t, "a", a.Close())
	if now := awaitPrimary(t, b).Self.ID; now != standby.ID {
		t.Errorf("b was %s and is %s", standby.ID, now)
	}
	a = mustBare(t, c.lease("a"), dirA)
	awaitReplica(t, a)
	if now := mustStanding(t, a).Self.ID; now != first.Self.ID {
		t.Errorf("a was %s and is %s", first.Self.ID, now)
	}
}
