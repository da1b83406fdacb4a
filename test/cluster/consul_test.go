package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/test/cluster"
)

func mustStanding(t *testing.T, n *cluster.Node) litefs.Standing {
	t.Helper()
	var s litefs.Standing
	cluster.Poll(t, limit, n.Name+"'s standing", func(ctx context.Context) error {
		return call(ctx, http.MethodGet, n.PublicURL+"/standing", &s)
	})
	return s
}

// mustJoin makes the primary put the standby into the sync set, as the application does otherwise.
// The caller has seen that the standby has everything.
func mustJoin(t *testing.T, primary, standby *cluster.Node) {
	t.Helper()
	s := mustStanding(t, primary)
	body, err := json.Marshal(litefs.SyncChange{
		Term: s.Term, Index: s.Set.Index, Members: []litefs.Member{s.Self, mustStanding(t, standby).Self},
	})
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, http.MethodPut, primary.PublicURL+"/sync", "application/json", string(body))
}

// mustSend sends a request, which must be answered with 200.
func mustSend(t *testing.T, method, address, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	cluster.MustClose(t, "the answer", errors.Join(err, resp.Body.Close()))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s", method, address, resp.StatusCode, text)
	}
}

// mustNotBeElected waits until the lease is free, and then until the node has said that it does not
// acquire it.
func mustNotBeElected(t *testing.T, n *cluster.Node, why string) {
	t.Helper()
	cluster.Poll(t, limit, n.Name+" refusing", func(ctx context.Context) error {
		var role litefs.Role
		if err := call(ctx, http.MethodGet, n.PublicURL+"/role", &role); err != nil {
			return err
		}
		if role.State == litefs.Primary {
			t.Fatalf("%s is elected", n.Name)
		}
		if !strings.Contains(n.Log(t), why) {
			return fmt.Errorf("it has not said %q", why)
		}
		return nil
	})
}

// TestConsul: the lease moves when the primary dies and when it stops, and moves back to the node
// that comes back.
func TestConsul(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	mustJoin(t, first, second)
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

	// A stop releases the lease, so the other node need not wait for its end.
	if code := second.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 3)
	second.Restart(t)
	awaitRows(t, second, 3)

	var none any
	if err := call(t.Context(), http.MethodPost, second.PublicURL+"/promote", &none); err != nil {
		t.Fatal(err)
	}
	awaitRole(t, second, litefs.Primary)
	mustWrite(t, second, 4)
	awaitRows(t, first, 4)
}

// TestOutsideTheSet: a node that may lack a write waits for one that has it.
func TestOutsideTheSet(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)

	first.Kill(t)
	mustNotBeElected(t, second, "outside the sync set")
	awaitRows(t, second, 1) // reads go on
	first.Restart(t)
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 2)
	awaitRows(t, second, 2)
}

// TestWipedStandby: a member that has lost its disk gets another id, and cannot be elected.
func TestWipedStandby(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true, Env: []string{"LITEFS_SKIP_SYNC=true"}})
	first, second := c.Nodes[0], c.Nodes[1]
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	mustJoin(t, first, second)
	before := mustStanding(t, second).Self

	second.Stop(t)
	if err := os.RemoveAll(second.Data); err != nil {
		t.Fatal(err)
	}
	second.Restart(t)
	awaitRows(t, second, 1)
	after := mustStanding(t, second)
	if after.Self.ID == before.ID || after.Self.Name != before.Name || after.Set.Has(after.Self.ID) {
		t.Errorf("it was %+v and stands so now: %+v", before, after)
	}
	first.Kill(t)
	mustNotBeElected(t, second, "outside the sync set")

	// Only an operator may accept what is left.
	var accepted litefs.Accepted
	if err := call(t.Context(), http.MethodPost, second.PublicURL+"/accept-loss", &accepted); err != nil {
		t.Fatal(err)
	}
	awaitRole(t, second, litefs.Primary)
	mustWrite(t, second, 2)
	first.Restart(t)
	awaitRows(t, first, 2)
}

