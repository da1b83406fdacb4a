package web_test

import (
	"testing"
	"time"

	"blog/internal/repo"
	"blog/web"
)

// TestRowsWaitedForInVainAreBounded: the memory for such rows is bounded, however many there are,
// and has the newest.
func TestRowsWaitedForInVainAreBounded(t *testing.T) {
	t.Parallel()
	var a web.Absent
	feed, now := repo.Cursor{Seq: 1}, start()
	for i := range int64(10_000) {
		c := repo.Cursor{Seq: i + 2}
		a.Note(c, feed, now)
		if !a.Known(c, feed, now) {
			t.Fatalf("row %d: got it unknown, want it known when it is noted", c.Seq)
		}
		if a.Known(c, feed, now.Add(10*time.Second)) {
			t.Fatalf("row %d: got it known 10 s later, want it unknown", c.Seq)
		}
	}
	if a.Len() > 1_000 {
		t.Errorf("got %d rows that are remembered, want at most 1,000", a.Len())
	}
	moved := repo.Cursor{Seq: 2}
	a.Note(repo.Cursor{Seq: 5}, moved, now)
	if a.Len() != 1 {
		t.Errorf("%d rows are remembered of a feed that has moved, want 1", a.Len())
	}
}
