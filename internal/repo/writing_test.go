package repo_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestCommitsFail: at least three, over the whole limit.
func TestCommitsFail(t *testing.T) {
	const limit = 20 * time.Second
	start := time.Now()
	for _, c := range []struct {
		failed int
		after  time.Duration
		want   bool
	}{
		{0, time.Hour, false}, {2, time.Hour, false},
		{3, limit - 1, false}, {3, limit, true}, {1000, limit - 1, false}, {1000, limit, true},
	} {
		w := repo.Writing{Failed: c.failed, Since: start}
		if got := w.CommitsFail(start.Add(c.after), limit); got != c.want {
			t.Errorf("%d in %s: %t, want %v", c.failed, c.after, got, c.want)
		}
	}
}

// TestWhatIsSeenOfCommits: those that fail one after the other are counted, whatever begins between them. A full disk,
// a command's own fault and a role that is over are not among them.
func TestWhatIsSeenOfCommits(t *testing.T) {
	p := MustPair(t)
	was := p.a.Writing()
	if was.State != repo.WriteFit || was.Seen.IsZero() {
		t.Errorf("before the first write: %+v, want State %v and a time", was, repo.WriteFit)
	}
	fails := func(code sqlite3.ErrNo, with func()) func(tx *sql.Tx) error {
		return func(tx *sql.Tx) error {
			with()
			return errors.Join(tx.Rollback(), sqlite3.Error{Code: code, ExtendedCode: sqlite3.ErrNoExtended(code)})
		}
	}
	nothing := func() {}
	var since time.Time
	for i, step := range []struct {
		commit func(tx *sql.Tx) error
		state  repo.WriteState
		failed int
	}{
		{(*sql.Tx).Commit, repo.WriteFit, 0},
		{fails(sqlite3.ErrBusy, nothing), repo.WriteFailing, 1},
		{fails(sqlite3.ErrIoErr, nothing), repo.WriteFailing, 2},
		{fails(sqlite3.ErrConstraint, nothing), repo.WriteFailing, 2},
		{fails(sqlite3.ErrFull, nothing), repo.WriteDiskFull, 2},
		{fails(sqlite3.ErrBusy, nothing), repo.WriteFailing, 3},
		{(*sql.Tx).Commit, repo.WriteFit, 0},
		{fails(sqlite3.ErrConstraint, nothing), repo.WriteFit, 0},
		{fails(sqlite3.ErrFull, nothing), repo.WriteDiskFull, 0},
		{fails(sqlite3.ErrBusy, nothing), repo.WriteFailing, 1},
		{fails(sqlite3.ErrIoErr, func() { p.nodeA.Set(repotest.Unknown()) }), repo.WriteNowhere, 0},
	} {
		p.a.SetCommit(step.commit)
		call := &repo.Call{
			Name: "items.put", Key: fmt.Sprint("k", i), Actor: repo.Actor{Name: repo.Operator},
			Body: []byte(`{"item":"a"}`), Deadline: time.Now().Add(time.Minute),
		}
		_ = p.a.SuperCall(t.Context(), call)            // what came of it is seen below
		if err := p.a.Canary(t.Context()); err != nil { // it can begin a transaction
			t.Error(err)
		}
		w := p.a.Writing()
		if w.State != step.state || w.Failed != step.failed || w.Seen.Before(was.Seen) {
			t.Errorf("step %d: %+v, want %s and %d", i, w, step.state, step.failed)
		}
		if bad := step.state == repo.WriteFailing || step.state == repo.WriteDiskFull; bad != (w.Err != nil) {
			t.Errorf("step %d: its error is %v", i, w.Err)
		}
		if w.Failed > 1 && !w.Since.Equal(since) {
			t.Errorf("step %d: they fail since %s, and did since %s", i, w.Since, since)
		}
		was, since = w, w.Since
	}
	if n := p.a.CommitsFailed(); n != 6 {
		t.Errorf("%d COMMITs are counted in all, want 6 of this node's own", n)
	}
	p.a.SetCommit((*sql.Tx).Commit)
	p.nodeA.Set(repotest.Primary())
	repotest.Eventually(t, patience, "a new term begins", func() bool { return p.a.Writing().State == repo.WriteFit })
	if w := p.a.Writing(); w.Failed != 0 {
		t.Errorf("a new term begins with %+v, want Failed 0", w)
	}
	MustPut(t, p.a, "in a new term")
}

// TestBatchInWhichNothingCouldBeWritten: it counts as a COMMIT that has failed, and a batch that had nothing to write
// says nothing. The transaction begins each time, and SQLite refuses its first statement that writes.
func TestBatchInWhichNothingCouldBeWritten(t *testing.T) {
	p := MustPair(t)
	call := func(name, body string) func(key string) error {
		return func(key string) error {
			if _, err := p.a.Super(operator(), name, key, []byte(body)); err == nil {
				return errors.New("it was carried out")
			}
			return nil
		}
	}
	unwritten := call("items.fail", `{"how":"io"}`)
	large := call("items.put", `{"item":"a","value":"`+strings.Repeat("x", 100_000)+`"}`)
	for i, step := range []struct {
		do     func(key string) error
		state  repo.WriteState
		failed int
	}{
		{unwritten, repo.WriteFailing, 1},
		{unwritten, repo.WriteFailing, 2},
		{call("items.put", `{"item":""}`), repo.WriteFailing, 2}, // refused before it writes
		{call("items.fail", `{"how":"conflict"}`), repo.WriteFailing, 2},
		{unwritten, repo.WriteFailing, 3},
		{func(string) error { MustPut(t, p.a, "written"); return nil }, repo.WriteFit, 0},
		{func(key string) error {
			return errors.Join(p.a.ExecOnWriter(t.Context(), "PRAGMA max_page_count = 1"), large(key))
		}, repo.WriteDiskFull, 0},
		{unwritten, repo.WriteFailing, 1},
	} {
		if err := step.do(fmt.Sprint("k", i)); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		if err := p.a.Canary(t.Context()); err != nil { // it can begin a transaction
			t.Error(err)
		}
		if w := p.a.Writing(); w.State != step.state || w.Failed != step.failed {
			t.Errorf("step %d: %+v, want %s and %d", i, w, step.state, step.failed)
		}
	}
}
