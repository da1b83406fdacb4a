package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/test/cluster"
)

const limit = 30 * time.Second

// start starts nodes that run the small program of testdata.
func start(t *testing.T, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	opts.Binary = cluster.Build(t, "./test/cluster/testdata/node")
	return cluster.Start(t, opts)
}

// call sends a request and decodes its answer into out.
func call(ctx context.Context, method, url string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return json.Unmarshal(body, out)
}

func awaitRows(t *testing.T, n *cluster.Node, want int) {
	t.Helper()
	cluster.Poll(t, limit, fmt.Sprintf("%d rows on %s", want, n.Name), func(ctx context.Context) error {
		var got int
		if err := call(ctx, http.MethodGet, n.PublicURL+"/rows", &got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%d rows", got)
		}
		return nil
	})
}

func awaitRole(t *testing.T, n *cluster.Node, want litefs.State) litefs.Role {
	t.Helper()
	var role litefs.Role
	cluster.Poll(t, limit, n.Name+" "+want.String(), func(ctx context.Context) error {
		if err := call(ctx, http.MethodGet, n.PublicURL+"/role", &role); err != nil {
			return err
		}
		if role.State != want {
			return fmt.Errorf("it is %s", role.State)
		}
		return nil
	})
	return role
}

func mustWrite(t *testing.T, n *cluster.Node, want int) {
	t.Helper()
	var rows int
	if err := call(t.Context(), http.MethodPost, n.PublicURL+"/write?v=x", &rows); err != nil {
		t.Fatalf("write on %s: %v", n.Name, err)
	}
	if rows != want {
		t.Fatalf("%d rows on %s after a write, want %d", rows, n.Name, want)
	}
}

func mounted(t *testing.T, n *cluster.Node) bool {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(mounts), " "+n.Mount+" ")
}

func TestReplication(t *testing.T) {
	for _, stock := range []bool{false, true} {
		t.Run(fmt.Sprintf("stock=%t", stock), func(t *testing.T) {
			c := start(t, cluster.Options{Stock: stock})
			mustWrite(t, c.Primary(), 1)
			if role := awaitRole(t, c.Primary(), litefs.Primary); role.URL != "" {
				t.Errorf("the primary has an address to forward to: %+v, want URL none", role)
			}
			for _, n := range c.Replicas() {
				awaitRows(t, n, 1)
				role := awaitRole(t, n, litefs.Replica)
				if role.URL != c.Primary().PrivateURL {
					t.Errorf("%s forwards to %q, want %q", n.Name, role.URL, c.Primary().PrivateURL)
				}
				if err := call(t.Context(), http.MethodPost, n.PublicURL+"/write?v=x", new(int)); err == nil {
					t.Errorf("%s took a write", n.Name)
				}
				awaitRows(t, n, 1)
			}
			mustWrite(t, c.Primary(), 2)
			for _, n := range c.Replicas() {
				awaitRows(t, n, 2)
			}
		})
	}
}

func TestPrimaryKilledAndBack(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2})
	mustWrite(t, c.Primary(), 1)
	awaitRows(t, c.Nodes[1], 1)

	c.Primary().Kill(t)
	awaitRole(t, c.Nodes[1], litefs.Unknown)
	awaitRows(t, c.Nodes[1], 1) // reads go on

	c.Primary().Restart(t)
	awaitRole(t, c.Nodes[1], litefs.Replica)
	mustWrite(t, c.Primary(), 2)
	awaitRows(t, c.Nodes[1], 2)
}

// TestReplicaStartsAlone: with skip-sync a replica serves its own copy while it finds no primary.
func TestReplicaStartsAlone(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Env: []string{"LITEFS_SKIP_SYNC=true"}})
	mustWrite(t, c.Primary(), 1)
	awaitRows(t, c.Nodes[1], 1)
	c.Primary().Kill(t)
	c.Nodes[1].Stop(t)
	c.Nodes[1].Restart(t)
	awaitRows(t, c.Nodes[1], 1)
	awaitRole(t, c.Nodes[1], litefs.Unknown)
}

func TestStop(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 1})
	mustWrite(t, c.Primary(), 1)
	n := c.Primary()
	if code := n.Stop(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if mounted(t, n) {
		t.Error("the mount is left behind")
	}
	n.Restart(t)
	awaitRows(t, n, 1)
}

func TestLinks(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Proxies: true})
	replica := c.Nodes[1]
	mustWrite(t, c.Primary(), 1)
	awaitRows(t, replica, 1)
	if role := awaitRole(t, replica, litefs.Replica); role.URL != "http://"+replica.Forwarding.Addr {
		t.Errorf("forwards to %q, not through the proxy", role.URL)
	}

	// A row that is delayed by a second cannot be there sooner. The test does not say how much
	// later it may be.
	replica.Replication.Delay(t, 0, time.Second)
	before := time.Now()
	mustWrite(t, c.Primary(), 2)
	awaitRows(t, replica, 2)
	if took := time.Since(before); took < time.Second {
		t.Errorf("the row was on the replica after %s, want at least %v", took, time.Second)
	}
	replica.Replication.Delay(t, 0, 0)

	replica.Replication.Cut(t)
	awaitRole(t, replica, litefs.Unknown)
	mustWrite(t, c.Primary(), 3)
	replica.Replication.Heal(t)
	awaitRole(t, replica, litefs.Replica)
	awaitRows(t, replica, 3)

	// Only the stream's time limits notice that a cable was pulled.
	pulled := time.Now()
	replica.Replication.Stall(t)
	awaitRole(t, replica, litefs.Unknown)
	t.Logf("noticed after %s", time.Since(pulled).Round(time.Millisecond))
	replica.Replication.Heal(t)
	awaitRole(t, replica, litefs.Replica)
	mustWrite(t, c.Primary(), 4)
	awaitRows(t, replica, 4)
}

// TestCheckMount checks where a database may be, on a real mount.
func TestCheckMount(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 1})
	n := c.Primary()
	if err := litefs.CheckMount(n.Database); err != nil {
		t.Errorf("in the mount: %v", err)
	}
	if err := litefs.CheckMount(n.Data + "/dbs/blog.db/database"); err == nil {
		t.Error("LiteFS's data folder is taken for its mount")
	}
	n.Kill(t)
	if err := litefs.CheckMount(n.Database); err == nil || !strings.Contains(err.Error(), "dead") {
		t.Errorf("in a dead mount: %v, want an error and with %q", err, "dead")
	}
}
