//go:build linux

package powerloss

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bazil.org/fuse"
	fusefs "bazil.org/fuse/fs"
	"golang.org/x/sys/unix"
)

// fileSystem serves a Disk to the kernel. Only the kernel changes it, so what the kernel has cached
// is right. Locks are the kernel's own.
type fileSystem struct{ disk *Disk }

// node is a file or a folder, and each of its open handles.
type node struct{ inode *Inode }

// mount mounts the disk on dir.
func mount(d *Disk, dir string) (*fuse.Conn, error) {
	conn, err := fuse.Mount(dir,
		fuse.FSName("powerloss"), fuse.Subtype("powerloss"), fuse.AllowOther(), fuse.AllowNonEmptyMount())
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	return conn, nil
}

// Root implements fs.FS.
func (f fileSystem) Root() (fusefs.Node, error) { return node{f.disk.Root()}, nil }

// Statfs implements fs.FSStatfser.
func (f fileSystem) Statfs(_ context.Context, _ *fuse.StatfsRequest, resp *fuse.StatfsResponse) error {
	var st unix.Statfs_t
	if err := unix.Statfs(f.disk.dir, &st); err != nil {
		return code(err)
	}
	resp.Blocks, resp.Bfree, resp.Bavail, resp.Files, resp.Ffree = st.Blocks, st.Bfree, st.Bavail, st.Files, st.Ffree
	resp.Bsize, resp.Frsize = uint32(st.Bsize), uint32(st.Frsize) // #nosec G115 -- sizes of a block
	resp.Namelen = uint32(st.Namelen)                             // #nosec G115 -- a small number
	return nil
}

// Attr implements fs.Node.
func (n node) Attr(_ context.Context, a *fuse.Attr) error {
	info, err := n.inode.Stat()
	if err != nil {
		return code(err)
	}
	st, _ := info.Sys().(*syscall.Stat_t) // always, on Linux
	a.Inode, a.Mode, a.Uid, a.Gid = st.Ino, info.Mode(), st.Uid, st.Gid
	a.Size, a.Blocks = uint64(st.Size), uint64(st.Blocks)       // #nosec G115 -- not negative
	a.Nlink, a.BlockSize = uint32(st.Nlink), uint32(st.Blksize) // #nosec G115 -- small numbers
	a.Atime, a.Mtime, a.Ctime = time.Unix(st.Atim.Unix()), info.ModTime(), time.Unix(st.Ctim.Unix())
	return nil
}

// Setattr implements fs.NodeSetattrer.
func (n node) Setattr(_ context.Context, req *fuse.SetattrRequest, resp *fuse.SetattrResponse) error {
	if req.Valid.Size() {
		if err := n.inode.Truncate(int64(req.Size)); err != nil { // #nosec G115 -- the kernel's own limit
			return code(err)
		}
	}
	return code(n.inode.SetAttributes(func(path string) error {
		var errs []error
		if req.Valid.Mode() {
			errs = append(errs, os.Chmod(path, req.Mode.Perm()))
		}
		if req.Valid.Uid() || req.Valid.Gid() {
			uid, gid := -1, -1
			if req.Valid.Uid() {
				uid = int(req.Uid)
			}
			if req.Valid.Gid() {
				gid = int(req.Gid)
			}
			errs = append(errs, os.Chown(path, uid, gid))
		}
		if req.Valid.Atime() || req.Valid.Mtime() {
			errs = append(errs, os.Chtimes(path, req.Atime, req.Mtime))
		}
		return errors.Join(errs...)
	}))
}

// Lookup implements fs.NodeStringLookuper.
func (n node) Lookup(_ context.Context, name string) (fusefs.Node, error) {
	return found(n.inode.Lookup(name))
}

// found returns the node of an inode.
func found(i *Inode, err error) (fusefs.Node, error) {
	if err != nil {
		return nil, code(err)
	}
	return node{i}, nil
}

// Open implements fs.NodeOpener.
func (n node) Open(_ context.Context, req *fuse.OpenRequest, resp *fuse.OpenResponse) (fusefs.Handle, error) {
	if err := n.inode.Open(!req.Flags.IsReadOnly()); err != nil {
		return nil, code(err)
	}
	resp.Flags |= fuse.OpenKeepCache
	return n, nil
}

