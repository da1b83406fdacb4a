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
