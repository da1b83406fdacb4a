package compose

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"blog/test/cluster"
)

// Names of the services that a test speaks of.
const (
	Fra1   = "fra1"
	Fra2   = "fra2"
	Iad1   = "iad1"
	Nrt1   = "nrt1"
	Consul = "consul"
)

// Lease is the lease's length in compose.yml.
const Lease = 5 * time.Second

// dataSize is how much the data folders of fra1 and fra2 hold, in bytes. LiteFS
// keeps each transaction for ten minutes.
const dataSize = 4 << 30

// Project is a project of docker-compose with a name of its own, up until the
// test ends.
type Project struct {
	Name  string
	Nodes []*Node
	// Keep is the folder for what is to be kept when the test fails.
	Keep   string
	Secret string

	tb      testing.TB
	compose string // the program
	root    string
	data    string // the data folders of fra1 and fra2
	env     []string
	consul  *Node
}

// Up brings a project up on the images of `make images image` and takes it down,
// with all that it has made, when the test ends. env wins over what compose.yml
// says. What the containers printed is kept when the test has failed.
func Up(tb testing.TB, keep string, env ...string) *Project {
	tb.Helper()
	p := &Project{
		Name: "blogtest" + strings.ToLower(rand.Text()[:8]), Keep: keep, Secret: strings.ToLower(rand.Text() + rand.Text()),
		tb: tb, root: cluster.Root(tb), compose: "docker-compose",
	}
	if _, err := exec.LookPath(p.compose); err != nil {
		p.compose = cluster.Tool(tb, "docker-compose")
	}
	p.data = filepath.Join(p.root, ".cache", "test", "compose", p.Name)
	p.address(env)
	r, err := p.startReaper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.down()
		cluster.MustClose(tb, "reaper", r.dismiss())
	})
	for _, name := range []string{Fra1, Fra2} {
		dir := filepath.Join(p.data, name)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := unix.Mount("blog-test", dir, "tmpfs", 0, "size="+strconv.Itoa(dataSize)); err != nil {
			tb.Fatalf("mount a data folder, which takes root: %v", err)
		}
	}
	if _, err := p.do(tb.Context(), "up", "-d"); err != nil {
		tb.Fatal(err)
	}
	for _, n := range append(p.Nodes, p.consul) {
		if err := n.find(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

// address gives the nodes their addresses on this machine.
func (p *Project) address(env []string) {
	p.tb.Helper()
	names := []string{Fra1, Fra2, Iad1, Nrt1}
	addrs := cluster.FreeAddresses(p.tb, 3*len(names)+1)
	port := func(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
	p.env = append(os.Environ(), "CLUSTER_SECRET="+p.Secret, "NRT1_SECRET="+p.Secret, "TEST_DATA="+p.data)
	for i, name := range names {
		public, private, litefs := addrs[3*i], addrs[3*i+1], addrs[3*i+2]
		up := strings.ToUpper(name)
		p.env = append(p.env, up+"_PORT="+port(public), up+"_PRIVATE="+port(private), up+"_LITEFS="+port(litefs))
		n := &Node{
			Name: name, Public: "http://" + public, Private: "http://" + private, LiteFS: "http://" + litefs,
			project: p, litefsPort: 20211 + i,
		}
		if i < 2 {
			n.data = filepath.Join(p.data, name)
		}
		p.Nodes = append(p.Nodes, n)
	}
	consul := addrs[len(addrs)-1]
	p.consul = &Node{Name: Consul, project: p, Private: "http://" + consul}
	p.env = append(append(p.env, "CONSUL_PORT="+port(consul)), env...)
}

// do runs docker-compose on this project.
func (p *Project) do(ctx context.Context, args ...string) (string, error) {
	return run(ctx, p.env, p.compose, p.args(args...)...)
}

func (p *Project) args(args ...string) []string {
	all := []string{"-p", p.Name, "--project-directory", p.root, "-f", filepath.Join(p.root, "compose.yml"), "-f", filepath.Join(p.root, "test", "compose", "testdata", "compose.test.yml")}
	return append(all, args...)
}

// Node returns the node with that name.
func (p *Project) Node(name string) *Node {
	for _, n := range p.Nodes {
		if n.Name == name {
			return n
		}
	}
	return p.consul
}

// Recreate makes a node's container again, with env on top of its environment.
func (p *Project) Recreate(ctx context.Context, name string, env ...string) error {
	old := p.env
	p.env = append(p.env[:len(p.env):len(p.env)], env...)
	_, err := p.do(ctx, "up", "-d", "--no-deps", name)
	p.env = old
	return errors.Join(err, p.Node(name).find(ctx))
}

// down removes the project and everything of it, whatever state it is in.
func (p *Project) down() {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	for _, n := range append(p.Nodes, p.consul) {
		if n.id != "" {
			_ = n.Unpause(ctx) // it is not paused
		}
	}
	p.checkLogs(ctx)
	if _, err := p.do(ctx, "down", "--volumes", "--remove-orphans", "--timeout", "1"); err != nil {
		p.tb.Errorf("take the project down: %v", err)
	}
	for _, name := range []string{Fra1, Fra2} {
		if err := unix.Unmount(filepath.Join(p.data, name), unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			p.tb.Errorf("unmount data of %s: %v", name, err)
		}
	}
	if err := os.RemoveAll(p.data); err != nil {
		p.tb.Errorf("remove data: %v", err)
	}
}

// checkLogs fails the test for what no node may ever print, and keeps what the
// containers have printed when the test has failed.
func (p *Project) checkLogs(ctx context.Context) {
	p.tb.Helper()
	list, err := run(ctx, nil, "docker", "ps", "-a", "--filter", "label=com.docker.compose.project="+p.Name, "--format", `{{.ID}} {{.Label "com.docker.compose.service"}}`)
	if err != nil {
		p.tb.Errorf("list containers: %v", err)
	}
	logs := map[string][]byte{}
	for line := range strings.Lines(list) {
		id, service, _ := strings.Cut(strings.TrimSpace(line), " ")
		// Both streams, in one order.
		cmd := exec.CommandContext(ctx, "docker", "logs", "--timestamps", id) // #nosec G204 -- of this project
		if logs[service], err = cmd.CombinedOutput(); err != nil {
			p.tb.Errorf("logs of %s: %v", service, err)
		}
		for _, never := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if bytes.Contains(logs[service], []byte(never)) {
				p.tb.Errorf("%s has printed %q", service, never)
			}
		}
	}
	if !p.tb.Failed() {
		return
	}
	for service, text := range logs {
		if err := os.WriteFile(filepath.Join(p.Keep, service+".log"), text, 0o600); err != nil {
			p.tb.Error(err)
		}
	}
}
