package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/superfly/ltx"
	"golang.org/x/sys/unix"

	"blog/test/cluster"
)

// Node is a service of a project: a node, or one of Consul's servers, or Consul, which stands for
// all of its servers: what is done to it is done to each. Its addresses are on this machine and
// stay the same.
type Node struct {
	Name string
	// Public, Private and LiteFS are base addresses. One of Consul's servers has its API at
	// Private.
	Public, Private, LiteFS string

	project    *Project
	id         string          // the container's
	litefsPort int             // inside
	data       string          // the folder that is /var/lib/litefs, "" where it is a volume of Docker's
	memory     string          // the tmpfs in which volume has its files
	volume     *cluster.Volume // is mounted on data; nil where a test has no containers
	power      sync.RWMutex    // is locked while volume is not mounted; who reads files holds it
	wiped      atomic.Int64    // how often its data folder was emptied
	forgotten  sync.Map        // the ltx.TXIDs of which the test deleted the file
	plugs      [][]string      // networks, each with the node's names in it, while it is unplugged
	servers    []*Node         // of Consul, which has no container besides
}

// find finds out the id of the container.
func (n *Node) find(ctx context.Context) error {
	if n.servers != nil {
		return onEach(n.servers, (*Node).find)(ctx)
	}
	out, err := n.project.do(ctx, "ps", "-q", n.Name)
	if n.id = strings.TrimSpace(out); err == nil && n.id == "" {
		err = fmt.Errorf("%s has no container", n.Name)
	}
	return err
}

func (n *Node) docker(ctx context.Context, args ...string) error {
	if n.servers != nil {
		return atOnce(n.servers, func(server *Node) error { return server.docker(ctx, args...) })
	}
	_, err := run(ctx, nil, "docker", append(args, n.id)...)
	return err
}

// Kill ends the container at once. It stays down until Start.
func (n *Node) Kill(ctx context.Context) error {
	if n.servers != nil {
		return onEach(n.servers, (*Node).Kill)(ctx)
	}
	return n.ends(ctx, "kill -9 of the container", func() error { return n.docker(ctx, "kill") })
}

// Stop sends SIGTERM, and returns the exit code of the container, or 0 for Consul.
func (n *Node) Stop(ctx context.Context) (int, error) {
	if n.servers != nil {
		return 0, atOnce(n.servers, func(server *Node) error { _, err := server.Stop(ctx); return err })
	}
	if err := n.ends(ctx, "SIGTERM", func() error { return n.docker(ctx, "stop") }); err != nil {
		return 0, err
	}
	out, err := n.inspect(ctx, "{{.State.ExitCode}}")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// Start starts the container again.
func (n *Node) Start(ctx context.Context) error { return n.docker(ctx, "start") }

// pauseTries is how often Pause tries.
const pauseTries = 10

// Pause freezes all processes of the container; connections stay open. A process that waits for
// FUSE cannot be frozen once the process that answers it is. Then Pause freezes none and tries
// again.
func (n *Node) Pause(ctx context.Context) (err error) {
	if n.servers != nil {
		return onEach(n.servers, (*Node).Pause)(ctx)
	}
	return n.freezes(func() error {
		for range pauseTries {
			if err = n.docker(ctx, "pause"); err == nil || !strings.Contains(err.Error(), "unable to freeze") {
				break
			}
		}
		return err
	})
}

// Unpause lets the processes of the container continue.
func (n *Node) Unpause(ctx context.Context) error { return n.docker(ctx, "unpause") }

func (n *Node) inspect(ctx context.Context, format string) (string, error) {
	out, err := run(ctx, nil, "docker", "inspect", "--format", format, n.id)
	return strings.TrimSpace(out), err
}

// Exec runs a program in the container and returns what it printed.
func (n *Node) Exec(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, "docker", append([]string{"exec", n.id}, args...)...)
}

// Process is a `blog mount` or `blog serve` of the container, as this machine sees it.
type Process struct {
	PID  int
	Name string // mount or serve
}

// Processes returns the processes that run in the container.
func (n *Node) Processes(ctx context.Context) ([]Process, error) {
	out, err := run(ctx, nil, "docker", "top", n.id, "-eo", "pid,args")
	if err != nil {
		return nil, err
	}
	var all []Process
	for line := range strings.Lines(out) {
		pid, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		id, err := strconv.Atoi(pid)
		if f := strings.Fields(args); err == nil && len(f) == 2 && filepath.Base(f[0]) == "blog" {
			all = append(all, Process{id, f[1]})
		}
	}
	return all, nil
}

