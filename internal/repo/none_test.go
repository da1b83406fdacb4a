package repo_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// newest reads the newest row by view, on a connection that does not exist yet.
func newest(ctx context.Context, view func(context.Context, func(repo.Reader) error) error) (at repo.Cursor, err error) {
	err = view(ctx, func(rd repo.Reader) error {
		at, err = repo.Newest(ctx, rd)
		return err
	})
	return at, err
}

func mustTouch(t *testing.T, path string, mode os.FileMode, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsNoDatabase: only a file that is missing or has no byte is no database. Everything else that keeps SQLite from
// opening it says nothing about what it holds.
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
		if err := os.Mkdir(dir, 0o700); err != nil {
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
	r, err := repo.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if at, err := newest(t.Context(), r.View); err == nil || repo.HasReason(err, repo.NoDatabase) != none {
		t.Errorf("got %v, %v, want the reason %s: %t", at, err, repo.NoDatabase, none)
	}
}

// TestTooManyOpenFiles: a database that is there, and that this process has no file descriptor left for, is no missing
// one. The feed reads it when there are descriptors again.
func TestTooManyOpenFiles(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "1")
	o := options(t, c.path, repotest.NewSeat(repotest.Unknown()))
	o.LiteFS = true
	release := mustUseUpFiles(t)
	r, err := repo.Open(t.Context(), o)
	if err != nil {
		release()
		t.Fatal(err)
	}
	at, err := newest(t.Context(), r.Look)
	release()
	t.Cleanup(func() { _ = r.Close() })
	if !repo.HasReason(err, repo.CannotOpen) {
		t.Errorf("got %v, %v, want the reason %s", at, err, repo.CannotOpen)
	}
	repotest.Eventually(t, patience, "the feed has the row", func() bool { return r.Feed().Position() == c.primary.Feed().Position() })
}

// mustUseUpFiles leaves this process without file descriptors until release is called.
func mustUseUpFiles(t *testing.T) (release func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // the lowest that is free
	if err != nil {
		t.Fatal(err)
	}
	low := before
	low.Cur = uint64(next) //nolint:gosec // a descriptor
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
		_ = unix.Close(next)
	}
}
