package repotest

import (
	"bytes"
	"log/slog"
	"sync"
)

// Journal is a log, or what a process prints, that the test can read while it is written. The zero value is empty.
type Journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// String is all that has been written so far.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// Text returns a logger that writes everything to the journal, as text.
func (j *Journal) Text() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// JSON returns a logger that writes everything to the journal, as JSON.
func (j *Journal) JSON() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
