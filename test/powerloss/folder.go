//go:build linux

package powerloss

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lookup returns an entry of a folder.
func (i *Inode) Lookup(base string) (*Inode, error) {
	if err := i.disk.enter(); err != nil {
		return nil, err
	}
	defer i.disk.mu.Unlock()
	return i.lookup(base)
}

func (i *Inode) lookup(base string) (*Inode, error) {
	info, err := os.Lstat(name{i, base}.path())
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() && !mode.IsDir() {
		return nil, fmt.Errorf("%s: %w", base, syscall.ENOTSUP)
	}
	entry := i.disk.inode(info)
	if n := (name{i, base}); !entry.has(n) {
		entry.names[n] = named{}
	}
	return entry, nil
}

// ReadDir returns the entries of a folder.
func (i *Inode) ReadDir() ([]fs.DirEntry, error) {
	if err := i.disk.enter(); err != nil {
		return nil, err
	}
	defer i.disk.mu.Unlock()
	path := i.path()
	if path == "" {
		return nil, syscall.ESTALE
	}
	return os.ReadDir(path)
}

// Create makes an empty file, or returns an existing one. With exclusive it fails when there is
// one.
func (i *Inode) Create(base string, mode fs.FileMode, exclusive bool) (*Inode, error) {
	if err := i.disk.enterChange(); err != nil {
		return nil, err
	}
	defer i.disk.mu.Unlock()
	n := name{i, base}
	f, err := os.OpenFile(n.path(), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) && !exclusive {
		return i.lookup(base)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return i.added(n)
}

// Mkdir makes a folder.
func (i *Inode) Mkdir(base string, mode fs.FileMode) (*Inode, error) {
	if err := i.disk.enterChange(); err != nil {
		return nil, err
	}
	defer i.disk.mu.Unlock()
	n := name{i, base}
	if err := os.Mkdir(n.path(), mode); err != nil {
		return nil, err
	}
	return i.added(n)
}

// added logs that the new file or folder n was added to i.
func (i *Inode) added(n name) (*Inode, error) {
	info, err := os.Lstat(n.path())
	if err != nil {
		return nil, err
	}
	delete(i.disk.inodes, numberOf(info)) // an inode that had the number before
	entry := i.disk.inode(info)
	entry.names[n] = named{changes: i.disk.next() + 1}
	i.disk.log(change{gives: n, undo: func() error {
		path := n.path()
		delete(entry.names, n)
		return os.Remove(path)
	}}, entry, i)
	entry.changedData = entry.changed
	return entry, nil
}

// Link gives a file another name in this folder.
func (i *Inode) Link(file *Inode, base string) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	n := name{i, base}
	if len(file.names) == 0 {
		return syscall.ENOENT
	}
	if err := os.Link(file.path(), n.path()); err != nil {
		return err
	}
	file.names[n] = named{changes: i.disk.next() + 1}
	i.disk.log(change{gives: n, undo: func() error {
		delete(file.names, n)
		return os.Remove(n.path())
	}}, file, i)
	return nil
}

// Remove removes a name of a file, or an empty folder.
func (i *Inode) Remove(base string) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	entry, err := i.lookup(base)
	if err != nil {
		return err
	}
	n := name{i, base}
	restore, err := i.disk.drop(entry, n, func() error { return os.Remove(n.path()) })
	if err != nil {
		return err
	}
	i.disk.log(restore, entry, i)
	return entry.release()
}

// drop calls do, which removes the name n of entry, and returns the change that restores it.
func (d *Disk) drop(entry *Inode, n name, do func() error) (change, error) {
	path := n.path()
	if entry.folder {
		info, err := os.Lstat(path)
		if err != nil {
			return change{}, err
		}
		if err := do(); err != nil {
			return change{}, err
		}
		delete(entry.names, n)
		return change{
			undo: func() error {
				entry.names[n] = named{}
				return os.Mkdir(n.path(), info.Mode().Perm())
			},
			durable: entry.release,
		}, nil
	}
	if err := d.save(entry, path); err != nil {
		return change{}, err
	}
	if err := do(); err != nil {
		return change{}, errors.Join(err, d.forgo(entry))
	}
	delete(entry.names, n)
	return change{
		undo: func() error {
			entry.names[n] = named{}
			return os.Link(d.savedPath(entry), n.path())
		},
		durable: func() error { return d.forgo(entry) },
	}, nil
}

// Rename renames an entry of this folder to a name in the folder to. An entry that has this name
// loses it.
func (i *Inode) Rename(base string, to *Inode, toBase string) error {
	if err := i.disk.enterChange(); err != nil {
		return err
	}
	defer i.disk.mu.Unlock()
	entry, err := i.lookup(base)
	if err != nil {
		return err
	}
	from, dest := name{i, base}, name{to, toBase}
	replaced, err := to.lookup(toBase)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if replaced == entry {
		return nil // both are names of one file, and both stay
	}
	// os.Rename does not replace an empty folder.
	rename := func() error { return unix.Rename(from.path(), dest.path()) }
	restore := change{undo: func() error { return nil }}
	if replaced != nil {
		restore, err = i.disk.drop(replaced, dest, rename)
	} else {
		err = rename()
	}
	if err != nil {
		return err
	}
	delete(entry.names, from)
	entry.names[dest] = named{changes: i.disk.next() + 1}
	changed := []*Inode{i, to}
	if replaced != nil {
		changed = append(changed, replaced)
	}
	i.disk.log(change{
		gives: dest,
		undo: func() error {
			target := dest.path()
			delete(entry.names, dest)
			entry.names[from] = named{}
			return errors.Join(os.Rename(target, from.path()), restore.undo())
		},
		durable: restore.durable,
	}, entry, changed...)
	if replaced != nil {
		return replaced.release()
	}
	return nil
}
