//go:build faultclock

package clock_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blog/internal/clock"
)

// TestFaultFile runs in a build with the tag alone: TestFaultsAreInNoOrdinaryBuild calls
// it.
func TestFaultFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	t.Setenv("BLOG_FAULT_CLOCK", path)
	fault := func(lines string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := clock.Machine()
	first := read()
	if off := time.Until(first.Wall).Abs(); off > time.Minute {
		t.Errorf("without a file: %v off, want at most %v", off, time.Minute)
	}
	fault("wall 87600h\n")
	if ahead := time.Until(read().Wall); ahead < 87599*time.Hour {
		t.Errorf("the wall clock is %v ahead, want at least %v", ahead, 87599*time.Hour)
	}
	fault("stop mono\nwall -1h\n")
	stopped := read()
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
		if r := read(); r.Mono != stopped.Mono || time.Since(r.Wall) < 59*time.Minute {
			t.Fatalf("got %+v, first %+v, want Mono %v and at least %v", r, stopped, stopped.Mono, 59*time.Minute)
		}
	}
	fault("")
	if r := read(); r.Mono < stopped.Mono || r.Mono > stopped.Mono+10*time.Second {
		t.Errorf("let go: %v after %v, want at least %v and at most %v", r.Mono, stopped.Mono, stopped.Mono,
			stopped.Mono+10*time.Second)
	}
	before := read.Elapsed()
	fault("mono 30s\n")
	after := read.Elapsed()
	if jumped := after - before; jumped < 30*time.Second {
		t.Errorf("jumped on by %v, want at least %v", jumped, 30*time.Second)
	}
	fault("")
	if again := read.Elapsed(); again < after {
		t.Errorf("back from %v to %v", after, again)
	}
}
