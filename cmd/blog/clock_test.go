package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

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
	if !strings.Contains(out, "Writes are dated by the clock") {
		t.Errorf("got %s", out)
	}
	if !strings.Contains(out, "early  Early") || strings.Contains(out, "Other") {
		t.Errorf("the posts that are out too early: %s", out)
	}

	spoil()
	s := w.mustServe(t)
	type answer struct {
		Key    string    `json:"key"`
		Seq    int64     `json:"seq"`
		Was    time.Time `json:"was"`
		Now    time.Time `json:"now"`
		Writes int64     `json:"writes"`
		Posts  []struct {
			Slug string `json:"slug"`
		} `json:"posts"`
	}
	got := mustJSON[answer](t, w, "clock", "reset", "--key", "again")
	if got.Key != "again" || got.Writes != 1 || len(got.Posts) != 1 || got.Posts[0].Slug != "early" {
		t.Errorf("got %+v", got)
	}
	if time.Since(got.Now).Abs() > time.Hour || got.Was.Before(got.Now) {
		t.Errorf("from %v to %v", got.Was, got.Now)
	}
	again := mustJSON[answer](t, w, "clock", "reset", "--key", "again")
	if again.Seq != got.Seq || !again.Now.Equal(got.Now) {
		t.Errorf("the same key: %+v", again)
	}
	if o := mustJSON[struct {
		Problem string `json:"problem"`
	}](t, w, "status"); o.Problem != "" {
		t.Errorf("the status says %q", o.Problem)
	}
	s.mustStop(t, syscall.SIGTERM)
}
