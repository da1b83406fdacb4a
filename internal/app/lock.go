package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is the error when another process has the lock of the database: a server or a command.
var ErrLocked = errors.New("another process has the database")

// Lock is the exclusive lock beside a plain database. A server holds it while it runs, and writes
// the address of its private listener into the file.
type Lock struct{ f *os.File }

func lockPath(database string) string { return database + ".lock" }

// AcquireLock acquires the lock of the database. It fails with ErrLocked at once when another
// process has it.
func AcquireLock(database string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(database), 0o750); err != nil {
		return nil, fmt.Errorf("folder of the database: %w", err)
	}
	f, err := os.OpenFile(lockPath(database), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // #nosec G115 -- a file descriptor
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(ErrLocked, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return &Lock{f: f}, (&Lock{f: f}).announce("")
}

// lockWait is how long AwaitLock waits for a command that has the lock.
const lockWait = 10 * time.Second

// AwaitLock acquires the lock of the database, and waits up to 10 s for a command that has it. It
// fails with ErrLocked after that, and at once when a server has the lock; Announced then returns
// where the server can be reached.
func AwaitLock(ctx context.Context, database string) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		lock, err := AcquireLock(database)
		if !errors.Is(err, ErrLocked) || Announced(database) != "" {
			return lock, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// announce writes the address of the holder's private listener into the lock's file.
func (l *Lock) announce(base string) error {
	if err := l.f.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := l.f.WriteAt([]byte(base), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// Close releases the lock. It leaves the file: if it removed it, two processes could have locks on
// two files of that name.
func (l *Lock) Close() error {
	return errors.Join(l.announce(""), l.f.Close())
}

// Announced returns the base address of the private listener of the server that has the lock, or ""
// when no address is in the file.
func Announced(database string) string {
	f, err := os.Open(filepath.Clean(lockPath(database)))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	const longest = 300
	text, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
