package compose

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/clock"
	"blog/test/cluster"
)

// Names of the services that tests refer to.
const (
	Fra1   = "fra1"
	Fra2   = "fra2"
	Iad1   = "iad1"
	Nrt1   = "nrt1"
	Consul = "consul"
)

// Lease is the length of the lease in compose.yml.
const Lease = 5 * time.Second

// dataSize is the size of the disks of fra1 and fra2, in bytes. LiteFS retains each transaction for
// ten minutes.
const dataSize = 4 << 30

// Project is a project of docker-compose with a random name, which runs until the test ends.
type Project struct {
	Name  string
	Nodes []*Node
	// Folder is where everything is stored that is needed when the test fails.
	Folder string
	Secret string

	tb      testing.TB
	compose string // the program
	root    string
	data    string // the data folders of fra1 and fra2
	env     []string
	consul  *Node
	copies  copies

	probesMu sync.Mutex
	probes   []probe // of the injections so far
}

// OnVolumes is a value of a project's environment with which the data of fra1 and fra2 is on volumes that can lose what
// was not synced (power.go).
const OnVolumes = "TEST_VOLUMES=on"

// Up starts a project with the images of `make images image`. At the end of the test it removes the
// project and everything that it has made. env comes before the values in compose.yml. When the
// test has failed, what the containers printed is stored in folder.
func Up(tb testing.TB, folder string, env ...string) *Project {
	tb.Helper()
	p := &Project{
		Name: "blogtest" + strings.ToLower(rand.Text()[:8]), Folder: folder,
		Secret: strings.ToLower(rand.Text() + rand.Text()),
		tb:     tb, root: cluster.Root(tb), compose: "docker-compose",
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
	for _, n := range p.inMemory() {
		if err := n.mount(tb.Context()); err != nil {
			tb.Fatalf("mount the data folder of %s, which takes root: %v", n.Name, err)
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
	addrs := cluster.FreeAddresses(p.tb, 3*len(names)+len(consulServers))
	port := func(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
	p.env = append(os.Environ(), "CLUSTER_SECRET="+p.Secret, "NRT1_SECRET="+p.Secret, "TEST_DATA="+p.data,
		"FRA_SUBNET="+freeSubnet(p.tb))
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
			n.memory = n.data
			if slices.Contains(env, OnVolumes) {
				n.memory = filepath.Join(p.data, "memory", name)
				n.volume = cluster.NewVolume(p.tb, n.data, n.memory)
			}
		}
		p.Nodes = append(p.Nodes, n)
	}
	p.consul = &Node{Name: Consul, project: p}
	for i, name := range consulServers {
		addr := addrs[3*len(names)+i]
		p.env = append(p.env, strings.ToUpper(name)+"_PORT="+port(addr))
		p.consul.servers = append(p.consul.servers, &Node{Name: name, project: p, Private: "http://" + addr})
	}
	p.env = append(p.env, env...)
}

// inMemory returns the nodes whose data is in a tmpfs: the candidates.
func (p *Project) inMemory() []*Node {
	return slices.DeleteFunc(slices.Clone(p.Nodes), func(n *Node) bool { return n.memory == "" })
}

// do runs docker-compose on this project.
func (p *Project) do(ctx context.Context, args ...string) (string, error) {
	return run(ctx, p.env, p.compose, p.args(args...)...)
}

func (p *Project) args(args ...string) []string {
	all := []string{"-p", p.Name, "--project-directory", p.root, "-f", filepath.Join(p.root, "compose.yml"), "-f",
		filepath.Join(p.root, "test", "compose", "testdata", "compose.test.yml")}
	return append(all, args...)
}

// Node returns the node with this name, and Consul for any other name.
func (p *Project) Node(name string) *Node {
	for _, n := range p.Nodes {
		if n.Name == name {
			return n
		}
	}
	return p.consul
}

// Recreate makes a node's container again, with env in addition to its environment.
func (p *Project) Recreate(ctx context.Context, name string, env ...string) error {
	p.Node(name).recreates()
	old := p.env
	p.env = append(p.env[:len(p.env):len(p.env)], env...)
	_, err := p.do(ctx, "up", "-d", "--no-deps", name)
	p.env = old
	return errors.Join(err, p.Node(name).find(ctx))
}

// down removes the project and everything that belongs to it, in whatever state it is.
func (p *Project) down() {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	for _, n := range slices.Concat(p.Nodes, p.consul.servers) {
		if n.id != "" {
			_ = n.Unpause(ctx) // usually it is not paused
		}
	}
	p.checkLogs(ctx)
	if _, err := p.do(ctx, "down", "--volumes", "--remove-orphans", "--timeout", "1"); err != nil {
		p.tb.Errorf("take the project down: %v", err)
	}
	for _, n := range p.inMemory() {
		if err := n.unmount(); err != nil {
			p.tb.Errorf("unmount the data of %s: %v", n.Name, err)
		}
	}
	if err := os.RemoveAll(p.data); err != nil {
		p.tb.Errorf("remove data: %v", err)
	}
}

// checkLogs fails the test for output that no node may ever have, and stores the output of the
// containers when the test has failed.
func (p *Project) checkLogs(ctx context.Context) {
	p.tb.Helper()
	list, err := run(ctx, nil, "docker", "ps", "-a", "--filter", "label=com.docker.compose.project="+p.Name, "--format",
		`{{.ID}} {{.Label "com.docker.compose.service"}}`)
	if err != nil {
		p.tb.Errorf("list containers: %v", err)
	}
	logs := map[string][]byte{}
	var beliefs []Belief
	boot := time.Now().Add(-clock.Boot())
	for line := range strings.Lines(list) {
		id, service, _ := strings.Cut(strings.TrimSpace(line), " ")
		// Both streams are in one order.
		cmd := exec.CommandContext(ctx, "docker", "logs", "--timestamps", id) // #nosec G204 -- of this project
		if logs[service], err = cmd.CombinedOutput(); err != nil {
			p.tb.Errorf("logs of %s: %v", service, err)
		}
		for _, never := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if bytes.Contains(logs[service], []byte(never)) {
				p.tb.Errorf("%s has printed %q", service, never)
			}
		}
		all, wrong := Beliefs(service, string(logs[service]), boot)
		beliefs = append(beliefs, all...)
		if err := problems("beliefs", wrong); err != nil {
			p.tb.Error(err)
		}
	}
	if err := CheckBeliefs(beliefs); err != nil {
		p.tb.Error(err)
	}
	if p.tb.Logf("%d times a node began to believe that it may acknowledge", len(beliefs)); len(beliefs) == 0 {
		p.tb.Error("no node has ever said that it may acknowledge")
	}
	if !p.tb.Failed() {
		return
	}
	for service, text := range logs {
		if err := os.WriteFile(filepath.Join(p.Folder, service+".log"), text, 0o600); err != nil {
			p.tb.Error(err)
		}
	}
}
