package power_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// rounds returns how often the power goes off in a test: POWER_ROUNDS, or few without it.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("POWER_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return few
}

// random returns the random numbers of a test, which are the same each time unless POWER_SEED is
// set.
func random(test uint64) *rand.Rand {
	seed, err := strconv.ParseUint(os.Getenv("POWER_SEED"), 10, 64)
	if err != nil {
		seed = 0
	}
	return rand.New(rand.NewPCG(seed, test))
}

// clients returns n clients of each of the nodes.
func clients(t *testing.T, c *cluster.Cluster, n int, nodes ...*cluster.Node) []*repo.Client {
	t.Helper()
	way := transport.NewClient(c.Secret)
	t.Cleanup(way.Close)
	var all []*repo.Client
	for range n {
		for _, node := range nodes {
			all = append(all, repo.NewClient(node.PrivateURL, way))
		}
	}
	return all
}

// mustRestart starts a node again, without the pause of a node that has started often.
func mustRestart(t *testing.T, n *cluster.Node) {
	t.Helper()
	if err := os.Remove(filepath.Join(n.Volume.Folder(), "starts")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	n.Restart(t)
}

// TestSingleNode: one node with LiteFS loses nothing that it acknowledged.
func TestSingleNode(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Nodes: 1, Volumes: true})
	n, l := c.Nodes[0], newLedger()
	addAuthor(t, n.Command(t.Context(), author()...))
	draw := random(12)
	for range rounds(5) {
		end := l.begin(t, clients(t, c, 4, n)...)
		cluster.PowerOff(t, draw.Uint64(), 1+draw.IntN(600), n)
		end()
		mustRestart(t, n)
		l.mustHold(t, n.Database)
		l.mustFinish(t, clients(t, c, 1, n)[0])
	}
	l.mustHold(t, n.Database)
	t.Logf("%d writes were acknowledged, of %d", l.count(), len(l.asked))
	if l.count() == 0 {
		t.Error("nothing was acknowledged")
	}
}

// TestIgnoredSync: when syncs are ignored, these tests find that acknowledged writes are lost, or
// that the node does not start any more.
func TestIgnoredSync(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Nodes: 1, Volumes: true, Idle: true})
	n, l := c.Nodes[0], newLedger()
	addAuthor(t, n.Command(t.Context(), author()...))
	if code := n.Stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	n.Volume.Stop(t)
	n.Volume.IgnoreSync = true
	n.Restart(t)
	end := l.begin(t, clients(t, c, 2, n)...)
	l.mustAcks(t, 20)
	const half = 3 // a seed with which much is lost
	cluster.PowerOff(t, half, 0, n)
	end()
	n.Volume.IgnoreSync = false
	n.Start(t)
	failed := ""
	cluster.Poll(t, patience, "the node is ready, or has ended", func(ctx context.Context) error {
		if !n.Running() {
			failed = "the node does not start"
			return nil
		}
		return n.Ready(ctx)
	})
	if failed == "" {
		failed = l.check(t.Context(), n.Database)
	}
	if failed == "" {
		t.Error("nothing was lost, though nothing was synced")
	}
	t.Logf("as it must: %.300s", failed)
}
