package clock_test

import (
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"blog/internal/clock"
)

// TestMachine: the machine's clocks are read, and this machine's are believed.
func TestMachine(t *testing.T) {
	read := clock.Machine()
	first := read()
	if first.Mono <= 0 || time.Since(first.Wall).Abs() > time.Minute {
		t.Errorf("got %+v", first)
	}
	c := clock.OpenPlain(read, slog.New(slog.DiscardHandler))
	if off := time.Since(c.Now()).Abs(); off > time.Minute {
		t.Errorf("the time is %v off, want at most %v", off, time.Minute)
	}
	second := read()
	if second.Mono < first.Mono {
		t.Errorf("back from %v to %v", first.Mono, second.Mono)
	}
	if third := read.Elapsed(); third < second.Mono {
		t.Errorf("elapsed: back from %v to %v", second.Mono, third)
	}
}

// TestFaultsAreInNoOrdinaryBuild: only a build with the tag faultclock has a clock that
// can be set from outside, and there it can be.
func TestFaultsAreInNoOrdinaryBuild(t *testing.T) {
	for tags, with := range map[string]bool{
		"sqlite_fts5": false, "sqlite_fts5,compose": false, "sqlite_fts5,faultclock": true,
	} {
		out := run(t, "list", "-tags", tags, "-f", "{{.GoFiles}}", "blog/internal/clock")
		if strings.Contains(out, "fault.go") != with {
			t.Errorf("with the tags %s: %s, want with %q: %t", tags, out, "fault.go", with)
		}
	}
	out := run(t, "test", "-tags", "faultclock", "-run", "^TestFaultFile$", "-count", "1", "-v", "blog/internal/clock")
	if !strings.Contains(out, "--- PASS: TestFaultFile") {
		t.Errorf("%v, want with %q", out, "--- PASS: TestFaultFile")
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}
