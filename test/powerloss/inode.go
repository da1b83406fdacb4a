//go:build linux

package powerloss

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Inode is a file or a folder of a Disk. It is the same one under each of its names.
type Inode struct {
	disk   *Disk
	number uint64
	folder bool
	names  map[name]named // that are known; a folder has one
	opened int            // by programs
	saved  int            // lost names that may come back
	file   *os.File       // nil while nobody needs it

	changed     int // how many changes a sync makes durable
	changedData int // how many changes fdatasync makes durable
	content     content

	durableSince time.Time // the last moment at which its length or its content became durable
}

// name is an entry of a folder.
type name struct {
	dir  *Inode
	base string
}

// named says how an inode came to a name.
type named struct {
	changes int       // the number of changes up to the one that gave it; 0 where it was there when the disk was opened
	since   time.Time // the moment at which it became durable; zero as long as it is not, and where it was there
}

func (n name) path() string { return filepath.Join(n.dir.path(), n.base) }

// path returns where the inode is in the disk's folder, or "" when it has no name any more.
func (i *Inode) path() string {
	if i == i.disk.root {
		return i.disk.live()
	}
	for n := range i.names {
		return n.path()
	}
	if i.saved > 0 && !i.folder {
		return i.disk.savedPath(i)
	}
	return ""
}

func (i *Inode) has(n name) bool {
	_, ok := i.names[n]
	return ok
}

// handle returns the open file.
func (i *Inode) handle() (*os.File, error) {
	if i.file != nil {
		return i.file, nil
	}
	f, err := i.openFile(os.O_RDWR)
	if errors.Is(err, fs.ErrPermission) { // as of an immutable file, which can be read
		f, err = i.openFile(os.O_RDONLY)
	}
	if err != nil {
		return nil, err
	}
	i.file = f
	return f, nil
}

func (i *Inode) openFile(flag int) (*os.File, error) {
	path := i.path()
	if path == "" {
		return nil, syscall.ESTALE
	}
	return os.OpenFile(filepath.Clean(path), flag, 0)
}

// release closes the file where nobody needs it, and forgets an inode without a name.
func (i *Inode) release() error {
	if i.opened > 0 || i.saved > 0 || (len(i.names) > 0 && i.content.dirty()) {
		return nil
	}
	if len(i.names) == 0 && i != i.disk.root && i.disk.inodes[i.number] == i {
		delete(i.disk.inodes, i.number)
	}
	f := i.file
	i.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// Stat returns what the file system knows about it.
func (i *Inode) Stat() (fs.FileInfo, error) {
	if err := i.disk.enter(); err != nil {
		return nil, err
	}
	defer i.disk.mu.Unlock()
	return i.stat()
}

func (i *Inode) stat() (fs.FileInfo, error) {
	if i.file != nil {
		return i.file.Stat()
	}
	path := i.path()
	if path == "" {
		return nil, syscall.ESTALE
	}
	return os.Lstat(path)
}

// Open counts a program that has the file open; Release ends that. A file without a name lasts as long as one has it.
// The program may write where that is asked for: it is refused where the file below refuses it now, whoever else has
// the file open already.
func (i *Inode) Open(write bool) error {
	if err := i.disk.enter(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	if i.folder {
		i.opened++
		return nil
	}
	if write {
		f, err := i.openFile(os.O_RDWR)
		if err != nil {
			return err
		}
		if i.file != nil { // which may be one that was opened while it could only be read
			err = i.file.Close()
		}
		if i.file = f; err != nil {
			return err
		}
	}
	if _, err := i.handle(); err != nil {
		return err
	}
	i.opened++
	return nil
}

// Release ends an Open.
func (i *Inode) Release() error {
	if err := i.disk.enter(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	i.opened--
	return i.release()
}

// ReadAt reads from a file; at its end it reads less.
func (i *Inode) ReadAt(p []byte, offset int64) (int, error) {
	if err := i.disk.enter(); err != nil {
		return 0, err
	}
	defer i.disk.mu.Unlock()
	f, err := i.handle()
	if err != nil {
		return 0, err
	}
	n, err := readFull(f, p, offset)
	return n, errors.Join(err, i.release())
}

// WriteAt writes to a file.
func (i *Inode) WriteAt(p []byte, offset int64) error {
	return i.change(func(f *os.File) error { return i.content.write(f, p, offset, i.disk.next()) })
}

// Truncate sets a file's length.
func (i *Inode) Truncate(size int64) error {
	return i.change(func(f *os.File) error {
		if err := i.content.truncate(f, size, i.disk.next()); err != nil {
			return err
		}
		i.disk.log(change{}, i)
		i.changedData = i.changed
		return nil
	})
}

// Punch frees the blocks of a part of a file, which reads as zeros then.
func (i *Inode) Punch(offset, length int64) error {
	return i.change(func(f *os.File) error { return i.content.punch(f, offset, length) })
}

func (i *Inode) change(do func(f *os.File) error) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	f, err := i.handle()
	if err != nil {
		return err
	}
	return errors.Join(do(f), i.release())
}

// Sync is fsync: what was written to the file, and all changes up to the last one of this file or
// folder, cannot be lost any more.
func (i *Inode) Sync() error { return i.sync(func() int { return i.changed }) }

// SyncData is fdatasync.
func (i *Inode) SyncData() error { return i.sync(func() int { return i.changedData }) }

func (i *Inode) sync(changes func() int) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	if i.disk.options.IgnoreSync {
		return nil
	}
	if i.content.dirty() {
		i.durableSince = time.Now()
	}
	i.content = content{}
	return errors.Join(i.disk.commit(changes()), i.release())
}

// SetAttributes changes mode, owner or times with do. These are never lost.
func (i *Inode) SetAttributes(do func(path string) error) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	path := i.path()
	if path == "" {
		return syscall.ESTALE
	}
	return do(path)
}

// lose undoes writes and truncations, also those that need a change which did not survive.
func (i *Inode) lose(draw *rand.Rand, surviving int, loss *Loss) error {
	if !i.content.dirty() {
		return nil
	}
	f, err := i.handle()
	if err != nil {
		return err
	}
	loss.Files++
	writes, lost, err := i.content.lose(f, draw, surviving)
	loss.Writes += writes
	loss.WritesLost += lost
	return err
}

// numbers returns the numbers of all inodes in order, so that a seed means the same each time.
func (d *Disk) numbers() []uint64 { return slices.Sorted(maps.Keys(d.inodes)) }
