package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// logLimit is how long a write to the log waits for who reads it.
	logLimit = time.Second
	// maxLogWrites is how many writes are kept for a reader that does not read.
	maxLogWrites = 1000
)

// logWriter writes to a log whose reader may stop reading, as a container's log driver does whose own disk hangs. A
// write returns when it is written, and after logLimit at the latest: otherwise a server whose log nobody reads could
// neither serve nor end. Once a write has waited in vain, later ones wait no more until the reader reads again. Those
// beyond maxLogWrites are dropped and counted.
type logWriter struct {
	to      io.Writer
	writes  chan logWrite
	stalled atomic.Bool
	dropped atomic.Int64
}

type logWrite struct {
	text []byte
	done chan struct{} // closed when it is written
}

// newLogWriter returns a logWriter that writes to a log until the process ends.
func newLogWriter(to io.Writer) *logWriter {
	w := &logWriter{to: to, writes: make(chan logWrite, maxLogWrites)}
	go w.run()
	return w
}

// Write implements io.Writer. It never fails: nobody could be told.
func (w *logWriter) Write(p []byte) (int, error) {
	one := logWrite{bytes.Clone(p), make(chan struct{})} // p is the caller's again once Write has returned
	select {
	case w.writes <- one:
	default:
		w.dropped.Add(1)
		return len(p), nil
	}
	if w.stalled.Load() {
		return len(p), nil
	}
	limit := time.NewTimer(logLimit)
	defer limit.Stop()
	select {
	case <-one.done:
	case <-limit.C:
		w.stalled.Store(true)
	}
	return len(p), nil
}

func (w *logWriter) run() {
	for one := range w.writes {
		_, _ = w.to.Write(one.text) // nobody could be told
		close(one.done)
		if len(w.writes) > 0 {
			continue
		}
		w.stalled.Store(false)
		if n := w.dropped.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(w.to, "blog: %d lines of the log are lost: nobody read them\n", n)
		}
	}
}
