package compose

import (
	"fmt"
	"strings"
	"time"
)

// laps are the parts of a run, in their order, and how long each took. They are for people, who want to know where a
// storm's time goes: nothing is decided by them.
type laps struct {
	began time.Time
	start time.Time // of the part that has not ended
	texts []string
}

// newLaps begins the first part.
func newLaps() *laps {
	now := time.Now()
	return &laps{began: now, start: now}
}

// end ends a part, and begins the next one.
func (l *laps) end(part string) {
	now := time.Now()
	l.texts = append(l.texts, fmt.Sprintf("%s %.1f s", part, now.Sub(l.start).Seconds()))
	l.start = now
}

// String returns the parts, and the whole.
func (l *laps) String() string {
	return fmt.Sprintf("%.1f s: %s", l.start.Sub(l.began).Seconds(), strings.Join(l.texts, ", "))
}

// after waits until the cluster is whole again, runs all checks, and prints how long each part of the run of a fault
// took.
func (s *Storm) after(f *spell, fault string, l *laps) {
	f.tb.Helper()
	s.begin("after " + fault)
	f.whole()
	l.end("whole again")
	s.awaitChanges(f.tb)
	s.hush(f.tb)
	l.end("quiet")
	start := s.Ledger.Now()
	copies := s.awaitCopies(f.tb)
	l.end("copies")
	s.check(f.tb, copies, start)
	l.end("checks")
	f.tb.Logf("%s took %s", fault, l)
}
