//go:build linux

package mount_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/superfly/litefs"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

func TestPauseAfter(t *testing.T) {
	for failed, want := range []time.Duration{0, 1, 2, 4, 8, 16, 30, 30} {
		if got := mount.PauseAfter(failed); got != want*time.Second {
			t.Errorf("after %d: %s, want %s", failed, got, want*time.Second)
		}
	}
	if got := mount.PauseAfter(1 << 40); got != 30*time.Second {
		t.Errorf("after very many: %s, want %v", got, 30*time.Second)
	}
}

// TestFailedStartsWait: a node that ends at once does not come back as fast as something restarts it.
func TestFailedStartsWait(t *testing.T) {
	n := newNode(t, "")
	const waiting = "waiting before the start"
	for run, wait := range []string{"", "wait=1s"} {
		n.out.Reset()
		began := time.Now()
		if code := n.run(t, "sh", "-c", "exit 3"); code != 3 {
			t.Fatalf("exit code %d, want 3\n%s", code, n.out.String())
		}
		out := n.out.String()
		if strings.Contains(out, waiting) != (wait != "") || !strings.Contains(out, wait) {
			t.Errorf("run %d, want %q:\n%s", run, wait, out)
		}
		if wait != "" && time.Since(began) < time.Second {
			t.Errorf("run %d did not wait", run)
		}
	}
	// A wait ends with SIGTERM, and has opened nothing until then.
	n.out.Reset()
	cmd := n.command(t.Context(), "true")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	text := make([]byte, 1<<10)
	got, err := read.Read(text) // the line that says that it waits
	if err != nil || !strings.Contains(string(text[:got]), "wait=2s") {
		t.Errorf("got %q, %v, want no error and with %q", text[:got], err, "wait=2s")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	_ = read.Close()
	// A run that ends well begins the count anew.
	if code := n.run(t, "true"); code != 0 || !strings.Contains(n.out.String(), "wait=2s") {
		t.Errorf("exit code %d, want 0 and with %q:\n%s", code, "wait=2s", n.out.String())
	}
	n.out.Reset()
	if code := n.run(t, "true"); code != 0 || strings.Contains(n.out.String(), waiting) {
		t.Errorf("exit code %d, want 0 and without %v:\n%s", code, waiting, n.out.String())
	}
}

// withConsul gives the node a lease in Consul.
func (n *single) withConsul(t *testing.T, url, key string) {
	t.Helper()
	text := fmt.Sprintf("fuse: {dir: %q}\ndata: {dir: %q, compress: false}\nhttp: {addr: %q}\nskip-sync: true\n"+
		"lease: {type: consul, hostname: h, advertise-url: 'http://%s', consul: {url: %q, key: %q, ttl: 2s}}\n",
		n.mnt(), n.data(), n.addr, n.addr, url, key)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (n *single) data() string { return filepath.Join(n.dir, "data") }

func (n *single) mustHaveCluster(t *testing.T, id string) {
	t.Helper()
	if err := os.MkdirAll(n.data(), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.data(), "clusterid"), []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutConsul: reads go on, and the log says why there are no writes.
func TestWithoutConsul(t *testing.T) {
	n := newNode(t, "")
	n.withConsul(t, "http://"+n.addr, "k") // nobody listens there but the node itself, and that is no Consul
	code := n.run(t, "sh", "-c",
		"cat "+n.mnt()+"/.lag; test -S $LITEFS_CONTROL && stat -c mode=%a $(dirname $LITEFS_CONTROL)")
	out := n.out.String()
	if code != 0 || strings.Count(out, "level=ERROR") != 1 || !strings.Contains(out, "LITEFS_CONSUL_URL") ||
		!strings.Contains(out, "mode=700") {
		t.Errorf("exit code %d, want 0, %q once, with %q and with %q:\n%s", code, "level=ERROR", "LITEFS_CONSUL_URL",
			"mode=700", out)
	}
}

func TestConsulsKey(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/key")
	theirs, ours := litefs.GenerateClusterID(), litefs.GenerateClusterID()
	if err := c.mustPeer(t, "other", "").SetClusterID(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	t.Run("another cluster's", func(t *testing.T) {
		n := newNode(t, "")
		n.withConsul(t, c.url, c.key)
		n.mustHaveCluster(t, ours)
		n.mustFail(t, "set LITEFS_CONSUL_KEY")
		for _, part := range []string{c.key, ours, theirs} {
			if !strings.Contains(n.out.String(), part) {
				t.Errorf("%q is not in %s", part, n.out.String())
			}
		}
	})
	t.Run("all data wiped", func(t *testing.T) {
		n := newNode(t, "")
		n.withConsul(t, c.url, c.key)
		if code := n.run(t, "true"); code != 0 ||
			!strings.Contains(n.out.String(), "this node is empty and nobody is primary") {
			t.Errorf("exit code %d, want 0 and with %q:\n%s", code, "this node is empty and nobody is primary", n.out.String())
		}
	})
	t.Run("no set", func(t *testing.T) {
		n := newNode(t, "")
		n.withConsul(t, c.url, c.key)
		n.mustHaveCluster(t, theirs)
		if code := n.run(t, "true"); code != 0 || !strings.Contains(n.out.String(), "blog accept-loss") {
			t.Errorf("exit code %d, want 0 and with %q:\n%s", code, "blog accept-loss", n.out.String())
		}
	})
}
