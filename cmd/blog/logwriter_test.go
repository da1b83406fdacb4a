package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pausedLog is a log whose reader does not read until goOn is closed.
type pausedLog struct {
	goOn chan struct{}
	text bytes.Buffer
}

func (l *pausedLog) Write(p []byte) (int, error) {
	<-l.goOn
	return l.text.Write(p)
}

// TestLogWriter, in a bubble of synctest: what is written is in the log when the write has returned.
func TestLogWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &pausedLog{goOn: make(chan struct{})}
		close(log.goOn)
		w := newLogWriter(log)
		defer close(w.writes)
		for i := range 3 {
			line := []byte(fmt.Sprintln("line", i))
			if n, err := w.Write(line); n != len(line) || err != nil {
				t.Errorf("got %d and %v, want %d and no error", n, err, len(line))
			}
			clear(line) // it is the caller's
		}
		if diff := cmp.Diff("line 0\nline 1\nline 2\n", log.text.String()); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

// TestLogThatNobodyReads, in a bubble of synctest: one write waits for logLimit and those after it do not. What was
// kept is written once somebody reads, and what was dropped is counted there. Then writes wait again.
func TestLogThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &pausedLog{goOn: make(chan struct{})}
		w := newLogWriter(log)
		defer close(w.writes)
		const lost = 5
		began := time.Now()
		for i := range maxLogWrites + 1 + lost { // one of them is being written
			_, _ = fmt.Fprintln(w, "line", i)
		}
		if got := time.Since(began); got != logLimit {
			t.Errorf("got %s for all writes, want %s", got, logLimit)
		}
		close(log.goOn)
		synctest.Wait()
		lines := strings.Split(strings.TrimSuffix(log.text.String(), "\n"), "\n")
		if got, want := len(lines), maxLogWrites+2; got != want {
			t.Fatalf("got %d lines, want %d", got, want)
		}
		want := []string{
			"line 0", fmt.Sprint("line ", maxLogWrites),
			fmt.Sprintf("blog: %d lines are lost: nobody read them", lost),
		}
		if diff := cmp.Diff(want, []string{lines[0], lines[maxLogWrites], lines[maxLogWrites+1]}); diff != "" {
			t.Errorf("the first line and the last two (-want +got):\n%s", diff)
		}
		log.goOn = make(chan struct{})
		began = time.Now()
		_, _ = fmt.Fprintln(w, "again")
		if got := time.Since(began); got != logLimit {
			t.Errorf("got %s for a write that nobody reads again, want %s", got, logLimit)
		}
		close(log.goOn)
		synctest.Wait()
	})
}

// TestServerWhoseOutputNobodyReads, in a bubble of synctest: who writes to both outputs of a server, and to flush them
// at its end, waits for a bounded time.
func TestServerWhoseOutputNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, log := &pausedLog{goOn: make(chan struct{})}, &pausedLog{goOn: make(chan struct{})}
		s := &session{out: out, err: log}
		s.bufferOutput()
		began := time.Now()
		for range 10 {
			s.say("The blog is at %s", "http://localhost:4000")
			_, _ = fmt.Fprintln(s.err, "a line")
		}
		if got, want := time.Since(began), 2*logLimit; got != want {
			t.Errorf("got %s for all lines, want %s", got, want)
		}
		began = time.Now()
		s.flush()
		if got, want := time.Since(began), 2*flushLimit; got != want {
			t.Errorf("got %s for the flush, want %s", got, want)
		}
		close(out.goOn)
		close(log.goOn)
		s.flush()
		if got := strings.Count(log.text.String(), "a line\n"); got != 10 {
			t.Errorf("got %d lines once somebody reads, want 10:\n%s", got, &log.text)
		}
		if got := strings.Count(out.text.String(), "The blog is at"); got != 10 {
			t.Errorf("got %d lines on standard output, want 10:\n%s", got, &out.text)
		}
		close(s.out.(*logWriter).writes)
		close(s.err.(*logWriter).writes)
	})
}
