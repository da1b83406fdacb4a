// Command cmd is `make cluster`: three regions on this machine, each a real
// LiteFS node (`blog mount`) with a FUSE mount, a data folder and ports of its
// own. The first is primary. Their data stays in data/cluster; Ctrl-C ends them.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// home is where the nodes keep their data, from one run to the next.
const home = "data/cluster"

// node is one region. Its ports are base, base+1 (private) and base+2 (LiteFS).
type node struct {
	name, region string
	base         int
	cmd          *exec.Cmd
	logged       int64 // bytes of its log, by earlier runs
	ended        chan struct{}
}

func (n *node) public() string  { return fmt.Sprintf("http://localhost:%d", n.base) }
func (n *node) private() string { return fmt.Sprintf("127.0.0.1:%d", n.base+1) }
func (n *node) litefs() string  { return fmt.Sprintf("127.0.0.1:%d", n.base+2) }
func (n *node) dir() string     { return filepath.Join(home, n.name) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if _, err = os.Stat("/dev/fuse"); err != nil {
		return errors.New("there is no /dev/fuse: nodes mount file systems, which needs Linux and, in a container, " +
			"--device /dev/fuse --cap-add SYS_ADMIN")
	}
	if _, err = exec.LookPath("fusermount3"); err != nil {
		if _, err = exec.LookPath("fusermount"); err != nil {
			return errors.New("fusermount is missing; on Debian: sudo apt-get install fuse3")
		}
	}
	secret, err := clusterSecret()
	if err != nil {
		return err
	}
	nodes := []*node{
		{name: "node1", region: "ams", base: 4000}, {name: "node2", region: "nrt", base: 4010},
		{name: "node3", region: "iad", base: 4020},
	}
	for _, n := range nodes {
		if err = n.free(ctx); err != nil {
			return err
		}
	}
	defer func() {
		for i := len(nodes) - 1; i >= 0; i-- {
			err = errors.Join(err, nodes[i].stop())
		}
	}()
	var out sync.Mutex
	for _, n := range nodes {
		if err := n.start(ctx, nodes[0], secret, &out); err != nil {
			return err
		}
		if err := n.ready(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	say(&out, "")
	for _, n := range nodes {
		role := "replica"
		if n == nodes[0] {
			role = "primary"
		}
		say(&out, fmt.Sprintf("  %s  %s  %-7s  %s   %s", n.name, n.region, role, n.public(), filepath.Join(n.dir(), "log")))
	}
	say(&out,
		"\n  The command line on a replica:\n    . "+filepath.Join(nodes[1].dir(), "env")+
			" && bin/blog post list\n  Ctrl-C ends them all.\n")
	watch(ctx, nodes, &out)
	return nil
}

// watch says which node has ended, and returns at Ctrl-C or when the last one has: who kills one wants to see what the
// others do.
func watch(ctx context.Context, nodes []*node, out *sync.Mutex) {
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			select {
			case <-ctx.Done():
			case <-n.ended:
				say(out, n.end("has ended, the others go on").Error())
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		say(out, "stopping")
	}
}

// clusterSecret is made once and kept with the data.
func clusterSecret() (string, error) {
	if err := os.MkdirAll(home, 0o750); err != nil {
		return "", err
	}
	path := filepath.Join(home, "secret")
	if text, err := os.ReadFile(path); err == nil { // #nosec G304 -- a constant
		return strings.TrimSpace(string(text)), nil
	}
	secret := rand.Text() + rand.Text()
	return secret, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

// env is the environment of a node, as one would set it on a machine. The site's
// address is one for all, as behind a load balancer: pages are the same bytes on
// every node. A form or socket of a node's own address is taken all the same.
func (n *node) env(primary *node, secret string) ([]string, error) {
	dir, err := filepath.Abs(n.dir())
	return []string{
		"LITEFS_DIR=" + filepath.Join(dir, "mnt"), "LITEFS_DATA_DIR=" + filepath.Join(dir, "litefs"),
		"LITEFS_ADDR=" + n.litefs(),
		"LITEFS_LEASE=static", "LITEFS_HOSTNAME=" + primary.private(), "LITEFS_ADVERTISE_URL=http://" + primary.litefs(),
		"LITEFS_URL=http://" + n.litefs(), "DATABASE_PATH=" + filepath.Join(dir, "mnt", "blog.db"),
		fmt.Sprintf("LISTEN_ADDR=127.0.0.1:%d", n.base), "PRIVATE_ADDR=" + n.private(), "PRIMARY_URL=http://{hostname}",
		"CLUSTER_SECRET=" + secret, "PUBLIC_URL=" + primary.public(), "NODE=" + n.name, "REGION=" + n.region,
		"PRIMARY_REGION=" + primary.region,
	}, err
}

func (n *node) start(ctx context.Context, primary *node, secret string, out *sync.Mutex) error {
	env, err := n.env(primary, secret)
	if err != nil {
		return err
	}
	if err = os.MkdirAll(n.dir(), 0o750); err != nil {
		return err
	}
	var script strings.Builder
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	if err = os.WriteFile(filepath.Join(n.dir(), "env"), []byte(script.String()), 0o600); err != nil {
		return err
	}
	// #nosec G304 -- names of our own
	log, err := os.OpenFile(filepath.Join(n.dir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if n.logged, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	// It outlives ctx: stop ends it, the replicas before the primary.
	n.cmd = exec.CommandContext(context.WithoutCancel(ctx), "bin/blog", "mount", "--config", "litefs.yml")
	n.cmd.Env = append(os.Environ(), env...)
	n.cmd.Stderr = log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C comes to this process alone
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.ended = make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() { // such as the link for the first author
			// Where each node is is said below; all of them know one public address.
			if lines.Text() != "" && !strings.HasPrefix(lines.Text(), "The blog is at ") {
				say(out, n.name+"  "+lines.Text())
			}
		}
		_ = n.cmd.Wait() // its log says why
		_ = log.Close()
		close(n.ended)
	}()
	return nil
}

// free fails while another program has one of the node's ports. It would answer in the node's place, and the node be
// taken for ready.
func (n *node) free(ctx context.Context) error {
	for _, addr := range []string{fmt.Sprintf("127.0.0.1:%d", n.base), n.private(), n.litefs()} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("%s needs %s, which another program has (another `make run` or `make cluster`?): %w", n.name,
				addr, err)
		}
		if err = l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// end returns the error that the node has come to an end, with the last line of its log that says why, if there is one.
func (n *node) end(what string) error {
	path := filepath.Join(n.dir(), "log")
	why := ""
	if text, err := os.ReadFile(path); err == nil { // #nosec G304 -- names of our own
		for line := range strings.Lines(string(text[min(n.logged, int64(len(text))):])) {
			if strings.HasPrefix(line, "blog: ") {
				why = " (" + strings.TrimSpace(line) + ")"
			}
		}
	}
	return fmt.Errorf("%s %s%s; its log is %s", n.name, what, why, path)
}

// ready waits until the node serves readers.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-n.ended:
			return n.end("has ended")
		case <-ctx.Done():
			return n.end("is not ready")
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.public()+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// stopLimit is how long a node may take to end.
const stopLimit = 20 * time.Second

func (n *node) stop() error {
	if n.ended == nil {
		return nil
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-n.ended:
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("%s did not end within %s and was killed", n.name, stopLimit), n.cmd.Process.Kill())
	}
}

func say(out *sync.Mutex, line string) {
	out.Lock()
	defer out.Unlock()
	fmt.Println(line)
}
