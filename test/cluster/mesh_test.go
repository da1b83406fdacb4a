package cluster_test

import (
	"testing"

	"blog/internal/litefs"
	"blog/test/cluster"
)

// TestMesh: with a lease, a node reaches the others by its own ways, and a primary that is cut off
// is no longer primary.
func TestMesh(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true, Proxies: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	if role := awaitRole(t, second, litefs.Replica); role.URL != "http://"+second.To(first).Forwarding.Addr {
		t.Errorf("forwards to %q, not through the proxy", role.URL)
	}
	mustJoin(t, first, second)

	c.Isolate(t, first)
	awaitRole(t, second, litefs.Primary)
	awaitRole(t, first, litefs.Unknown)
	mustWrite(t, second, 2)
	c.Rejoin(t, first)
	if role := awaitRole(t, first, litefs.Replica); role.URL != "http://"+first.To(second).Forwarding.Addr {
		t.Errorf("forwards to %q, not through the proxy", role.URL)
	}
	awaitRows(t, first, 2)
}
