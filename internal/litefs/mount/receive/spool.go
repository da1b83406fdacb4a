//go:build linux

package receive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// folder is the spool's name in data.dir. Nothing in it outlives the process.
	folder = "received"
	// inMemory is the size up to which a payload is held in memory.
	inMemory = 1 << 20
	// reserve is the space that stays free on the disk of data.dir.
	reserve = 256 << 20
	// shortageLimit is how long the primary is not asked again for a frame that the disk has no room for.
	shortageLimit = 10 * time.Second
)

// ErrNoRoom says that a frame is too large for the disk of data.dir, of which 256 MB stay free.
var ErrNoRoom = errors.New("the disk of data.dir has no room")

// spool is the folder of the payloads that are too large for memory. Its files are never synced: they are worth nothing
// after a crash, and LiteFS syncs its own copy before it applies it.
type spool struct {
	dataDir string
	memory  int64
	free    func(dir string) (int64, error)

	mu    sync.Mutex
	made  int       // files so far
	short int64     // the free space that the frame needed which there was no room for; 0: there was none
	since time.Time // when
}

// newSpool makes an empty folder in dataDir.
func newSpool(dataDir string) (*spool, error) {
	s := &spool{dataDir: dataDir, memory: inMemory, free: freeSpace}
	const private = 0o700
	if err := errors.Join(os.RemoveAll(s.dir()), os.MkdirAll(s.dir(), private)); err != nil {
		return nil, fmt.Errorf("empty the folder of received frames: %w", err)
	}
	return s, nil
}

func (s *spool) dir() string { return filepath.Join(s.dataDir, folder) }

// create makes a file of a new name.
func (s *spool) create() (*os.File, error) {
	s.mu.Lock()
	s.made++
	name := strconv.Itoa(s.made) + ".ltx"
	s.mu.Unlock()
	const private = 0o600
	path := filepath.Join(s.dir(), name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, private) //nolint:gosec // a number in our own folder
	if err != nil {
		return nil, fmt.Errorf("make a file for a received frame: %w", err)
	}
	return f, nil
}

// databaseSize returns how large the replica's copy of the database is now; 0 where there is none.
func (s *spool) databaseSize(name string) int64 {
	info, err := os.Stat(filepath.Join(s.dataDir, "dbs", name, "database"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// freeSpace returns how many bytes of dir's file system a process without privileges may still write.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("the free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Frsize, nil //nolint:gosec // no disk has 2^63 blocks
}

// checkRoom fails with ErrNoRoom if a frame of the database name, which takes need bytes more, leaves less than the
// reserve.
func (s *spool) checkRoom(name string, need int64) error {
	free, err := s.free(s.dataDir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.short = 0; free >= need+reserve {
		return nil
	}
	s.short, s.since = need+reserve, time.Now()
	return noRoom("a frame of "+name, need, free)
}

func noRoom(what string, need, free int64) error {
	const mb = 1 << 20
	return fmt.Errorf("%w for %s: it needs %d MB, %d MB stay free, and %d MB are free now",
		ErrNoRoom, what, (need+mb-1)/mb, reserve/mb, free/mb)
}

// checkShortage fails with ErrNoRoom if a frame had no room in the last 10 s and the disk has not got more since. The
// primary would send the frame again for nothing. After that time another primary, or a later image, may need less.
func (s *spool) checkShortage() error {
	s.mu.Lock()
	short, since := s.short, s.since
	s.mu.Unlock()
	if short == 0 || time.Since(since) >= shortageLimit {
		return nil
	}
	free, err := s.free(s.dataDir)
	if err != nil || free >= short {
		return err
	}
	return noRoom("the next frame", short-reserve, free)
}
