package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stopLimit is how long a node may take to end after SIGTERM before it is killed.
const stopLimit = 20 * time.Second

// Node is one node of a cluster. Its addresses and folders stay the same when it is started again.
type Node struct {
	Name   string // node1, node2, ...
	Region string
	// PublicURL, PrivateURL and LiteFSURL are the base addresses of the site, the private listener and LiteFS's API.
	PublicURL, PrivateURL, LiteFSURL string
	Mount, Data, Database            string
	// Replication and Forwarding are this replica's ways to the primary; nil without Options.Proxies and on the
	// primary. With Consul see To.
	Replication, Forwarding *Link
	// Lease is this node's way to Consul; nil unless Options.Proxies and Options.Consul.
	Lease *Link
	// Volume is what Data is mounted from; nil unless Options.Volumes.
	Volume *Volume

	cluster *Cluster
	ways    map[*Node]Way // to the other nodes; see mesh
	binary  string        // the program
	env     []string
	logPath string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has ended; waitErr is set then
	waitErr error
}

// newNode chooses addresses and folders. Every node is configured by the litefs.yml of the repository.
func (c *Cluster) newNode(tb testing.TB, dir string, i int) *Node {
	tb.Helper()
	addrs := c.ports.free(tb, 3)
	public, private, litefs := addrs[0], addrs[1], addrs[2]
	name := fmt.Sprintf("node%d", i+1)
	home := filepath.Join(dir, name)
	n := &Node{
		Name: name, Region: c.region(i), cluster: c, binary: c.opts.Binary,
		PublicURL: "http://" + public, PrivateURL: "http://" + private, LiteFSURL: "http://" + litefs,
		Mount: filepath.Join(home, "mnt"), Data: filepath.Join(home, "data"),
		logPath: filepath.Join(home, "log"),
	}
	n.Database = filepath.Join(n.Mount, "blog.db")
	if err := os.MkdirAll(home, 0o750); err != nil {
		tb.Fatal(err)
	}
	// The primary's address for this node. With a static lease each node has it from its own
	// configuration, so a proxy for this node alone can be in between.
	primary := n
	if i > 0 {
		primary = c.Nodes[0]
	}
	hostname, advertise := strings.TrimPrefix(primary.PrivateURL, "http://"), primary.LiteFSURL
	if c.toxi != nil && c.Consul == nil && i > 0 {
		n.Replication = c.toxi.link(tb, name+"-replication", strings.TrimPrefix(advertise, "http://"))
		n.Forwarding = c.toxi.link(tb, name+"-forwarding", hostname)
		hostname, advertise = n.Forwarding.Addr, "http://"+n.Replication.Addr
	}
	lease, consul := "static", ""
	if c.Consul != nil { // each node has its own name, because any candidate may win
		lease, consul = "consul", c.Consul.URL
		hostname, advertise = private, n.LiteFSURL
	}
	n.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + c.tmp,
		// Otherwise a process with the race detector sleeps a second at its end.
		"GORACE=atexit_sleep_ms=50",
		"LITEFS_DIR=" + n.Mount, "LITEFS_DATA_DIR=" + n.Data, "LITEFS_ADDR=" + litefs,
		"LITEFS_LEASE=" + lease, "LITEFS_HOSTNAME=" + hostname, "LITEFS_ADVERTISE_URL=" + advertise,
		"LITEFS_URL=" + n.LiteFSURL, "DATABASE_PATH=" + n.Database,
		"LISTEN_ADDR=" + public, "PRIVATE_ADDR=" + private, "PRIMARY_URL=http://{hostname}",
		"CLUSTER_SECRET=" + c.Secret, "PUBLIC_URL=" + n.PublicURL,
		"NODE=" + name, "REGION=" + n.Region, "PRIMARY_REGION=" + c.region(0),
		"LITEFS_CONSUL_URL=" + consul, "LITEFS_CONSUL_KEY=litefs/test", "LITEFS_CONSUL_TTL=" + c.opts.Lease.String(),
	}, c.opts.Env...)
	return n
}

// Use makes binary the program of this node from its next start on, and of its commands from now
// on, as another release.
func (n *Node) Use(binary string) { n.binary = binary }

// Start starts the node's process. It does not wait: see WaitReady.
func (n *Node) Start(tb testing.TB) {
	tb.Helper()
	if n.running() {
		tb.Fatalf("%s runs already", n.Name)
	}
	if n.Volume != nil && n.Volume.cmd == nil {
		n.Volume.Start(tb)
	}
	config := filepath.Join(n.cluster.root, "litefs.yml")
	argv := []string{n.binary, "mount", "--config", config}
	if n.cluster.opts.Stock {
		argv = []string{n.cluster.litefs, "mount", "-config", config, "--", n.binary, "serve"}
	}
	log, err := os.OpenFile(filepath.Clean(n.logPath), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	// The process outlives the context of the test that starts it: Cleanup ends it.
	// #nosec G204 -- a test's own program
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", n.Name, err)
	}
	n.cmd, n.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		n.waitErr = cmd.Wait()
		close(ended)
	}(n.ended)
}

