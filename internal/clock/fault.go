//go:build faultclock

package clock

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// faultFile is the environment variable that names the file of a clock's faults. The
// file is read at each reading of the clock; where there is none the clocks are right.
// Its lines:
//
//	wall 87600h   the wall clock is ahead by that much, or behind: -87600h
//	stop mono     the monotonic clock stands still from now on, as in a suspended machine
//	stop wall     so does the wall clock, before what is added to it
//
// A clock that is let go again goes on from where it stood: the time is lost to it.
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
	ahead, stopped, err := faults(f.path)
	if err != nil {
		panic(err) // a test's mistake, and only a test's program has this
	}
	if stopped["mono"] {
		f.mono += passed
	}
	if stopped["wall"] {
		f.wall += passed
	}
	r.Mono -= f.mono
	r.Wall = r.Wall.Add(ahead - f.wall)
	r.Synced = false
	return r
}

func faults(path string) (ahead time.Duration, stopped map[string]bool, err error) {
	stopped = map[string]bool{}
	text, err := os.ReadFile(path) // #nosec G304 -- the test names it
	if os.IsNotExist(err) {
		return 0, stopped, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the clock's faults: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch {
		case word == "":
		case word == "wall":
			if ahead, err = time.ParseDuration(rest); err != nil {
				return 0, nil, fmt.Errorf("%s: %w", path, err)
			}
		case word == "stop" && (rest == "mono" || rest == "wall"):
			stopped[rest] = true
		default:
			return 0, nil, fmt.Errorf("%s: there is no fault %q", path, lines.Text())
		}
	}
	return ahead, stopped, nil
}
