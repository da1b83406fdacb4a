//go:build linux

package mount

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/fuse"
)

// invalidator passes LiteFS's invalidations of pages to the kernel once the mount exists. The store starts before the
// mount, and would otherwise use a file system that another goroutine is still setting up.
//
// A separate goroutine makes the invalidations that LiteFS asks for while it holds the lock of its store. The file
// system has a lock for the names in its root, and searches the store for databases while it holds that lock
// (RootNode.Lookup, v0.5.14); these calls acquire the two in the other order (Store.setLease, Store.CreateDB). Made
// directly, a reader whose SQLite searched for a journal at the very moment when the lease was lost stopped the whole
// node for good.
type invalidator struct {
	log  *slog.Logger
	fsys atomic.Pointer[fuse.FileSystem]

	mu   sync.Mutex
	due  map[string]func(*fuse.FileSystem) error // by file
	busy bool
}

var _ litefs.Invalidator = (*invalidator)(nil)

func (i *invalidator) with(call func(*fuse.FileSystem) error) error {
	if fsys := i.fsys.Load(); fsys != nil {
		return call(fsys)
	}
	return nil // not mounted: the kernel has nothing of ours yet
}

// later has call done soon. Only the last of several for one file is.
func (i *invalidator) later(file string, call func(*fuse.FileSystem) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.due == nil {
		i.due = map[string]func(*fuse.FileSystem) error{}
	}
	i.due[file] = call
	if !i.busy {
		i.busy = true
		go i.work()
	}
	return nil
}

// work does what is due until there is nothing more.
func (i *invalidator) work() {
	for {
		i.mu.Lock()
		due := i.due
		i.due = nil
		i.busy = len(due) > 0
		i.mu.Unlock()
		if len(due) == 0 {
			return
		}
		for file, call := range due {
			if err := i.with(call); err != nil {
				i.log.Debug("notify the kernel of a change", "file", file, "err", err) // the mount has ended
			}
		}
	}
}

func (i *invalidator) InvalidateDB(db *litefs.DB) error {
	return i.with(func(f *fuse.FileSystem) error { return f.InvalidateDB(db) })
}

func (i *invalidator) InvalidateDBRange(db *litefs.DB, offset, size int64) error {
	return i.with(func(f *fuse.FileSystem) error { return f.InvalidateDBRange(db, offset, size) })
}

func (i *invalidator) InvalidateSHM(db *litefs.DB) error {
	return i.with(func(f *fuse.FileSystem) error { return f.InvalidateSHM(db) })
}

func (i *invalidator) InvalidatePos(db *litefs.DB) error {
	return i.later(db.Name()+"-pos", func(f *fuse.FileSystem) error { return f.InvalidatePos(db) })
}

func (i *invalidator) InvalidateEntry(name string) error {
	return i.with(func(f *fuse.FileSystem) error { return f.InvalidateEntry(name) })
}

func (i *invalidator) InvalidateLag() error {
	return i.later(fuse.LagFilename, func(f *fuse.FileSystem) error { return f.InvalidateLag() })
}
