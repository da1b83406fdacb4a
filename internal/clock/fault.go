//go:build faultclock

package clock

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// faultFile is the environment variable that names the file of a clock's faults. The
// file is read at each reading of the clock; where there is none the clocks are right.
// Its lines:
//
//	wall 87600h   the wall clock is ahead by that much, or behind: -87600h
//	mono 30s      the monotonic clock has jumped on by that much, as over a suspension that it counts; that of package
//	              time, by which timers go, has not
//	stop mono     the monotonic clock stands still from now on, as in a machine that its host has suspended
//	stop wall     so does the wall clock, before what is added to it
//
// A clock that is let go again goes on from where it stood: the time is lost to it. One that has jumped on does not go
// back as long as the process lasts. While the process has no file descriptor to read the file with, what was read last
// holds.
const faultFile = "BLOG_FAULT_CLOCK"

// falsified returns the source with the faults of the file.
func falsified(s Source) Source {
	path := os.Getenv(faultFile)
	if path == "" {
		return s
	}
	f := &faulty{path: path, truth: s}
	return f.read
}

type faulty struct {
	path  string
	truth Source

	mu         sync.Mutex
	last       Reading       // the true one
	mono, wall time.Duration // lost while stopped
	jumped     time.Duration // the furthest that the monotonic clock has jumped on
	said       fileFaults    // as the file said last
}

// fileFaults are what a file says.
type fileFaults struct {
	wall, mono time.Duration // by which the clocks are ahead
	stopped    map[string]bool
}

func (f *faulty) read() Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.truth()
	passed := time.Duration(0)
	if !f.last.Wall.IsZero() {
		passed = r.Mono - f.last.Mono
	}
	f.last = r
	said, err := faults(f.path)
	switch {
	case errors.Is(err, syscall.EMFILE):
	case err != nil:
		panic(err) // a test's mistake, and only a test's program has this
	default:
		f.said = said
	}
	if f.said.stopped["mono"] {
		f.mono += passed
	}
	if f.said.stopped["wall"] {
		f.wall += passed
	}
	f.jumped = max(f.jumped, f.said.mono)
	r.Mono += f.jumped - f.mono
	r.Wall = r.Wall.Add(f.said.wall - f.wall)
	r.Synced = false
	return r
}

func faults(path string) (said fileFaults, err error) {
	said.stopped = map[string]bool{}
	text, err := os.ReadFile(path) // #nosec G304 -- the test names it
	if os.IsNotExist(err) {
		return said, nil
	}
	if err != nil {
		return said, fmt.Errorf("read the clock's faults: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		kind, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch {
		case kind == "":
		case kind == "wall":
			said.wall, err = time.ParseDuration(value)
		case kind == "mono":
			said.mono, err = time.ParseDuration(value)
		case kind == "stop" && (value == "mono" || value == "wall"):
			said.stopped[value] = true
		default:
			err = fmt.Errorf("there is no fault %q", lines.Text())
		}
		if err != nil {
			return said, fmt.Errorf("%s: %w", path, err)
		}
	}
	return said, nil
}
