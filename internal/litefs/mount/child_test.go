//go:build linux

package mount_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// TestChildThatCannotBeWaitedFor: a child that was killed while it waits for a disk that does not answer stays, and the
// node ends without it, also without unmounting what such a child uses.
func TestChildThatCannotBeWaitedFor(t *testing.T) {
	n := newNode(t, "")
	volume := cluster.StartVolume(t, filepath.Join(n.dir, "volume"))
	if err := volume.Freeze(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the child is gone before the volume is
		if err := volume.Thaw(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	pid := filepath.Join(n.dir, "pid")
	// The volume gives no answer about a file that nobody has asked for yet. The child has an output of its own, since
	// what reads the node's would wait for it.
	waits := fmt.Sprintf("exec >/dev/null 2>&1; echo $$ > %[1]s.new; mv %[1]s.new %[1]s; exec cat %[2]s/file",
		pid, volume.Dir)
	ended := make(chan int, 1)
	go func() { ended <- n.run(t, "sh", "-c", waits) }()
	var child int
	cluster.Poll(t, time.Minute, "the child waits for the disk", func(context.Context) error {
		text, err := os.ReadFile(pid)
		if err == nil {
			_, err = fmt.Sscan(string(text), &child)
		}
		if err != nil {
			return err
		}
		text, err = os.ReadFile(fmt.Sprintf("/proc/%d/wchan", child))
		// FUSE's wait for an answer, by its name in this kernel or in one in which its caller has it inlined.
		if at := string(text); err == nil && !strings.Contains(at, "request_wait") && !strings.Contains(at, "fuse") {
			err = fmt.Errorf("it waits in %q of the kernel", text)
		}
		return err
	})
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != mount.ExitStuck || !strings.Contains(n.out.String(), "the lease released") {
		t.Errorf("exit code %d, want %d and the lease released:\n%s", code, mount.ExitStuck, n.out.String())
	}
	if err := unix.Unmount(n.mnt(), unix.MNT_DETACH); err != nil {
		t.Errorf("detach the mount, which the node has left: %v", err)
	}
}

// TestDiskThatHangsAtTheEnd: a node whose own disk does not answer when it is closed, after a child that has ended as
// usual, gives its lease up all the same. Its process may wait for the disk for longer, and ends with it.
func TestDiskThatHangsAtTheEnd(t *testing.T) {
	n := newNode(t, "")
	data := cluster.StartVolume(t, filepath.Join(n.dir, "data"))
	thaw := func() {
		if err := data.Thaw(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(thaw) // also where the test has failed: the node is gone before its volume
	path := filepath.Join(n.dir, "log")
	log, err := os.Create(path) // #nosec G304 -- of this test
	if err != nil {
		t.Fatal(err)
	}
	up, goOn := filepath.Join(n.dir, "up"), filepath.Join(n.dir, "go-on")
	cmd := n.command(t.Context(), "sh", "-c", fmt.Sprintf("touch %s; until test -e %s; do sleep 0.1; done", up, goOn))
	cmd.Stdout, cmd.Stderr = log, log
	if err = errors.Join(cmd.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, time.Minute, "the child runs", func(context.Context) error {
		_, absent := os.Stat(up)
		return absent
	})
	if err = data.Freeze(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, time.Minute, "the node gives its lease up", func(context.Context) error {
		text, err := os.ReadFile(path) // #nosec G304 -- of this test
		for _, want := range []string{"this node cannot end as usual", "destroying lease"} {
			if err == nil && !strings.Contains(string(text), want) {
				err = fmt.Errorf("its log has no %q:\n%s", want, text)
			}
		}
		return err
	})
	thaw()
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != mount.ExitStuck {
		t.Errorf("got exit code %d, want %d", code, mount.ExitStuck)
	}
	if n.mounted(t) {
		if err := unix.Unmount(n.mnt(), unix.MNT_DETACH); err != nil {
			t.Errorf("detach the mount, which the node has left: %v", err)
		}
	}
}

// TestIsEnding: a thread that is dead, that ends, or that is to be killed, and no other.
func TestIsEnding(t *testing.T) {
	const killed, terminated, exits, forked = "256", "16384", "4194564", "4194304"
	for _, c := range []struct {
		state, flags, pending string
		want                  bool
	}{
		{"Z", forked, "0", true},
		{"X", forked, "0", true},
		{"D", forked, killed, true},
		{"D", exits, "0", true},
		{"D", forked, "0", false}, // it waits for a disk, and nobody has ended it
		{"D", forked, terminated, false},
		{"S", forked, "0", false},
		{"R", forked, "0", false},
	} {
		stat := fmt.Sprintf("7 (a Z) b) %s 1 7 7 0 -1 %s 9 9 9 9 9 9 9 9 20 0 1 0 9 9 9 9 1 1 1 1 1 %s 0 0 0 0 0 0 17",
			c.state, c.flags, c.pending)
		if got := mount.IsEnding(stat); got != c.want {
			t.Errorf("%+v: %t, want %t", c, got, c.want)
		}
	}
	self, err := os.ReadFile("/proc/thread-self/stat")
	if err != nil || mount.IsEnding(string(self)) {
		t.Errorf("this thread ends: %s, %v", self, err)
	}
	for _, broken := range []string{"", "7", "7 (x)", "7 (x) Z"} {
		if mount.IsEnding(broken) {
			t.Errorf("%q says that a thread ends", broken)
		}
	}
}

// TestThreadsAreEnding: all that can be read, and one at least; what cannot be read says nothing.
func TestThreadsAreEnding(t *testing.T) {
	const ending, waiting = "7 (x) Z 1 7 7 0 -1 0 9 9 9 9 9 9 9 9 20 0 1 0 9 9 9 9 1 1 1 1 1 0 0 0 0 0 0 0 17",
		"7 (x) S 1 7 7 0 -1 0 9 9 9 9 9 9 9 9 20 0 1 0 9 9 9 9 1 1 1 1 1 0 0 0 0 0 0 0 17"
	for name, c := range map[string]struct {
		threads map[string]string // "": it cannot be read
		want    bool
	}{
		"all end":               {map[string]string{"7": ending, "8": ending}, true},
		"one waits":             {map[string]string{"7": ending, "8": waiting}, false},
		"one cannot be read":    {map[string]string{"7": ending, "8": ""}, false},
		"none can be read":      {map[string]string{"7": "", "8": ""}, false},
		"there is no such file": {nil, false},
	} {
		dir := t.TempDir()
		for thread, stat := range c.threads {
			path := filepath.Join(dir, thread, "stat")
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			if stat == "" {
				err = os.MkdirAll(path, 0o700)
			} else if err == nil {
				err = os.WriteFile(path, []byte(stat), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := mount.ThreadsAreEnding(dir); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
	}
}

// TestWithin: what hangs is not waited for past the limit, and what does not gives its own error.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		for _, c := range []struct {
			lasts, wait time.Duration
			err, want   error
		}{
			{time.Second, time.Second, nil, nil},
			{time.Second, time.Second, broken, broken},
			{time.Minute, 3 * time.Second, nil, mount.ErrHangs},
		} {
			began := time.Now()
			err := mount.Within(3*time.Second, func() error { time.Sleep(c.lasts); return c.err })
			if took := time.Since(began); !errors.Is(err, c.want) || took != c.wait {
				t.Errorf("%+v: %v after %s, want %v after %s", c, err, took, c.want, c.wait)
			}
			time.Sleep(time.Minute) // until what has hung returns
		}
	})
}
