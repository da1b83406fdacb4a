//go:build linux

package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"bazil.org/fuse"
	"bazil.org/fuse/fs"
)

// faulty is a FUSE file system with a file `db`, which cannot be opened, and a name `lost`, which cannot be found.
type faulty struct{}

func (faulty) Root() (fs.Node, error) { return faultyRoot{}, nil }

type faultyRoot struct{}

func (faultyRoot) Attr(_ context.Context, a *fuse.Attr) error {
	a.Inode, a.Mode = 1, os.ModeDir|0o755
	return nil
}

func (faultyRoot) Lookup(_ context.Context, name string) (fs.Node, error) {
	switch name {
	case "db":
		return faultyFile{}, nil
	case "lost":
		return nil, syscall.EIO
	}
	return nil, syscall.ENOENT
}

type faultyFile struct{}

func (faultyFile) Attr(_ context.Context, a *fuse.Attr) error {
	a.Inode, a.Mode, a.Size = 2, 0o644, 4096
	return nil
}

func (faultyFile) Open(context.Context, *fuse.OpenRequest, *fuse.OpenResponse) (fs.Handle, error) {
	return nil, syscall.EIO
}

// TestAnErrorOfFUSEs is no missing database, whether it comes from opening the file or from finding it.
func TestAnErrorOfFUSEs(t *testing.T) {
	dir := t.TempDir()
	conn, err := fuse.Mount(dir, fuse.FSName("faulty"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- fs.Serve(conn, faulty{}) }()
	t.Cleanup(func() {
		if err := fuse.Unmount(dir); err != nil {
			t.Error(err)
			return
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	wantNone(t, filepath.Join(dir, "db"), false)
	wantNone(t, filepath.Join(dir, "lost"), false)
	wantNone(t, filepath.Join(dir, "none"), true)
}
