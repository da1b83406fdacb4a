package repo_test

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// newest reads the newest row by view, on a connection that does not exist yet.
func newest(ctx context.Context, view func(context.Context, func(repo.Reader) error) error) (at repo.Cursor,
	err error) {
	err = view(ctx, func(rd repo.Reader) error {
		at, err = repo.Newest(ctx, rd)
		return err
	})
	return at, err
}

// TestTooManyOpenFiles: a database that is there, and that this process has no file descriptor left for, is no missing
// one. The feed reads it when there are descriptors again.
func TestTooManyOpenFiles(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "1")
	o := options(t, c.path, repotest.NewNode(repotest.Unknown()))
	o.LiteFS = true
	release := mustUseUpFiles(t)
	r, err := repo.Open(t.Context(), o)
	if err != nil {
		release()
		t.Fatal(err)
	}
	at, err := newest(t.Context(), r.ViewReserved)
	release()
	t.Cleanup(func() { _ = r.Close() })
	if !apperr.HasReason(err, apperr.CannotOpen) {
		t.Errorf("got %v, %v, want the reason %s", at, err, apperr.CannotOpen)
	}
	repotest.Eventually(t, patience, "the feed has the row",
		func() bool { return r.Feed().Position() == c.primary.Feed().Position() })
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
