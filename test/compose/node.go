package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Node is a service of a project: a node, or Consul. Its addresses are this
// machine's and stay the same.
type Node struct {
	Name string
	// Public, Private and LiteFS are base addresses; Consul has its API at Private.
	Public, Private, LiteFS string

	project    *Project
	id         string     // the container's
	litefsPort int        // inside
	data       string     // the folder that is /var/lib/litefs, "" where it is a volume of Docker's
	plugs      [][]string // networks, each with the node's names in it, while it is unplugged
}

// find learns the container's id.
func (n *Node) find(ctx context.Context) error {
	out, err := n.project.do(ctx, "ps", "-q", n.Name)
	if n.id = strings.TrimSpace(out); err == nil && n.id == "" {
		err = fmt.Errorf("%s has no container", n.Name)
	}
	return err
}

func (n *Node) docker(ctx context.Context, args ...string) error {
	_, err := run(ctx, nil, "docker", append(args, n.id)...)
	return err
}

// Kill ends all of the container at once. It stays down until Start.
func (n *Node) Kill(ctx context.Context) error { return n.docker(ctx, "kill") }

// Stop sends SIGTERM, and returns the exit code of the container.
func (n *Node) Stop(ctx context.Context) (int, error) {
	if err := n.docker(ctx, "stop"); err != nil {
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

// pauseTries is how often it is tried to pause a container.
const pauseTries = 10

// Pause freezes all its processes; connections stay open. A process that waits for FUSE
// cannot be frozen once the one that answers is: then none is, and it is tried again.
func (n *Node) Pause(ctx context.Context) (err error) {
	for range pauseTries {
		if err = n.docker(ctx, "pause"); err == nil || !strings.Contains(err.Error(), "unable to freeze") {
			break
		}
	}
	return err
}

// Unpause thaws them.
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

// Processes returns those that run.
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

// KillProcess sends SIGKILL to the process with that name.
func (n *Node) KillProcess(ctx context.Context, name string) error {
	all, err := n.Processes(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Name == name {
			return unix.Kill(p.PID, unix.SIGKILL)
		}
	}
	return fmt.Errorf("%s has no process %s: %v", n.Name, name, all)
}

// Info is LiteFS's own word on a node's role.
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

// Copy takes the node's whole database through LiteFS, at one position, and reads it.
func (n *Node) Copy(ctx context.Context) (*Copy, error) {
	pos, err := n.Position(ctx)
	if err != nil {
		return nil, err
	}
	body, err := fetch(ctx, n.LiteFS+"/export?name=blog.db")
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", n.Name, err)
	}
	path := filepath.Join(n.project.data, n.Name+".copy.db")
	if err = os.WriteFile(path, body, 0o600); err != nil {
		return nil, fmt.Errorf("copy of %s: %w", n.Name, err)
	}
	c, err := ReadCopy(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("copy of %s: %w", n.Name, err)
	}
	c.Node, c.Position = n.Name, pos
	return c, nil
}

// Fill makes the data folder's disk full, but for so many pages.
func (n *Node) Fill(spare uint64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(n.data, &s); err != nil {
		return fmt.Errorf("size of %s: %w", n.data, err)
	}
	used := (s.Blocks - s.Bfree + spare) * uint64(s.Bsize) //nolint:gosec // a size
	return n.resize(used)
}

// Empty gives it its room back.
func (n *Node) Empty() error { return n.resize(dataSize) }

func (n *Node) resize(size uint64) error {
	if err := unix.Mount("blog-test", n.data, "tmpfs", unix.MS_REMOUNT, "size="+strconv.FormatUint(size, 10)); err != nil {
		return fmt.Errorf("resize %s to %d: %w", n.data, size, err)
	}
	return nil
}

// Wipe removes what is in the data folder of a node that is down.
func (n *Node) Wipe() error {
	all, err := filepath.Glob(filepath.Join(n.data, "*"))
	for _, path := range all {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// fetch gets the whole of what is at address.
func fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %.200s", address, res.StatusCode, body)
	}
	return body, err
}
