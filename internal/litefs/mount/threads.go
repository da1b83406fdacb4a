//go:build linux

package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A child that has ended but for threads that cannot is given up after maxLeft checks in a row. Checks are counted and
// not seconds: after a time in which everything was frozen the threads have had no time to end.
const (
	leftEvery = time.Second
	maxLeft   = 5
)

// errThreadLeft says that a child has ended, and that nobody can wait for its end: a thread of it is in a call to the
// kernel that nothing interrupts, such as one to a file system whose disk does not answer.
var errThreadLeft = errors.New("it has ended, but for a thread that waits for a file system that does not answer")

// hasEndedButIsLeft reports whether each thread of a process is dead, is about to end, or has a SIGKILL pending, which
// the end of a process sends to all its threads. A thread that runs has none for longer than a moment. It reports false
// where the system does not say.
func hasEndedButIsLeft(pid int) bool { return threadsAreEnding(fmt.Sprintf("/proc/%d/task", pid)) }

// threadsAreEnding is hasEndedButIsLeft of the process whose threads are in a folder of the system's.
func threadsAreEnding(folder string) bool {
	stats, err := filepath.Glob(filepath.Join(folder, "*", "stat"))
	if err != nil || len(stats) == 0 {
		return false
	}
	read := false
	for _, path := range stats {
		text, err := os.ReadFile(path) // #nosec G304 -- it is the system's
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended meanwhile
		}
		if err != nil || !isEnding(string(text)) {
			return false
		}
		read = true
	}
	return read
}

// isEnding reports whether a thread is dead, is about to end, or has a SIGKILL pending. stat is its file of that name
// (proc_pid_stat(5)).
func isEnding(stat string) bool {
	const (
		state   = 0  // of the fields after the name
		flags   = 6  // decimal
		pending = 28 // signals, of this thread: a bitmap, decimal
		exiting = 0x4
		killed  = 1 << (syscall.SIGKILL - 1)
	)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // a name may have anything in it
	if len(fields) <= pending {
		return false
	}
	has := func(field int, bit uint64) bool {
		n, err := strconv.ParseUint(fields[field], 10, 64)
		return err == nil && n&bit != 0
	}
	return strings.Contains("ZXx", fields[state]) || has(flags, exiting) || has(pending, killed)
}
