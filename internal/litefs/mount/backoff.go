//go:build linux

package mount

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blog/internal/backoff"
)

// The pause before a start after n runs that ended soon: 1 s, 2 s, 4 s, ... and at most 30 s.
const (
	startsFile    = "starts"
	steadyAfter   = 10 * time.Second
	shortestPause = time.Second
	longestPause  = 30 * time.Second
)

// starts counts, in a file in data.dir, the consecutive runs that have not lasted. A run counts from its beginning, so
// that one that is killed or panics counts, too. Where the file cannot be written there is no count: the start is
// about to fail for that reason anyway.
type starts struct {
	log    *slog.Logger
	path   string
	steady *time.Timer
}

// awaitStart waits as long as the runs before this one ask for, and counts this one. It returns false when ctx ended
// meanwhile.
func awaitStart(ctx context.Context, dir string, logger *slog.Logger) (*starts, bool) {
	s := &starts{log: logger, path: filepath.Join(dir, startsFile)}
	failed := s.read()
	if pause := pauseAfter(failed); pause > 0 {
		logger.Warn("waiting before the start: the runs before ended soon after theirs", "runs", failed, "wait", pause)
		wait := time.NewTimer(pause)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return nil, false
		}
	}
	s.write(failed + 1)
	s.steady = time.AfterFunc(steadyAfter, s.reset)
	return s, true
}

func pauseAfter(failed int) time.Duration { return backoff.Whole(failed, shortestPause, longestPause) }

// end resets the count when the run ended well or has lasted.
func (s *starts) end(err error) {
	if s.steady.Stop() && err == nil {
		s.reset()
	}
}

func (s *starts) read() int {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

func (s *starts) write(n int) {
	err := os.MkdirAll(filepath.Dir(s.path), 0o750)
	if err == nil {
		err = os.WriteFile(s.path, []byte(strconv.Itoa(n)+"\n"), 0o600)
	}
	if err != nil {
		s.log.Debug("count the starts", "err", err)
	}
}

func (s *starts) reset() {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Debug("count the starts", "err", err)
	}
}
