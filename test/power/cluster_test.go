package power_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
	"blog/test/compose"
)

// world is a cluster whose lease moves between its first two nodes, each on a volume.
type world struct {
	*cluster.Cluster
	*ledger
	transport *transport.Client
	draw      *rand.Rand
}

// mustWorld starts n nodes and waits until acknowledgements rest on two.
func mustWorld(t *testing.T, n int, seed uint64) *world {
	t.Helper()
	return mustWorldWith(t, seed, cluster.Options{Nodes: n})
}

func mustWorldWith(t *testing.T, seed uint64, o cluster.Options) *world {
	t.Helper()
	o.Consul, o.Volumes, o.Env = true, true, []string{"LITEFS_SKIP_SYNC=true"}
	c := cluster.Start(t, o)
	w := &world{Cluster: c, ledger: newLedger(), transport: transport.NewClient(c.Secret), draw: random(seed)}
	t.Cleanup(w.transport.Close)
	addAuthor(t, c.Nodes[0].Command(t.Context(), author()...))
	w.mustPrimary(t, "node1", "node2")
	return w
}

// mustPrimary waits until there is a primary with a sync set of these members, and returns it.
func (w *world) mustPrimary(t *testing.T, set ...string) *cluster.Node {
	t.Helper()
	var primary *cluster.Node
	cluster.Poll(t, patience, fmt.Sprintf("a primary, and a sync set of %v", set), func(ctx context.Context) error {
		var errs []error
		for _, n := range w.Nodes {
			var st app.Status
			err := w.transport.Ask(ctx, n.PrivateURL, app.PathStatus, &st)
			slices.Sort(st.SyncSet)
			if err == nil && st.Role == "primary" && slices.Equal(st.SyncSet, set) {
				primary = n
				return nil
			}
			errs = append(errs, err, fmt.Errorf("%s: %s, %v", n.Name, st.Role, st.SyncSet))
		}
		return errors.Join(errs...)
	})
	return primary
}

// mustPrimaryIs waits until n is primary, whichever members the set has.
func (w *world) mustPrimaryIs(t *testing.T, n *cluster.Node) {
	t.Helper()
	cluster.Poll(t, patience, n.Name+" is primary", func(ctx context.Context) error {
		var st app.Status
		err := w.transport.Ask(ctx, n.PrivateURL, app.PathStatus, &st)
		if err == nil && (st.Role != "primary" || st.Durability == "") {
			err = fmt.Errorf("%s, durability %q", st.Role, st.Durability)
		}
		return err
	})
}

// other returns the other candidate.
func (w *world) other(n *cluster.Node) *cluster.Node {
	if n == w.Nodes[0] {
		return w.Nodes[1]
	}
	return w.Nodes[0]
}

// mustHoldAll completes the writes without an answer, and checks every node's copy once it has the
// newest write.
func (w *world) mustHoldAll(t *testing.T) {
	t.Helper()
	w.mustFinish(t, clients(t, w.Cluster, 1, w.Nodes[0])[0])
	w.mustCatchUp(t)
	for _, n := range w.Nodes {
		w.mustHold(t, n.Database)
	}
}

// mustCatchUp waits until all nodes are at the same write.
func (w *world) mustCatchUp(t *testing.T) {
	t.Helper()
	cluster.Poll(t, patience, "all nodes are at one write", func(ctx context.Context) error {
		seen := map[string][]string{}
		for _, n := range w.Nodes {
			var st app.Status
			if err := w.transport.Ask(ctx, n.PrivateURL, app.PathStatus, &st); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
			seen[st.Mark] = append(seen[st.Mark], n.Name)
		}
		if len(seen) != 1 {
			return fmt.Errorf("they are at %v", seen)
		}
		return nil
	})
}

// TestPrimaryPowerLoss: the standby becomes primary with everything acknowledged, and the old
// primary comes back into the set.
func TestPrimaryPowerLoss(t *testing.T) {
	w := mustWorld(t, 2, 21)
	primary := w.Nodes[0]
	for range rounds(2) {
		standby := w.other(primary)
		end := w.begin(t, clients(t, w.Cluster, 2, w.Nodes...)...)
		cluster.PowerOff(t, w.draw.Uint64(), 1+w.draw.IntN(600), primary)
		w.mustAcks(t, 20) // by the other
		end()
		w.mustHold(t, standby.Database)
		mustRestart(t, primary)
		if primary = w.mustPrimary(t, "node1", "node2"); primary != standby {
			t.Errorf("%s is primary", primary.Name)
		}
		w.mustHoldAll(t)
	}
}

// TestStandbyPowerLoss: the standby comes back into the set, with what it had.
func TestStandbyPowerLoss(t *testing.T) {
	w := mustWorld(t, 3, 22)
	for round := range rounds(2) {
		n := w.Nodes[1+round%2] // a standby, a replica
		end := w.begin(t, clients(t, w.Cluster, 2, w.Nodes[0])...)
		cluster.PowerOff(t, w.draw.Uint64(), 1+w.draw.IntN(100), n)
		w.mustAcks(t, 5)
		mustRestart(t, n)
		w.mustAcks(t, 5)
		end()
		w.mustPrimary(t, "node1", "node2")
		w.mustHoldAll(t)
	}
}

// TestAllPowerLoss: all machines lose their power. When they are back, each acknowledged write is
// there.
func TestAllPowerLoss(t *testing.T) {
	w := mustWorld(t, 2, 23)
	for range rounds(2) {
		end := w.begin(t, clients(t, w.Cluster, 2, w.Nodes...)...)
		w.mustAcks(t, 5)
		primary := w.mustPrimary(t, "node1", "node2")
		cluster.PowerOff(t, w.draw.Uint64(), 1+w.draw.IntN(300), primary, w.other(primary))
		end()
		for _, n := range w.Nodes {
			n.Start(t)
		}
		for _, n := range w.Nodes {
			n.WaitReady(t)
		}
		w.mustPrimary(t, "node1", "node2")
		w.mustHoldAll(t)
	}
}

// TestSyncedWhenAcknowledged: a write that is acknowledged by two nodes was synced on both disks by then, in the file
// of its transaction and under that file's name.
func TestSyncedWhenAcknowledged(t *testing.T) {
	w := mustWorld(t, 2, 26)
	disks := &compose.Disks{}
	for _, n := range w.Nodes {
		disks.Nodes = append(disks.Nodes, compose.NodeOnVolume(n.Name, n.Volume))
	}
	client := clients(t, w.Cluster, 1, w.Nodes[0])[0]
	for i := range 20 {
		key := fmt.Sprintf("synced-%d", i)
		if err := w.write(t.Context(), client, key); err != nil {
			t.Fatal(err)
		}
		answered := time.Now()
		receipt := w.acked[key]
		if receipt.Assurance != repo.Two {
			t.Errorf("%s was acknowledged by %s", key, receipt.Assurance)
		} else if err := disks.Compare(t.Context(), receipt.Cursor, answered); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
