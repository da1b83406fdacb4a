package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
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
// wait no more until the reader reads again, and is quick. Those beyond maxLogWrites are dropped and counted.
type logWriter struct {
	to      io.Writer
	writes  chan logWrite
	dropped atomic.Int64

	mu      sync.Mutex
	stalled bool // the reader does not read, or is slow
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

// serverOutput makes the session's outputs those of a server, whose readers may go, or stop reading. A reader that
// has gone ends a program by SIGPIPE, and a server it must not: a primary would hold its lease until that runs out. A
// signal that is received, unlike one that is ignored, is as usual in a child.
func (s *session) serverOutput() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	s.bufferOutput()
}

// bufferOutput makes the session's outputs wait for no reader.
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
	if w.isStalled() {
		return len(p), nil
	}
	limit := time.NewTimer(logLimit)
	defer limit.Stop()
	select {
	case <-one.done:
	case <-limit.C:
		w.gaveUp(one)
	}
	return len(p), nil
}

func (w *logWriter) isStalled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stalled
}

// gaveUp notes that a write has waited in vain, unless it is written just now.
func (w *logWriter) gaveUp(one logWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-one.done:
	default:
		w.stalled = true
	}
}

func (w *logWriter) run() {
	for one := range w.writes {
		began := time.Now()
		if one.text != nil {
			_, _ = w.to.Write(one.text) // nobody could be told
		}
		last := len(w.writes) == 0
		if n := w.lost(last); n > 0 { // before who flushes goes on
			_, _ = fmt.Fprintf(w.to, "blog: %d lines are lost: nobody read them\n", n)
		}
		w.written(one, last && time.Since(began) < logLimit)
	}
}

// lost returns how many writes were dropped that the log has not been told of: with the last one that waited.
func (w *logWriter) lost(last bool) int64 {
	if !last {
		return 0
	}
	return w.dropped.Swap(0)
}

// written notes that one is written. When it was the last one and quick, the reader reads as it should.
func (w *logWriter) written(one logWrite, reads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = w.stalled && !reads
	close(one.done)
}
