package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// logLimit is how long a write waits for who reads it. A lease that runs out is given up a tenth of a second early,
	// and LiteFS writes a line before it lets go.
	logLimit = 20 * time.Millisecond
	// flushLimit is how long a process that ends waits for who reads what it has written.
	flushLimit = time.Second
	// maxLogWrites is how many writes are kept for a reader that does not read.
	maxLogWrites = 1000
)

// logWriter writes to a log, or to standard output, whose reader may stop reading, as a container's log driver does
// whose own disk hangs. A write returns when it is written, and after logLimit at the latest: otherwise a server whose
// log nobody reads could neither serve, nor give up its lease, nor end. Once a write has waited in vain, later ones
// wait no more until the reader reads again. Those beyond maxLogWrites are dropped and counted.
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

// flush waits until everything is written, and no longer than flushLimit.
func (w *logWriter) flush() {
	last := logWrite{nil, make(chan struct{})}
	limit := time.NewTimer(flushLimit)
	defer limit.Stop()
	select {
	case w.writes <- last:
	case <-limit.C:
		return
	}
	select {
	case <-last.done:
	case <-limit.C:
	}
}

// bufferOutput makes the session's outputs those of a server, which wait for no reader.
func (s *session) bufferOutput() {
	out, err := newLogWriter(s.out), newLogWriter(s.err)
	s.out, s.err = out, err
	s.flush = func() { out.flush(); err.flush() }
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
		if one.text != nil {
			_, _ = w.to.Write(one.text) // nobody could be told
		}
		close(one.done)
		if len(w.writes) > 0 {
			continue
		}
		w.stalled.Store(false)
		if n := w.dropped.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(w.to, "blog: %d lines are lost: nobody read them\n", n)
		}
	}
}