// KillProcess sends SIGKILL to the process with this name.
func (n *Node) KillProcess(ctx context.Context, name string) error {
	all, err := n.Processes(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Name == name {
			return errors.Join(n.gone(p), unix.Kill(p.PID, unix.SIGKILL))
		}
	}
	return fmt.Errorf("%s has no process %s: %v", n.Name, name, all)
}

// Info is a node's role according to LiteFS.
type Info struct {
	ClusterID string `json:"clusterID"`
	IsPrimary bool   `json:"isPrimary"`
	Candidate bool   `json:"candidate"`
	Primary   struct {
		Hostname string `json:"hostname"`
	} `json:"primary"`
}

// Info asks LiteFS for the node's role.
func (n *Node) Info(ctx context.Context) (Info, error) {
	var i Info
	body, err := fetch(ctx, n.LiteFS+"/info")
	if err == nil {
		err = json.Unmarshal(body, &i)
	}
	return i, err
}

// Position returns LiteFS's transaction and checksum of the database.
func (n *Node) Position(ctx context.Context) (string, error) {
	out, err := n.Exec(ctx, "cat", "/litefs/blog.db-pos")
	return strings.TrimSpace(out), err
}

// copyTries is how often Copy tries to copy a database that is written to at the same time.
const copyTries = 20

// Copy reads the file of the node's whole database. LiteFS's checksum proves that the file is a
// copy at one position. LiteFS's own /export is not available, because it holds a lock.
func (n *Node) Copy(ctx context.Context) (*Copy, error) {
	var pos string
	var file []byte
	var err error
	for range copyTries {
		if pos, file, err = n.readFile(ctx); err == nil {
			break
		}
	}
	var c *Copy
	if err == nil {
		c, err = n.project.copies.read(ctx, file, filepath.Join(n.project.data, n.Name+".copy.db"))
	}
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", n.Name, err)
	}
	c.Node, c.Position = n.Name, pos
	return c, nil
}

// readFile reads the database's file once, and returns its position. It fails when the file does not match the
// position.
func (n *Node) readFile(ctx context.Context) (string, []byte, error) {
	text, err := n.Position(ctx)
	if err != nil {
		return "", nil, err
	}
	pos, err := ltx.ParsePos(text)
	if err != nil {
		return "", nil, err
	}
	dir, err := n.disk(ctx)
	if err != nil {
		return "", nil, err
	}
	n.power.RLock()
	file, err := os.ReadFile(filepath.Join(dir, "dbs", "blog.db", "database")) // #nosec G304 -- of the test's node
	n.power.RUnlock()
	if err != nil {
		return "", nil, err
	}
	const pageSize = 4096 // SQLite's default
	sum, err := ltx.ChecksumReader(bytes.NewReader(file), pageSize)
	if err == nil && sum != pos.PostApplyChecksum {
		err = fmt.Errorf("the file has the checksum %s, its position is %s", sum, pos)
	}
	return text, file, err
}

// Fill fills the disk of the data folder, except for so many pages.
func (n *Node) Fill(spare uint64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(n.memory, &s); err != nil {
		return fmt.Errorf("size of %s: %w", n.memory, err)
	}
	used := (s.Blocks - s.Bfree + spare) * uint64(s.Bsize) //nolint:gosec // a size
	n.full()
	return n.resize(used)
}

// Empty gives the disk of the data folder its full size again.
func (n *Node) Empty() error { return n.resize(dataSize) }

func (n *Node) resize(size uint64) error {
	options := "size=" + strconv.FormatUint(size, 10)
	if err := unix.Mount("blog-test", n.memory, "tmpfs", unix.MS_REMOUNT, options); err != nil {
		return fmt.Errorf("resize %s to %d: %w", n.memory, size, err)
	}
	return nil
}

// Wipe empties the data folder of a node that is down.
func (n *Node) Wipe() error {
	n.wiped.Add(1)
	n.wipes()
	all, err := filepath.Glob(filepath.Join(n.data, "*"))
	for _, path := range all {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// fetch returns what is at address, within 30 s.
func fetch(ctx context.Context, address string) ([]byte, error) {
	return cluster.Fetch(ctx, address, 30*time.Second)
}
