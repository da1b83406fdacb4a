package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"blog/test/powerloss"
)

// Volume is a disk of package powerloss, mounted on a folder by a process of its own.
type Volume struct {
	// Dir is the folder.
	Dir string
	// IgnoreSync makes the volume lose what was synced as well, from its next start on.
	IgnoreSync bool

	home   string // where the disk is
	socket string
	binary string
	cmd    *exec.Cmd
	log    *os.File
}

// StartVolume makes dir and mounts a volume on it. The end of the test removes the mount.
func StartVolume(tb testing.TB, dir string) *Volume {
	tb.Helper()
	v := NewVolume(tb, dir, tb.TempDir())
	if err := os.MkdirAll(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		MustClose(tb, "a volume", v.Close())
		if text := v.Log(); tb.Failed() && text != "" {
			tb.Logf("log of the volume on %s:\n%s", v.Dir, text)
		}
	})
	v.Start(tb)
	return v
}

// NewVolume returns a volume whose disk is in the folder home, and that Serve mounts on dir. Both folders are the
// caller's, and so is Close.
func NewVolume(tb testing.TB, dir, home string) *Volume {
	tb.Helper()
	return &Volume{
		Dir: dir, home: home, socket: filepath.Join(mustShortDir(tb), "control"), binary: Build(tb, "./test/powerloss/cmd"),
	}
}

// Start is Serve, which may not fail.
func (v *Volume) Start(tb testing.TB) {
	tb.Helper()
	if err := v.Serve(tb.Context()); err != nil {
		tb.Fatalf("start a volume: %v", err)
	}
}

// Serve mounts the volume, with what its disk has, until Close or a loss.
func (v *Volume) Serve(ctx context.Context) error {
	if v.log == nil {
		log, err := os.Create(filepath.Join(v.home, "log"))
		if err != nil {
			return err
		}
		v.log = log
	}
	args := []string{"serve", "-dir", filepath.Join(v.home, "disk"), "-mount", v.Dir, "-control", v.socket}
	if v.IgnoreSync {
		args = append(args, "-ignore-sync")
	}
	// The process outlives the context of the test that starts it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), v.binary, args...)
	cmd.Stdout, cmd.Stderr = v.log, v.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	v.cmd = cmd
	return Await(ctx, time.Minute, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", v.socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// PowerOff cuts the volume's power once after more operations have changed something: operations wait, kill ends the
// processes that use it (it need not wait for their end), and what was not synced is lost, as seed has it. Start mounts
// it again. A volume that nobody changes any more fails the test after a minute.
func (v *Volume) PowerOff(tb testing.TB, seed uint64, after int, kill func()) powerloss.Loss {
	tb.Helper()
	v.freeze(tb, after)
	kill()
	return v.lose(tb, seed)
}

func (v *Volume) freeze(tb testing.TB, after int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	if err := v.Freeze(ctx, after); err != nil {
		tb.Fatalf("freeze the volume after %d changes: %v", after, err)
	}
}

// Freeze makes all operations wait, once after more have changed something, and returns then. It can end ctx, and be
// asked again.
func (v *Volume) Freeze(ctx context.Context, after int) error {
	return powerloss.NewClient(v.socket).Freeze(ctx, after)
}

// Thaw lets the operations go on that wait since Freeze, as a disk does that has hung.
func (v *Volume) Thaw(ctx context.Context) error { return powerloss.NewClient(v.socket).Thaw(ctx) }

func (v *Volume) lose(tb testing.TB, seed uint64) powerloss.Loss {
	tb.Helper()
	loss, err := v.Lose(tb.Context(), seed)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Logf("power loss on %s: %s", v.Dir, loss)
	return loss
}

// Lose loses what was not synced, as seed has it, and takes the volume off its folder. Operations that wait fail.
func (v *Volume) Lose(ctx context.Context, seed uint64) (powerloss.Loss, error) {
	loss, err := powerloss.NewClient(v.socket).Lose(ctx, seed)
	if err != nil {
		return loss, fmt.Errorf("lose what was not synced: %w", err)
	}
	if err = v.wait(); err != nil {
		err = fmt.Errorf("the volume's end: %w", err)
	}
	return loss, err
}

// Durable returns since when a loss would leave the file at path, under Dir: see powerloss.Disk.
func (v *Volume) Durable(ctx context.Context, path string) (time.Time, error) {
	return powerloss.NewClient(v.socket).Durable(ctx, path)
}

// PowerOff is Kill of machines at one moment, once after more operations have changed something on the first one's
// volume: what was not synced on theirs is lost, as seed has it. Start mounts a node's volume again.
func PowerOff(tb testing.TB, seed uint64, after int, nodes ...*Node) {
	tb.Helper()
	for _, n := range nodes {
		n.Volume.freeze(tb, after)
		after = 0
	}
	for _, n := range nodes {
		if err := n.signal(syscall.SIGKILL); err != nil {
			tb.Fatalf("kill %s: %v", n.Name, err)
		}
	}
	for i, n := range nodes {
		n.Volume.lose(tb, seed+uint64(i)) // #nosec G115 -- a few nodes
		<-n.ended
		n.killChild()
	}
}

func (v *Volume) wait() error {
	cmd := v.cmd
	v.cmd = nil
	return cmd.Wait()
}

// Stop takes the volume off its folder, and nothing is lost. Its users have ended.
func (v *Volume) Stop(tb testing.TB) {
	tb.Helper()
	if err := v.stop(); err != nil {
		tb.Fatalf("stop a volume: %v", err)
	}
}

func (v *Volume) stop() error { return errors.Join(v.cmd.Process.Signal(syscall.SIGTERM), v.wait()) }

// Folder returns where the disk's files are, as programs see them, for who reads them without the mount. To change
// them is right only while it is not mounted.
func (v *Volume) Folder() string { return filepath.Join(v.home, "disk", "live") }

// Log returns what the volume's process has printed.
func (v *Volume) Log() string {
	text, err := os.ReadFile(filepath.Join(v.home, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Close takes the volume off its folder, if it is there, and nothing is lost.
func (v *Volume) Close() error {
	var errs []error
	if v.cmd != nil {
		errs = append(errs, v.stop())
	}
	// EINVAL: it is no mount any more, as it should be.
	err := unix.Unmount(v.Dir, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		errs = append(errs, fmt.Errorf("unmount %s: %w", v.Dir, err))
	}
	if v.log != nil {
		errs = append(errs, v.log.Close())
	}
	return errors.Join(errs...)
}
