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

// ErrLocked says that another process has the database: a server, or a command.
var ErrLocked = errors.New("another process has the database")

// Lock is the exclusive lock beside a plain database. A server holds it for as
// long as it runs and writes into it where its private listener is.
type Lock struct{ f *os.File }

func lockPath(database string) string { return database + ".lock" }

// TakeLock takes the lock of the database, or returns ErrLocked at once.
func TakeLock(database string) (*Lock, error) {
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

// lockWait is how long a command that has the database is waited for.
const lockWait = 10 * time.Second

// AwaitLock is TakeLock that waits for a command to end, for 10 s at most.
// ErrLocked comes at once when a server has the database: then Announced says
// where it takes calls.
func AwaitLock(ctx context.Context, database string) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		lock, err := TakeLock(database)
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

// announce writes down where the holder's private listener is.
func (l *Lock) announce(base string) error {
	if err := l.f.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := l.f.WriteAt([]byte(base), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// Close gives the lock back. The file stays: removing it would let two
// processes hold locks on two files of that name.
func (l *Lock) Close() error {
	return errors.Join(l.announce(""), l.f.Close())
}

// Announced returns the base address of the private listener of the server that
// holds the lock, "" when nobody has written one.
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