// TestDamagedMember: LiteFS removes a member's database whose header is damaged, and starts the
// election in one call. The member then has another id, and its emptiness replaces no node's copy.
func TestDamagedMember(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true, Env: []string{"LITEFS_SKIP_SYNC=true"}})
	first, second := c.Nodes[0], c.Nodes[1]
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	mustJoin(t, first, second)
	before := mustStanding(t, second).Self

	second.Kill(t)
	first.Kill(t)
	f, err := os.OpenFile(mustDatabase(t, second), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("no database at all"), 0)
	cluster.MustClose(t, "the damaged database", errors.Join(err, f.Close()))
	mustBeAnother(t, first, second, before, 1)

	// LiteFS cannot restore a database that has lost its pages from its log, and refuses to start.
	// A node whose remaining data is moved away, as the message says, gets another id too.
	mustJoin(t, first, second)
	before = mustStanding(t, second).Self
	var pages any
	if err := call(t.Context(), http.MethodPost, first.PublicURL+"/write?v="+strings.Repeat("x", 20_000),
		&pages); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, first, 4) // so that the last transaction has only some of the pages
	awaitRows(t, second, 4)
	second.Kill(t)
	first.Kill(t)
	if err := os.Truncate(mustDatabase(t, second), 0); err != nil {
		t.Fatal(err)
	}
	second.Start(t)
	if code := second.Wait(t); code == 0 || !strings.Contains(second.Log(t), "move the folder dbs away") {
		t.Errorf("a database without pages: exit code %d", code)
	}
	if err := os.RemoveAll(filepath.Join(second.Data, "dbs")); err != nil {
		t.Fatal(err)
	}
	mustBeAnother(t, first, second, before, 4)
}

// mustDatabase returns LiteFS's file of the node's only database.
func mustDatabase(t *testing.T, n *cluster.Node) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(n.Data, "dbs", "*", "database"))
	if err != nil || len(found) != 1 {
		t.Fatalf("databases of %s: %v, %v", n.Name, found, err)
	}
	return found[0]
}

// mustBeAnother starts second, which was in the set and whose data is gone. It is not elected, and
// follows first, which has so many rows, when that is back. Then first gets another row.
func mustBeAnother(t *testing.T, first, second *cluster.Node, before litefs.Member, rows int) {
	t.Helper()
	said := len(second.Log(t))
	second.Start(t)
	cluster.Poll(t, limit, second.Name+" refusing", func(context.Context) error {
		if !strings.Contains(second.Log(t)[said:], "outside the sync set") {
			return errors.New("it has not said why")
		}
		return nil
	})
	mustNotBeElected(t, second, "outside the sync set")
	after := mustStanding(t, second)
	if after.Self.ID == before.ID || after.Set.Has(after.Self.ID) || !after.Set.Has(before.ID) {
		t.Errorf("it was %+v and stands so now: %+v", before, after)
	}
	first.Restart(t)
	awaitRole(t, first, litefs.Primary)
	awaitRows(t, second, rows)
	mustWrite(t, first, rows+1)
	awaitRows(t, second, rows+1)
}

// TestChildKilled: the node ends with its child, and releases the lease at once.
func TestChildKilled(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	mustJoin(t, first, second)
	var pid int
	if err := call(t.Context(), http.MethodGet, first.PublicURL+"/pid", &pid); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := first.Wait(t); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", code)
	}
	if mounted(t, first) {
		t.Error("the mount is left behind")
	}
	awaitRole(t, second, litefs.Primary)
	t.Logf("elected %s after the death", time.Since(killed).Round(time.Millisecond))
	mustWrite(t, second, 2)
	first.Restart(t)
	awaitRows(t, first, 2)
}

// TestConsulPaused: reads go on, no process ends, and writes are accepted again when Consul is
// back.
func TestConsulPaused(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true})
	first, second := c.Nodes[0], c.Nodes[1]
	mustWrite(t, first, 1)
	awaitRows(t, second, 1)
	pids := []int{first.PID(), second.PID()}

	paused := time.Now()
	c.Consul.Pause(t)
	awaitRole(t, first, litefs.Unknown)
	// its bound is tested in internal/litefs/mount
	t.Logf("primary for %s more", time.Since(paused).Round(time.Millisecond))
	for _, n := range c.Nodes {
		awaitRows(t, n, 1)
	}
	if err := call(t.Context(), http.MethodPost, first.PublicURL+"/write?v=x", new(int)); err == nil {
		t.Error("a node without a lease took a write")
	}
	c.Consul.Resume(t)
	awaitRole(t, first, litefs.Primary)
	mustWrite(t, first, 2)
	awaitRows(t, second, 2)
	if first.PID() != pids[0] || second.PID() != pids[1] {
		t.Error("a process was restarted")
	}
}

// TestConsulUnderStockLiteFS: the strict parser of a stock LiteFS accepts litefs.yml with a lease
// in Consul. (For a static lease see TestReplication.)
func TestConsulUnderStockLiteFS(t *testing.T) {
	c := start(t, cluster.Options{Nodes: 2, Consul: true, Stock: true, Env: []string{"LITEFS_SKIP_SYNC=true"}})
	awaitRole(t, c.Nodes[0], litefs.Primary)
	mustWrite(t, c.Nodes[0], 1)
	awaitRows(t, c.Nodes[1], 1)
}
