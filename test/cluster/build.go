package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Build compiles pkg, relative to the root of the module, with the tag sqlite_fts5 and the race
// detector, and returns the path of the program below .cache/test. It links nothing again when
// nothing has changed, so every test may call it. Test processes that run at the same time take
// turns.
func Build(tb testing.TB, pkg string) string {
	tb.Helper()
	return BuildAs(tb, pkg, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
}

// BuildAs is Build for a program called name, with further flags for `go build`, such as -overlay
// for another release.
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