// Create implements fs.NodeCreater.
func (n node) Create(
	_ context.Context, req *fuse.CreateRequest, resp *fuse.CreateResponse,
) (fusefs.Node, fusefs.Handle, error) {
	i, err := n.inode.Create(req.Name, req.Mode.Perm(), req.Flags&fuse.OpenExclusive != 0)
	if err == nil {
		err = i.Open(false) // whatever its mode: who makes a file may write to it
	}
	if err != nil {
		return nil, nil, code(err)
	}
	resp.Flags |= fuse.OpenKeepCache
	return node{i}, node{i}, nil
}

// Mkdir implements fs.NodeMkdirer.
func (n node) Mkdir(_ context.Context, req *fuse.MkdirRequest) (fusefs.Node, error) {
	return found(n.inode.Mkdir(req.Name, req.Mode.Perm()))
}

// Link implements fs.NodeLinker.
func (n node) Link(_ context.Context, req *fuse.LinkRequest, old fusefs.Node) (fusefs.Node, error) {
	file, ok := old.(node)
	if !ok {
		return nil, syscall.EXDEV
	}
	return found(file.inode, n.inode.Link(file.inode, req.NewName))
}

// Remove implements fs.NodeRemover.
func (n node) Remove(_ context.Context, req *fuse.RemoveRequest) error {
	return code(n.inode.Remove(req.Name))
}

// Rename implements fs.NodeRenamer.
func (n node) Rename(_ context.Context, req *fuse.RenameRequest, newDir fusefs.Node) error {
	to, ok := newDir.(node)
	if !ok {
		return syscall.EXDEV
	}
	return code(n.inode.Rename(req.OldName, to.inode, req.NewName))
}

// dataSync is the flag of an fdatasync (FUSE_FSYNC_FDATASYNC).
const dataSync = 1

// Fsync implements fs.NodeFsyncer, for files and folders.
func (n node) Fsync(_ context.Context, req *fuse.FsyncRequest) error {
	if req.Flags&dataSync != 0 {
		return code(n.inode.SyncData())
	}
	return code(n.inode.Sync())
}

// ReadDirAll implements fs.HandleReadDirAller.
func (n node) ReadDirAll(context.Context) ([]fuse.Dirent, error) {
	entries, err := n.inode.ReadDir()
	if err != nil {
		return nil, code(err)
	}
	list := make([]fuse.Dirent, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, code(err)
		}
		kind := fuse.DT_File
		if e.IsDir() {
			kind = fuse.DT_Dir
		}
		list = append(list, fuse.Dirent{Inode: numberOf(info), Name: e.Name(), Type: kind})
	}
	return list, nil
}

// Read implements fs.HandleReader.
func (n node) Read(_ context.Context, req *fuse.ReadRequest, resp *fuse.ReadResponse) error {
	resp.Data = resp.Data[:req.Size]
	count, err := n.inode.ReadAt(resp.Data, req.Offset)
	resp.Data = resp.Data[:count]
	return code(err)
}

// Write implements fs.HandleWriter.
func (n node) Write(_ context.Context, req *fuse.WriteRequest, resp *fuse.WriteResponse) error {
	if err := n.inode.WriteAt(req.Data, req.Offset); err != nil {
		return code(err)
	}
	resp.Size = len(req.Data)
	return nil
}

// FAllocate implements fs.HandleFAllocater, only for punching holes.
func (n node) FAllocate(_ context.Context, req *fuse.FAllocateRequest) error {
	const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	if req.Mode != hole {
		return syscall.EOPNOTSUPP
	}
	return code(n.inode.Punch(int64(req.Offset), int64(req.Length))) // #nosec G115 -- the kernel's own limit
}

// Release implements fs.HandleReleaser.
func (n node) Release(context.Context, *fuse.ReleaseRequest) error { return code(n.inode.Release()) }

// code returns the number of an error for the kernel.
func code(err error) error {
	if err == nil {
		return nil
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return syscall.EIO
}

// unmount removes the mount, although it may be in use, and ends its connection to the kernel.
func unmount(dir string) error {
	err := unix.Unmount(filepath.Clean(dir), unix.MNT_FORCE|unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}
