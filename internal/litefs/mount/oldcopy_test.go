//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// lockedText is what a log has written so far.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// mustConfirm makes the nodes the members of the set that requires required, as the child of the primary p does.
func mustConfirm(t *testing.T, p *mount.Bare, required string, others ...*mount.Bare) {
	t.Helper()
	now := awaitPrimary(t, p)
	members := []node.Member{now.Self}
	for _, o := range others {
		members = append(members, mustStanding(t, o).Self)
	}
	change := node.SyncChange{Term: now.Term, Index: now.Set.Index, Members: members, Required: required}
	if _, err := p.Control.Change(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

// awaitCopy waits until b has what a has.
func awaitCopy(t *testing.T, a, b *mount.Bare) {
	t.Helper()
	cluster.Poll(t, limit, "a complete copy", func(context.Context) error {
		if db := b.Store.DB("blog.db"); db == nil || db.Pos() != a.Store.DB("blog.db").Pos() {
			return errors.New("it is not complete")
		}
		return nil
	})
}

// TestOldCopyReplacesNothing: a member whose data directory is older, but whole (a volume that was restored with its
// nodeid), is elected before its child has looked into the copy. It must not replace the copy of the member that has
// everything: that member is elected once the child has looked, and the old copy is brought up from it.
func TestOldCopyReplacesNothing(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/old-copy")
	dirA, dirB, old := t.TempDir(), t.TempDir(), t.TempDir()
	a := mustBare(t, c.lease("a"), dirA)
	mustConfirm(t, a, "")
	mustHold(t, a, 3)
	cluster.MustClose(t, "a", a.Close())
	cluster.MustClose(t, "the restored volume", os.CopyFS(old, os.DirFS(dirA)))

	a = mustBare(t, c.lease("a"), dirA)
	mustConfirm(t, a, "")
	mustHold(t, a, 9)
	b := mustBare(t, c.lease("b"), dirB)
	awaitReplica(t, b)
	awaitCopy(t, a, b)
	mustConfirm(t, a, "7-x", b)
	good := b.Store.DB("blog.db").Pos()
	cluster.MustClose(t, "b", b.Close())
	cluster.MustClose(t, "a", a.Close())

	said := &lockedText{}
	a = mustBareLogging(t, c.lease("a"), old, io.MultiWriter(t.Output(), said))
	awaitPrimary(t, a)
	b = mustBare(t, c.lease("b"), dirB)
	unharmed := func() {
		t.Helper()
		if at := b.Store.DB("blog.db").Pos(); at != good {
			t.Fatalf("b's copy is replaced: it is at %s and was at %s", at, good)
		}
	}
	cluster.Poll(t, limit, "b waits for a's term", func(context.Context) error {
		unharmed()
		if !said.has("copy stays until this term is confirmed") {
			return errors.New("it has not asked a for anything")
		}
		return nil
	})
	if err := a.Control.Demote(t.Context(), node.Giving{Lacking: "7-x"}); err != nil { // a's child has looked
		t.Fatal(err)
	}
	mustConfirm(t, b, "7-x", a)
	unharmed()
	awaitReplica(t, a)
	awaitCopy(t, b, a)
	unharmed()
}
