package sqlite_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"blog/internal/sqlite"
)

func mustTouch(t *testing.T, path string, mode os.FileMode, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsNoDatabase: only a file that is missing or has no byte is no database. Everything else that keeps SQLite
// from opening it says nothing about what it holds.
func TestWhatIsNoDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		none    bool
	}{
		"no file": {func(*testing.T, string) {}, true},
		"empty file": {func(t *testing.T, path string) {
			t.Helper()
			mustTouch(t, path, 0o600, "")
		}, true},
		"directory": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, false},
		"socket": {func(t *testing.T, path string) {
			t.Helper()
			l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}, false},
		"link to itself": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.Symlink(path, path); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(mustShortDir(t), "db")
			c.prepare(t, path)
			wantNone(t, path, c.none)
		})
	}
	t.Run("a file in the place of its folder", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "folder")
		mustTouch(t, folder, 0o600, "x")
		wantNone(t, filepath.Join(folder, "db"), false)
	})
	t.Run("a file that may not be read", func(t *testing.T) {
		path := filepath.Join(mustShortDir(t), "db")
		mustTouch(t, path, 0, "x")
		asNobody(t)
		wantNone(t, path, false)
	})
	t.Run("a folder that may not be searched", func(t *testing.T) {
		dir := filepath.Join(mustShortDir(t), "folder")
		if err := os.Mkdir(dir, 0); err != nil { // its owner may not search it either
			t.Fatal(err)
		}
		asNobody(t)
		wantNone(t, filepath.Join(dir, "db"), false)
	})
}

// mustShortDir returns a folder that everybody may search and whose name leaves room for that of a socket.
func mustShortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "none-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody makes this goroutine open files as a user without rights until the test ends.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return // then it is one already
	}
	const nobody = 65534
	runtime.LockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = unix.SetfsuidRetUid(0)
		runtime.UnlockOSThread()
	})
}

func wantNone(t *testing.T, path string, none bool) {
	t.Helper()
	db, err := sqlite.Open(path, sqlite.Options{LiteFS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(t.Context(), func(rd sqlite.Reader) error {
		var n int
		return rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM writes").Scan(&n)
	})
	if err == nil || errors.Is(err, sqlite.ErrAbsent) != none {
		t.Errorf("got %v, want %v: %t", err, sqlite.ErrAbsent, none)
	}
}
