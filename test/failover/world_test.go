package failover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

const patience = 60 * time.Second

// world is a cluster with an author, and a client of its private listeners.
type world struct {
	*cluster.Cluster
	transport *transport.Client
}

// MustWorld starts n nodes and waits until acknowledgements rest on two.
func MustWorld(t *testing.T, n int, env ...string) *world {
	t.Helper()
	return mustStart(t, cluster.Options{Nodes: n, Env: env})
}

func mustStart(t *testing.T, o cluster.Options) *world {
	t.Helper()
	o.Consul, o.Env = true, append([]string{"LITEFS_SKIP_SYNC=true"}, o.Env...)
	c := cluster.Start(t, o)
	w := &world{Cluster: c, transport: transport.NewClient(c.Secret)}
	t.Cleanup(w.transport.Close)
	cmd := c.Nodes[0].Command(t.Context(), "user", "add", "ann@example.org", "--name", "Ann", "--password-file",
		"/dev/stdin")
	cmd.Stdin = passwordFile()
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add an author: %v: %s", err, text)
	}
	w.MustSet(t, "node1", "node2")
	return w
}

// status asks a node for the status of all nodes.
func (w *world) status(ctx context.Context, n *cluster.Node) (app.Status, error) {
	var st app.Status
	return st, w.transport.Ask(ctx, n.PrivateURL, app.PathStatus, &st)
}

// MustSet waits until a node reports that these are the members of the sync set.
func (w *world) MustSet(t *testing.T, names ...string) {
	t.Helper()
	cluster.Poll(t, patience, fmt.Sprintf("the sync set is %v", names), func(ctx context.Context) error {
		var errs []error
		for _, n := range w.Nodes {
			st, err := w.status(ctx, n)
			got := slices.Sorted(slices.Values(st.SyncSet))
			if err == nil && st.Role == "primary" && slices.Equal(got, names) {
				return nil
			}
			errs = append(errs, err, fmt.Errorf("%s: %s, %v", n.Name, st.Role, got))
		}
		return errors.Join(errs...)
	})
}

// MustBePrimary waits until n is primary and accepts writes.
func (w *world) MustBePrimary(t *testing.T, n *cluster.Node) {
	t.Helper()
	cluster.Poll(t, patience, n.Name+" leads", func(ctx context.Context) error {
		st, err := w.status(ctx, n)
		if err == nil && (st.Role != "primary" || st.Durability == "") {
			err = fmt.Errorf("%s, durability %q", st.Role, st.Durability)
		}
		return err
	})
}

// write makes a post through n.
func (w *world) write(ctx context.Context, n *cluster.Node, title, key string) (repo.Receipt, error) {
	ctx = repo.As(ctx, repo.Actor{Name: repo.Operator})
	cmd := posts.Create{Title: title, Body: "Text.", Publish: true}
	_, receipt, err := repo.Do(ctx, repo.NewClient(n.PrivateURL, w.transport), cmd, repo.WithKey(key))
	return receipt, err
}

// MustWrite makes a post through n, which has to be acknowledged.
func (w *world) MustWrite(t *testing.T, n *cluster.Node, title string) repo.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := w.write(ctx, n, title, "key of "+title)
	if err != nil {
		t.Fatalf("write %q on %s: %v", title, n.Name, err)
	}
	return r
}