// Running reports whether the node's process runs.
func (n *Node) Running() bool { return n.running() }

// Ready asks the node's ready path once. It fails for every status but 200.
func (n *Node) Ready(ctx context.Context) error {
	return status200(ctx, n.PublicURL+n.cluster.opts.ReadyPath)
}

func (n *Node) running() bool {
	if n.ended == nil {
		return false
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// WaitReady waits until the node's ready path answers 200. It fails at once when the process has ended.
func (n *Node) WaitReady(tb testing.TB) {
	tb.Helper()
	dead := false
	Poll(tb, n.cluster.opts.ReadyLimit, n.Name+" ready", func(ctx context.Context) error {
		if !n.running() {
			dead = true
			return nil
		}
		return n.Ready(ctx)
	})
	if dead {
		tb.Fatalf("%s ended before it was ready: %v", n.Name, n.waitErr)
	}
}

func status200(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return do(ctx, http.MethodGet, url, "")
}

// do sends a request. It fails for every status but 200.
func do(ctx context.Context, method, url, in string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(in))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("status %d: %.200s", resp.StatusCode, body.String()))
	}
	return err
}

// Kill ends the node's process with SIGKILL, which takes its child along, and waits for its end. The dead mount
// stays, as after a crash; Start mounts over it.
func (n *Node) Kill(tb testing.TB) {
	tb.Helper()
	if err := n.signal(syscall.SIGKILL); err != nil {
		tb.Fatalf("kill %s: %v", n.Name, err)
	}
	<-n.ended
	n.killChild()
}

// Stop ends the node with SIGTERM and returns its exit code. A node that takes longer than 20 s fails the test.
func (n *Node) Stop(tb testing.TB) int {
	tb.Helper()
	if err := n.signal(syscall.SIGTERM); err != nil {
		tb.Fatalf("stop %s: %v", n.Name, err)
	}
	return n.Wait(tb)
}

// Wait waits for the end of the node's process and returns its exit code. It fails the test after 20 s.
func (n *Node) Wait(tb testing.TB) int {
	tb.Helper()
	select {
	case <-n.ended:
	case <-time.After(stopLimit):
		tb.Fatalf("%s did not end within %s", n.Name, stopLimit)
	}
	return n.cmd.ProcessState.ExitCode()
}

// Restart starts a node that has been stopped or killed, and waits until it is ready.
func (n *Node) Restart(tb testing.TB) {
	tb.Helper()
	n.Start(tb)
	n.WaitReady(tb)
}

// Signal sends sig to the node's process, not to its child.
func (n *Node) Signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := n.signal(sig); err != nil {
		tb.Fatalf("signal %s: %v", n.Name, err)
	}
}

func (n *Node) signal(sig syscall.Signal) error {
	if !n.running() {
		return errors.New("it does not run")
	}
	return n.cmd.Process.Signal(sig)
}

// PID returns the process id of the node, the LiteFS process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Log returns what the node and its child have printed so far, over all starts.
func (n *Node) Log(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(n.logPath)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		tb.Fatal(err)
	}
	return string(text)
}

// Command returns a run of the program on this node, with the node's environment: the command line of an operator
// who is logged in there.
func (n *Node) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, n.binary, args...) // #nosec G204 -- a test's own program
	cmd.Env = n.env
	return cmd
}

// end stops the process, by force if need be, and removes the mount.
func (n *Node) end() error {
	var errs []error
	if n.running() {
		// A paused process cannot end.
		_ = n.signal(syscall.SIGCONT)
		errs = append(errs, n.signal(syscall.SIGTERM))
		select {
		case <-n.ended:
		case <-time.After(stopLimit):
			errs = append(errs, fmt.Errorf("it did not end within %s of SIGTERM", stopLimit), n.signal(syscall.SIGKILL))
			<-n.ended
		}
	}
	n.killChild()
	// EINVAL means that it is no mount any more, as it should be.
	if err := unix.Unmount(n.Mount, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) &&
		!errors.Is(err, unix.ENOENT) {
		errs = append(errs, fmt.Errorf("unmount: %w", err))
	}
	return errors.Join(errs...)
}

// killChild ends a child that has outlived a killed stock LiteFS. `blog mount` has its child end
// with it, in a process group of the child's own, which is another one.
func (n *Node) killChild() {
	if n.cmd != nil {
		_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: no process is left
	}
}

// checkLog fails the test for a data race in a node, and shows the log's end when the test has failed.
func (n *Node) checkLog(tb testing.TB) {
	tb.Helper()
	text := n.Log(tb)
	if strings.Contains(text, "WARNING: DATA RACE") {
		tb.Errorf("%s: the race detector found something", n.Name)
	}
	if !tb.Failed() {
		return
	}
	const tail = 6000
	if len(text) > tail {
		text = "..." + text[len(text)-tail:]
	}
	tb.Logf("log of %s:\n%s", n.Name, text)
}
