package cluster

import (
	"encoding/json"
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
	return build(tb, pkg, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
}

// BuildWith is Build of a tree in which files have another content, or are there at all: text by path from the module's
// root. The program is called name.
func BuildWith(tb testing.TB, pkg, name string, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	replace := map[string]string{}
	for path, text := range files {
		at := filepath.Join(dir, strings.ReplaceAll(path, "/", "-"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		replace[filepath.Join(Root(tb), path)] = at
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		tb.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return build(tb, pkg, name, "-overlay", overlay)
}

func build(tb testing.TB, pkg, name string, flags ...string) string {
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
	// #nosec G204 -- the test names the package.
	cmd := exec.CommandContext(tb.Context(), "go", append(args, pkg)...)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build %s: %v\n%s", pkg, err, text)
	}
	return out
}
