//go:build linux

package mount_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// mustHold has the primary hold a database with as many tables, which comes as one transaction.
func mustHold(t *testing.T, b *mount.Bare, tables int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tables {
		if _, err = raw.ExecContext(t.Context(), fmt.Sprintf("CREATE TABLE t%d AS SELECT randomblob(9000)", i)); err != nil {
			t.Fatal(err)
		}
	}
	cluster.MustClose(t, "the database", raw.Close())
	db, err := b.Store.CreateDBIfNotExists("blog.db")
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = db.Import(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	cluster.MustClose(t, "the copy", from.Close())
}

// TestDamagedData: a member of the sync set whose database is gone when it starts, for whatever reason, is another
// node, which is not in the set. One whose database is whole stays who it is.
func TestDamagedData(t *testing.T) {
	consul := cluster.StartConsul(t)
	for name, test := range map[string]struct {
		damage func(dir string) error // dir is data.dir
		same   bool                   // the node is who it was, and is elected
		fails  string                 // the node does not start, and says this
	}{
		"nothing": {damage: func(string) error { return nil }, same: true},
		"its LTX files lost": {damage: func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, "dbs/blog.db/ltx"))
		}, same: true},
		"the header overwritten": {damage: func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "dbs/blog.db/database"), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(make([]byte, 100), 0)
			return errors.Join(err, f.Close())
		}},
		"no byte and no LTX file left": {damage: func(dir string) error {
			return errors.Join(os.Truncate(filepath.Join(dir, "dbs/blog.db/database"), 0),
				os.RemoveAll(filepath.Join(dir, "dbs/blog.db/ltx")))
		}},
		"the database's folder removed": {damage: func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, "dbs/blog.db"))
		}},
		"dbs removed": {damage: func(dir string) error { return os.RemoveAll(filepath.Join(dir, "dbs")) }},
		"the id half written": {
			damage: func(dir string) error { return os.Truncate(filepath.Join(dir, "nodeid"), 16) }, fails: "nodeid is damaged",
		},
		"the id empty": {damage: func(dir string) error {
			return os.Truncate(filepath.Join(dir, "nodeid"), 0)
		}, fails: "nodeid is damaged"},
		"the record half written": {
			damage: func(dir string) error {
				return os.Truncate(filepath.Join(dir, "databases"), 7)
			}, fails: "databases is damaged",
		},
		"a folder in the place of the database": {damage: func(dir string) error {
			path := filepath.Join(dir, "dbs/blog.db/database")
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}, fails: "open data.dir"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, consul.URL, "t/"+t.Name())
			dir := t.TempDir()
			a := mustBare(t, c.lease("a"), dir)
			before := awaitPrimary(t, a)
			mustHold(t, a, 3)
			cluster.MustClose(t, "a", a.Close())
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			if test.fails != "" {
				n := newNode(t, "")
				n.withConsul(t, c.url, c.key)
				n.mustHaveData(t, dir)
				n.mustFail(t, test.fails)
				return
			}
			again := mustBare(t, c.lease("a"), dir)
			if test.same {
				if now := awaitPrimary(t, again).Self.ID; now != before.Self.ID {
					t.Errorf("it was %s and is %s", before.Self.ID, now)
				}
				return
			}
			cluster.Poll(t, limit, "another id", func(ctx context.Context) error {
				s, err := again.Control.Standing(ctx)
				if err == nil && s.Self.ID == before.Self.ID {
					err = errors.New("it is who it was")
				}
				return err
			})
			mustNeverBeElected(t, again, dir, before.Self.ID)
			cluster.MustClose(t, "a", again.Close())
			mustNeverBeElected(t, mustBare(t, c.lease("a"), dir), dir, before.Self.ID)
		})
	}
}

// mustNeverBeElected waits until the node has tried to be elected, as somebody else than was, and has been refused.
func mustNeverBeElected(t *testing.T, b *mount.Bare, dir, was string) {
	t.Helper()
	cluster.Poll(t, limit, "a refusal", func(context.Context) error {
		if b.Store.IsPrimary() {
			t.Fatal("it is elected")
		}
		if !strings.Contains(b.Refused(), "outside the sync set") {
			return fmt.Errorf("it is refused for %q", b.Refused())
		}
		return nil
	})
	text, err := os.ReadFile(filepath.Join(dir, "nodeid"))
	if err != nil || strings.TrimSpace(string(text)) == was ||
		mustStanding(t, b).Self.ID != strings.TrimSpace(string(text)) {
		t.Errorf("on the disk it is %q, %v; it was %s", text, err, was)
	}
}

// mustHaveData gives the node a data directory that another one has had.
func (n *single) mustHaveData(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(dir, n.data()); err != nil {
		t.Fatal(err)
	}
}

