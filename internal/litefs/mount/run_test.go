//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blog/test/cluster"
)

// single is a node as a process, to be run to its end.
type single struct {
	bin, dir, addr, config string
	bare                   bool // it runs where there are no devices
	out                    bytes.Buffer
}

// newNode writes a configuration with a free port and the extra lines given.
func newNode(t *testing.T, extra string) *single {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &single{bin: cluster.Build(t, "./test/cluster/testdata/node"), dir: t.TempDir(), addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n.config = filepath.Join(n.dir, "litefs.yml")
	text := fmt.Sprintf("fuse: {dir: %q}\ndata: {dir: %q, compress: false}\nhttp: {addr: %q}\n"+
		"lease: {type: static, hostname: h, advertise-url: 'http://%s', candidate: true}\n%s\n",
		n.mnt(), filepath.Join(n.dir, "data"), n.addr, n.addr, extra)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.mounted(t) {
			t.Errorf("the mount is left behind; the node said:\n%s", n.out.String())
			_ = syscall.Unmount(n.mnt(), syscall.MNT_FORCE|0x2)
		}
	})
	return n
}

func (n *single) mnt() string { return filepath.Join(n.dir, "mnt") }

func (n *single) mounted(t *testing.T) bool {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(mounts), " "+n.mnt()+" ")
}

func (n *single) command(ctx context.Context, child ...string) *exec.Cmd {
	args := []string{"mount", "--config", n.config}
	if len(child) > 0 {
		args = append(append(args, "--"), child...)
	}
	cmd := exec.CommandContext(ctx, n.bin, args...)
	if n.bare {
		// A sight of the file system of its own, whose /dev is empty. Who may mount FUSE without a helper may do this.
		cmd = exec.CommandContext(ctx, "sh",
			append([]string{"-c", `mount -t tmpfs none /dev && exec "$0" "$@"`, n.bin}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	cmd.Stdout, cmd.Stderr = &n.out, &n.out
	cmd.Env = append(os.Environ(), "LITEFS_URL=", "LITEFS_SELF=")
	return cmd
}

// run runs the node to its end and returns its exit code.
func (n *single) run(t *testing.T, child ...string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var exit *exec.ExitError
	if err := n.command(ctx, child...).Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode()
	}
	return 0
}

func TestExitCodes(t *testing.T) {
	cases := []struct {
		child string
		code  int
	}{
		{"exit 0", 0}, {"exit 3", 3}, {"kill -KILL $$", 128 + 9}, {"kill -TERM $$", 128 + 15},
	}
	for _, c := range cases {
		t.Run(c.child, func(t *testing.T) {
			n := newNode(t, "")
			if code := n.run(t, "sh", "-c", c.child); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, n.out.String())
			}
		})
	}
}

// TestChildEnvironment: the child finds the node, its name and a mount that it can use.
func TestChildEnvironment(t *testing.T) {
	n := newNode(t, "")
	code := n.run(t, "sh", "-c", "echo $LITEFS_URL $LITEFS_SELF; cat "+n.mnt()+"/.lag")
	want := fmt.Sprintf("http://%s h\n", n.addr)
	if code != 0 || !strings.Contains(n.out.String(), want) {
		t.Errorf("exit code %d, want a line %q in\n%s", code, want, n.out.String())
	}
}

func TestExecList(t *testing.T) {
	n := newNode(t,
		`exec: [{cmd: "sh -c 'echo first'"}, {cmd: "echo second", if-candidate: true}, {cmd: "sh -c 'exit 4'"}]`)
	code := n.run(t)
	out := n.out.String()
	first, second := strings.Index(out, "first\n"), strings.Index(out, "second\n")
	if code != 4 || first < 0 || second < first {
		t.Errorf("exit code %d, want 4 after first and second:\n%s", code, out)
	}
	n = newNode(t, `exec: [{cmd: "sh -c 'exit 5'"}, {cmd: "echo second"}]`)
	if code := n.run(t); code != 5 || strings.Contains(n.out.String(), "second\n") {
		t.Errorf("exit code %d, want 5 and nothing after it:\n%s", code, n.out.String())
	}
}

