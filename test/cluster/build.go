package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Build compiles pkg, relative to the module's root, with the tag sqlite_fts5 and the race detector, and returns the
// program's path under .cache/test. Nothing is linked again when nothing has changed, so calling it in every
// test is fine. Test processes that run at once take turns.
func Build(tb testing.TB, pkg string) string {
	tb.Helper()
	return BuildAs(tb, pkg, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
}

// BuildAs is Build of a program called name, with further flags for `go build`: such as -overlay, for another release.
func BuildAs(tb testing.TB, pkg, name string, flags ...string) string {
	tb.Helper()
	root := Root(tb)
	dir := filepath.Join(root, ".cache", "test")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		tb.Fatalf("lock %s: %v", lock.Name(), err)
	}
	out := filepath.Join(dir, name)
	args := append([]string{"build", "-race", "-tags", "sqlite_fts5", "-o", out}, flags...)
	cmd := exec.CommandContext(tb.Context(), "go", append(args, pkg)...) // #nosec G204 -- the test names the package
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build %s: %v\n%s", pkg, err, text)
	}
	return out
}