// TestBeforeTheFirstRow: a member that has never had a database is elected, also after a crash in its first moments.
func TestBeforeTheFirstRow(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/first-row")
	dir := t.TempDir()
	a := mustBare(t, c.lease("a"), dir)
	id := awaitPrimary(t, a).Self.ID
	_, f, err := a.Store.CreateDB("blog.db")
	if err != nil {
		t.Fatal(err)
	}
	cluster.MustClose(t, "the new file", f.Close())
	cluster.MustClose(t, "a", a.Close())
	if now := awaitPrimary(t, mustBare(t, c.lease("a"), dir)).Self.ID; now != id {
		t.Errorf("it was %s and is %s", id, now)
	}
}

// TestDatabaseOfAReleaseBefore: what a node had before there was a record counts.
func TestDatabaseOfAReleaseBefore(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/release-before")
	dir := t.TempDir()
	a := mustBare(t, c.lease("a"), dir)
	id := awaitPrimary(t, a).Self.ID
	mustHold(t, a, 3)
	cluster.MustClose(t, "a", a.Close())
	if err := os.Remove(filepath.Join(dir, "databases")); err != nil {
		t.Fatal(err)
	}
	a = mustBare(t, c.lease("a"), dir)
	if now := awaitPrimary(t, a).Self.ID; now != id {
		t.Errorf("it was %s and is %s", id, now)
	}
	cluster.MustClose(t, "a", a.Close())
	if err := os.RemoveAll(filepath.Join(dir, "dbs")); err != nil {
		t.Fatal(err)
	}
	mustNeverBeElected(t, mustBare(t, c.lease("a"), dir), dir, id)
}

// TestLostWhileRunning: the check before an election finds what has been lost since the start.
func TestLostWhileRunning(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/lost")
	dir := t.TempDir()
	a := mustBare(t, c.lease("a"), dir)
	id := awaitPrimary(t, a).Self.ID
	mustHold(t, a, 3)
	if err := os.RemoveAll(filepath.Join(dir, "dbs")); err != nil {
		t.Fatal(err)
	}
	if err := a.Control.Demote(t.Context(), node.Giving{}); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, limit, "it has given the lease up", func(context.Context) error {
		if a.Store.IsPrimary() {
			return errors.New("it is primary")
		}
		return nil
	})
	mustNeverBeElected(t, a, dir, id)
}

// TestLackingCopy: a node that has found that its copy lacks what the set requires is not elected again with that copy,
// so another member is; it may be when it has another copy, or an operator says so.
func TestLackingCopy(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/lacking")
	a := mustBare(t, c.lease("a"), t.TempDir())
	first := awaitPrimary(t, a)
	mustHold(t, a, 3)
	if err := a.Control.Demote(t.Context(), node.Giving{Lacking: "7-x"}); err != nil {
		t.Fatal(err)
	}
	refused := func(ctx context.Context) error {
		if why := a.Refused(); !strings.Contains(why, "lacks write 7-x") || a.Store.IsPrimary() {
			return fmt.Errorf("it is refused for %q", why)
		}
		return ctx.Err()
	}
	cluster.Poll(t, limit, "a refusal", refused)
	accepted, err := a.Control.AcceptLoss(t.Context())
	if err != nil || !accepted.Now.Has(first.Self.ID) {
		t.Fatalf("%+v, %v", accepted, err)
	}
	now := awaitPrimary(t, a)

	b := mustBare(t, c.lease("b"), t.TempDir())
	awaitReplica(t, b)
	cluster.Poll(t, limit, "b's copy", func(context.Context) error {
		if db := b.Store.DB("blog.db"); db == nil || db.Pos() != a.Store.DB("blog.db").Pos() {
			return errors.New("it is not complete")
		}
		return nil
	})
	set, err := a.Control.Change(t.Context(), node.SyncChange{
		Term: now.Term, Index: now.Set.Index, Members: []node.Member{now.Self, mustStanding(t, b).Self}, Required: "7-x",
	})
	if err != nil || set.Required != "7-x" || mustStanding(t, b).Set.Required != "7-x" {
		t.Fatalf("the set is %+v, %v", set, err)
	}
	if err := a.Control.Demote(t.Context(), node.Giving{Lacking: "7-x"}); err != nil {
		t.Fatal(err)
	}
	awaitPrimary(t, b)
	if err := a.Control.Promote(t.Context()); err == nil {
		t.Error("it asks for a lease that it could not take")
	}
	awaitReplica(t, a)
	mustHold(t, b, 4)
	cluster.Poll(t, limit, "a's new copy", func(context.Context) error {
		if a.Store.DB("blog.db").Pos() != b.Store.DB("blog.db").Pos() {
			return errors.New("it is not complete")
		}
		return nil
	})
	// What the child found in the copy before, and says late, is nothing about this one.
	if err := a.Control.Demote(t.Context(), node.Giving{Term: now.Term, Lacking: "7-x"}); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, limit, "a hand-off to another copy", func(ctx context.Context) error { return a.Control.Promote(ctx) })
	awaitPrimary(t, a)
}
