package litefs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lagFile is in the root of every LiteFS mount, whatever the node's role and whether or not it has a database.
const lagFile = ".lag"

// Free returns how many bytes are left for the database at path. In LiteFS's mount these are its data directory's.
func Free(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, fmt.Errorf("litefs: room beside %s: %w", path, err)
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // a size
}

// CheckMount returns nil when the database at path is inside LiteFS's mount, that is, directly in the root of a
// FUSE file system that has LiteFS's own file `.lag`. Anywhere else LiteFS would not replicate it: the node
// would keep a database of its own, LiteFS's data directory included. The database itself need not exist.
func CheckMount(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("litefs: DATABASE_PATH %q: %w", path, err)
	}
	dir := filepath.Dir(abs)
	var st unix.Statfs_t
	switch err := unix.Statfs(dir, &st); {
	case errors.Is(err, unix.ENOTCONN):
		return fmt.Errorf("litefs: the mount at %s is dead: its LiteFS process has ended; start it again or unmount it", dir)
	case err != nil:
		return fmt.Errorf("litefs: DATABASE_PATH %s is not inside LiteFS's mount: %w", path, err)
	case st.Type != unix.FUSE_SUPER_MAGIC:
		return fmt.Errorf("litefs: LITEFS_URL is set, but DATABASE_PATH %s is not inside LiteFS's mount: this node would "+
			"keep a database of its own; set it to a file in fuse.dir of litefs.yml", path)
	}
	if _, err := os.Lstat(filepath.Join(dir, lagFile)); err != nil {
		return fmt.Errorf("litefs: LITEFS_URL is set, but the FUSE mount of DATABASE_PATH %s is not LiteFS's root: %w", path,
			err)
	}
	return nil
}
