//go:build faultmigration

package migrations

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// faultFile is the environment variable that names a file with one migration more, for tests of a release whose
// migration fails. The base of its name is the migration's name, such as 99999_fault.sql. Whether the file is there is
// found out each time that migrations are listed.
const faultFile = "BLOG_FAULT_MIGRATION"

// Source returns the migrations that a node runs: FS and, while it is there, the file of faultFile.
func Source() fs.FS {
	path := os.Getenv(faultFile)
	if path == "" {
		return FS
	}
	return faulty{FS, path}
}

// faulty is a file system with one file more in its root.
type faulty struct {
	fs.FS
	path string // of that file, on this machine
}

// Open implements fs.FS.
func (f faulty) Open(name string) (fs.File, error) {
	if name == filepath.Base(f.path) {
		return os.Open(f.path)
	}
	return f.FS.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (f faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	if info, err := os.Stat(f.path); err == nil {
		all = append(all, fs.FileInfoToDirEntry(info))
	}
	return all, nil
}