// TestTerminate: the child gets one SIGTERM and the time it needs, and its exit code is the node's. Ctrl-C and a
// terminal that is closed are the same to it.
func TestTerminate(t *testing.T) {
	// A program that is started by one that ignores SIGHUP ignores it, too.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) { terminate(t, sig) })
	}
}

func terminate(t *testing.T, sig syscall.Signal) {
	t.Helper()
	n := newNode(t, "")
	n.bin = cluster.Build(t, "./cmd/blog") // whose signals they are
	flag := filepath.Join(n.dir, "up")
	cmd := n.command(t.Context(), "sh", "-c",
		"trap 'echo told; exit 7' TERM; touch "+flag+"; while :; do sleep 0.01; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, time.Minute, "the child", func(context.Context) error {
		_, err := os.Stat(flag)
		return err
	})
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // an exit code is no failure here
	if code := cmd.ProcessState.ExitCode(); code != 7 || strings.Count(n.out.String(), "told\n") != 1 {
		t.Errorf("exit code %d, want 7 and one \"told\":\n%s", code, n.out.String())
	}
}

// TestKilled: the child dies with its node, and the next node replaces the dead mount.
func TestKilled(t *testing.T) {
	n := newNode(t, "")
	pid := filepath.Join(n.dir, "pid")
	cmd := n.command(t.Context(), "sh", "-c", "echo $$ > "+pid+".new; mv "+pid+".new "+pid+"; exec sleep 1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	cluster.Poll(t, time.Minute, "the child", func(context.Context) error {
		text, err := os.ReadFile(pid)
		if err == nil {
			_, err = fmt.Sscan(string(text), &child)
		}
		return err
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	cluster.Poll(t, time.Minute, "the child's end", func(context.Context) error {
		if err := syscall.Kill(child, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %d: %w", child, err)
		}
		return nil
	})
	if _, err := os.Stat(n.mnt()); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("the mount of a killed node: %v, want a dead one", err)
	}
	if code := n.run(t, "cat", n.mnt()+"/.lag"); code != 0 {
		t.Errorf("exit code %d after a kill, want 0:\n%s", code, n.out.String())
	}
}

// TestClearErrors: what is missing is said in one line, and nothing is left.
func TestClearErrors(t *testing.T) {
	t.Run("port taken", func(t *testing.T) {
		n := newNode(t, "")
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", n.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		n.mustFail(t, "http.addr "+n.addr+" is taken")
	})
	t.Run("data folder", func(t *testing.T) {
		n := newNode(t, "")
		if err := os.WriteFile(filepath.Join(n.dir, "data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		n.mustFail(t, "data.dir cannot be made")
	})
	t.Run("no mount helper", func(t *testing.T) {
		n := newNode(t, "")
		t.Setenv("PATH", t.TempDir())
		n.mustFail(t, "fusermount3 is not installed")
	})
	t.Run("no device", func(t *testing.T) {
		n := newNode(t, "")
		n.bin, n.bare = cluster.Build(t, "./cmd/blog"), true // the program whose words an operator reads
		n.mustFail(t,
			"blog: FUSE cannot be used: open /dev/fuse: no such file or directory (a container needs --device /dev/fuse "+
				"--cap-add SYS_ADMIN)\n")
	})
	t.Run("no such child", func(t *testing.T) {
		n := newNode(t, "exec: /no/such/program")
		if code := n.run(t); code != 1 || !strings.Contains(n.out.String(), "/no/such/program") {
			t.Errorf("exit code %d, want 1 and with %q:\n%s", code, "/no/such/program", n.out.String())
		}
	})
}

// mustFail wants exit code 1 and one line with part.
func (n *single) mustFail(t *testing.T, part string) {
	t.Helper()
	code := n.run(t, "true")
	if out := n.out.String(); code != 1 || !strings.Contains(out, part) || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d, want 1 and one line with %q:\n%s", code, part, out)
	}
}
