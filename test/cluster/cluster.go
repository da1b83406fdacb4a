package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Options says what Start starts. The zero value is three nodes of `blog mount`.
type Options struct {
	Nodes  int    // how many; 0 means 3. The first is primary
	Binary string // the program; "" means Build(tb, "./cmd/blog")
	Stock  bool   // the pinned stock LiteFS runs the program, instead of `blog mount`
	// Proxies puts toxiproxy between each replica and the primary, for replication and for
	// forwarded writes: see Node.Replication and Node.Forwarding. With Consul it is between all
	// nodes, and between each node and Consul: see Node.To, Node.Lease and Cluster.Isolate.
	Proxies bool
	// Consul puts the lease into a Consul agent of the test's own. The first two nodes are
	// candidates, in one region, and the others never are. The first becomes primary because it is
	// started first, and is the only member of the sync set until its child adds the second. The
	// lease lasts as long as Lease says; 0 means 2 s.
	Consul bool
	Lease  time.Duration
	Env    []string // KEY=value for every node, in place of what Start sets
	// ReadyPath is polled on the public address until it answers 200; "" means /readyz.
	ReadyPath string
	// ReadyLimit bounds the wait for a node's start; 0 means 60 s, which a -race binary on a busy machine needs.
	ReadyLimit time.Duration
	// Idle does not start the replicas, only the primary: call Node.Start.
	Idle bool
	// Volumes puts a volume that loses what was not synced below each node's data: see PowerOff.
	Volumes bool
}

// Cluster is a set of running nodes. Nodes[0] is primary, with Options.Consul until the lease
// moves.
type Cluster struct {
	Nodes []*Node
	// Secret is the CLUSTER_SECRET of every node.
	Secret string
	// Consul has the lease; nil without Options.Consul.
	Consul *Consul

	opts   Options
	root   string
	tmp    string // the nodes' folder for temporary files
	litefs string // the stock program; "" without Options.Stock
	ports  ports
	toxi   *toxiproxy
}

// candidates is how many nodes may be elected when the lease can move: a primary and its standby.
const candidates = 2

// region returns the region of node i. Each node has its own, but all candidates are in the first.
func (c *Cluster) region(i int) string {
	if c.Consul != nil {
		i = max(0, i-(candidates-1))
	}
	return regions(i)
}

// regions returns the name of region i.
func regions(i int) string {
	names := []string{"ams", "nrt", "iad", "gru", "syd"}
	if i < len(names) {
		return names[i]
	}
	return "r" + strconv.Itoa(i+1)
}

// Start starts the nodes one after the other, waits until each is ready, and ends them all with the
// test. When the test fails, it shows the end of each node's log.
func Start(tb testing.TB, opts Options) *Cluster {
	tb.Helper()
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.ReadyPath == "" {
		opts.ReadyPath = "/readyz"
	}
	if opts.ReadyLimit == 0 {
		opts.ReadyLimit = time.Minute
	}
	if opts.Lease == 0 {
		opts.Lease = 2 * time.Second
	}
	if opts.Binary == "" {
		opts.Binary = Build(tb, "./cmd/blog")
	}
	c := &Cluster{opts: opts, root: Root(tb), Secret: "test-secret-0123456789abcdef0123456789abcdef"}
	if opts.Stock {
		c.litefs = Tool(tb, "litefs")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		tb.Fatalf("these tests mount file systems: %v", err)
	}
	dir := tb.TempDir()
	c.tmp = mustShortDir(tb)
	if opts.Proxies {
		c.toxi = startToxiproxy(tb, &c.ports, filepath.Join(dir, "toxiproxy.log"))
	}
	if opts.Consul {
		c.Consul = startConsul(tb, &c.ports, dir)
	}
	for i := range opts.Nodes {
		c.Nodes = append(c.Nodes, c.newNode(tb, dir, i))
		if opts.Volumes {
			c.Nodes[i].Volume = StartVolume(tb, c.Nodes[i].Data)
		}
	}
	if opts.Consul && opts.Proxies {
		c.mesh(tb)
	}
	// This Cleanup runs before that of TempDir, which would otherwise delete through a mount.
	tb.Cleanup(func() { c.close(tb) })
	for i, n := range c.Nodes {
		if i > 0 && opts.Idle {
			break
		}
		n.Start(tb)
		n.WaitReady(tb)
	}
	return c
}

// mustShortDir makes a folder for sockets. Their names have a limit, which is too short for the
// folder of a test with a long name. A node that is killed leaves its own socket behind.
func mustShortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "nodes-*")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { MustClose(tb, dir, os.RemoveAll(dir)) })
	return dir
}

// Primary returns the node that is primary by configuration.
func (c *Cluster) Primary() *Node { return c.Nodes[0] }

// Replicas returns the other nodes.
func (c *Cluster) Replicas() []*Node { return c.Nodes[1:] }

// close ends the nodes, replicas first, and then whatever they have left running.
func (c *Cluster) close(tb testing.TB) {
	tb.Helper()
	for i := len(c.Nodes) - 1; i >= 0; i-- {
		if err := c.Nodes[i].end(); err != nil {
			tb.Errorf("end %s: %v", c.Nodes[i].Name, err)
		}
	}
	for _, n := range c.Nodes {
		n.checkLog(tb)
	}
}

// Poll calls check every 10 ms until it returns nil, and fails the test with its last error when limit is over.
func Poll(tb testing.TB, limit time.Duration, what string, check func(ctx context.Context) error) {
	tb.Helper()
	if err := Await(tb.Context(), limit, check); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}

// Await calls check every 10 ms until it returns nil, and fails with its last error when limit is over.
func Await(ctx context.Context, limit time.Duration, check func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // it says more than the context's own error
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, last)
		}
	}
}

// Root returns the folder of go.mod.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		} else if !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			tb.Fatalf("no go.mod above the working folder: %v", err)
		}
		dir = filepath.Dir(dir)
	}
}

// Tool returns the path of a program that `make tools` builds.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(tb), ".cache", "bin", name)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%s is not built; run: make tools (%v)", name, err)
	}
	return path
}

// MustClose reports err, the error of closing what.
func MustClose(tb testing.TB, what string, err error) {
	tb.Helper()
	if err != nil {
		tb.Errorf("close %s: %v", what, err)
	}
}
