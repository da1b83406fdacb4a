package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// clockReset is the answer of `blog clock reset`.
type clockReset struct {
	Key    string      `json:"key"`
	Seq    int64       `json:"seq"`
	Was    time.Time   `json:"was"`
	Now    time.Time   `json:"now"`
	Writes int64       `json:"writes"`
	Posts  []earlyPost `json:"posts"`
}

// earlyPost is a post that is out too early.
type earlyPost struct {
	Slug string `json:"slug"`
}

// TestClockReset: the command sets dates back to now, with and without a server, and lists the
// posts that are published before their date.
func TestClockReset(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	for _, title := range []string{"Early", "Other"} {
		w.must(t, "post", "new", "--title", title)
	}
	database := filepath.Join(w.dir, "blog.db")
	ahead := time.Now().AddDate(10, 0, 0)
	spoil := func() {
		t.Helper()
		repotest.MustExec(t, database,
			"UPDATE writes SET at = ? WHERE seq = (SELECT MAX(seq) FROM writes)", repo.FormatTime(ahead))
	}
	spoil()
	repotest.MustExec(t, database, "UPDATE posts SET published_at = ? WHERE slug = 'early'", repo.FormatTime(ahead))
	out := w.must(t, "clock", "reset")
	for _, want := range []string{"Writes are dated by the clock", "early  Early"} {
		if !strings.Contains(out, want) {
			t.Errorf("got %s, want %q in it", out, want)
		}
	}
	if strings.Contains(out, "Other") {
		t.Errorf("got %s, want it without %q, which is not out too early", out, "Other")
	}

	spoil()
	s := w.mustServe(t)
	got := mustJSON[clockReset](t, w, "clock", "reset", "--key", "again")
	want := clockReset{Key: "again", Seq: got.Seq, Was: got.Was, Now: got.Now, Writes: 1, Posts: []earlyPost{{"early"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if off := time.Since(got.Now).Abs(); off > time.Hour {
		t.Errorf("got the time %v, which is %v off, want at most an hour", got.Now, off)
	}
	if got.Was.Before(got.Now) {
		t.Errorf("got the time before %v, want none earlier than %v", got.Was, got.Now)
	}
	again := mustJSON[clockReset](t, w, "clock", "reset", "--key", "again")
	if again.Seq != got.Seq {
		t.Errorf("the same key: got the row %d, want %d", again.Seq, got.Seq)
	}
	if !again.Now.Equal(got.Now) {
		t.Errorf("the same key: got the time %v, want %v", again.Now, got.Now)
	}
	if o := mustJSON[struct {
		Problem string `json:"problem"`
	}](t, w, "status"); o.Problem != "" {
		t.Errorf("the status says %q, want no problem", o.Problem)
	}
	s.mustStop(t, syscall.SIGTERM)
}
