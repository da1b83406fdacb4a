package power_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/cluster"
)

// large makes the database larger than what receive stores in memory (1 MiB).
func large(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx = repo.As(ctx, repo.Actor{Name: repo.Operator})
	for i := range 16 {
		cmd := posts.Create{Title: fmt.Sprintf("Large %d", i), Body: strings.Repeat(fmt.Sprintf("Word%d ", i), 12000)}
		if _, _, err := repo.Do(ctx, clients(t, w.Cluster, 1, w.Nodes[0])[0], cmd); err != nil {
			t.Fatal(err)
		}
	}
}

// mustReplace replaces to by a copy of the folder from.
func mustReplace(t *testing.T, to, from string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
}

// mustEmpty empties the disk of a node that is down.
func mustEmpty(t *testing.T, n *cluster.Node) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.Volume.Folder(), "*"))
	for _, path := range all {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPowerLossInAFirstImage: an empty node whose power goes off while it receives and applies its
// first image gets one when it is back.
func TestPowerLossInAFirstImage(t *testing.T) {
	w := mustWorld(t, 3, 24)
	large(t, w)
	n := w.Nodes[2]
	for range rounds(2) {
		n.Kill(t)
		n.Volume.Stop(t)
		mustEmpty(t, n)
		n.Start(t)
		cluster.PowerOff(t, w.draw.Uint64(), 1+w.draw.IntN(900), n)
		mustRestart(t, n)
		w.mustHoldAll(t)
	}
}

// TestPowerLossInAnotherImage: node1 was primary and has rows that node2, the primary, has not. It
// gets an image of node2's database in place of its own, and loses its power meanwhile.
func TestPowerLossInAnotherImage(t *testing.T) {
	w := mustWorldWith(t, 25, cluster.Options{Nodes: 2, Proxies: true})
	large(t, w)
	first, second := w.Nodes[0], w.Nodes[1]
	w.mustCatchUp(t)
	second.To(first).Replication.Cut(t)
	w.mustTail(t, first, 6)
	first.Kill(t)
	first.Volume.Stop(t)
	second.To(first).Replication.Heal(t)
	w.mustPrimaryIs(t, second)
	before := t.TempDir()
	mustReplace(t, before, first.Volume.Folder())
	for range rounds(4) {
		w.mustPrimary(t, "node2") // a node outside the set may have an old copy
		mustReplace(t, first.Volume.Folder(), before)
		first.Start(t)
		cluster.PowerOff(t, w.draw.Uint64(), 100+w.draw.IntN(900), first)
		mustRestart(t, first)
		w.mustPrimary(t, "node1", "node2")
		w.mustHoldAll(t)
		first.Kill(t)
		first.Volume.Stop(t)
	}
}

// mustTail makes rows on a primary that are not acknowledged.
func (w *world) mustTail(t *testing.T, n *cluster.Node, rows int) {
	t.Helper()
	for i := range rows {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		err := w.write(ctx, clients(t, w.Cluster, 1, n)[0], fmt.Sprintf("tail-%d", i))
		cancel()
		if err == nil {
			t.Fatal("a row was acknowledged without a standby")
		}
	}
}
