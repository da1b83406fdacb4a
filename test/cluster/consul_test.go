package cluster_test

import (
	"testing"

	"blog/internal/litefs"
	"blog/test/cluster"
)

// TestConsul: the lease moves when the primary dies and when it stops, and follows the node that comes back.
func TestConsul(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	if role := awaitRole(t, second, litefs.Replica); role.URL != first.PrivateURL {
		t.Errorf("the replica forwards to %q, want %q", role.URL, first.PrivateURL)
	}

	first.Kill(t)
	awaitRole(t, second, litefs.Primary)
	mustWrite(t, second, 2)
	first.Restart(t)
	if role := awaitRole(t, first, litefs.Replica); role.URL != second.PrivateURL {
		t.Errorf("the old primary forwards to %q, want %q", role.URL, second.PrivateURL)
	}
	awaitRows(t, first, 2)

	// A stop releases the lease: the other need not wait for its end.
	if code := second.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 3)
	second.Restart(t)
	awaitRows(t, second, 3)
}
