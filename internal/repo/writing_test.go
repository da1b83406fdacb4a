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

// TestCommitsFail: at least three, over the whole limit, or a step that has not returned for as long, and for longer
// than any step takes.
func TestCommitsFail(t *testing.T) {
	const limit, short = 30 * time.Second, 5 * time.Second
	start := time.Now()
	for _, c := range []struct {
		failed int
		hangs  bool
		limit  time.Duration
		after  time.Duration
		want   string
	}{
		{0, false, limit, time.Hour, ""},
		{2, false, limit, time.Hour, ""},
		{3, false, limit, limit - 1, ""},
		{3, false, limit, limit, "3 commits in a row have failed"},
		{1000, false, limit, limit - 1, ""},
		{1000, false, limit, limit, "1000 commits in a row have failed"},
		{0, true, limit, limit - 1, ""},
		{0, true, limit, limit, "a write has not returned for 30s: the disk below this node's database may hang"},
		{2, true, limit, limit + 1500*time.Millisecond, "a write has not returned for 31s"},
		{0, true, short, repo.StepLimit - 1, ""},
		{0, true, short, repo.StepLimit, "a write has not returned for 20s"},
	} {
		w := repo.Writing{Failed: c.failed, Since: start}
		if c.hangs {
			w.Pending = start
		}
		err, got := w.Failure(start.Add(c.after), c.limit), ""
		if err != nil {
			got = err.Error()
		}
		fails := c.want != ""
		if failed := err != nil; failed != fails {
			t.Errorf("%+v: got the failure %v, want one: %t", c, err, fails)
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: got the failure %q, want %q at its beginning", c, got, c.want)
		}
		want := c.hangs && fails
		if hangs := w.Hangs(start.Add(c.after), c.limit); hangs != want {
			t.Errorf("%+v: a step hangs: %t, want %t", c, hangs, want)
		}
	}
}

// TestWhatIsSeenOfCommits: those that fail one after the other are counted, whatever begins between them. A full disk,
// a command's own fault and a role that is over are not among them.
func TestWhatIsSeenOfCommits(t *testing.T) {
	p := MustPair(t)
	was := p.a.Writing()
	if was.State != repo.WriteFit {
		t.Errorf("before the first write: got state %s, want %s", was.State, repo.WriteFit)
	}
	if was.Seen.IsZero() {
		t.Errorf("before the first write: got %+v, want a time", was)
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
		expectWriting(t, i, w, step.state, step.failed)
		if w.Seen.Before(was.Seen) {
			t.Errorf("step %d: seen at %s, want it not before %s", i, w.Seen, was.Seen)
		}
		bad := step.state == repo.WriteFailing || step.state == repo.WriteDiskFull
		if failed := w.Err != nil; failed != bad {
			t.Errorf("step %d: got the error %v, want one: %t", i, w.Err, bad)
		}
		if w.Failed > 1 {
			if !w.Since.Equal(since) {
				t.Errorf("step %d: they fail since %s, want since %s, as before", i, w.Since, since)
			}
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

// expectWriting compares what is seen after a step with a state and with how many commits have failed.
func expectWriting(t *testing.T, step int, w repo.Writing, state repo.WriteState, failed int) {
	t.Helper()
	if w.State != state {
		t.Errorf("step %d: got state %s, want %s: %+v", step, w.State, state, w)
	}
	if w.Failed != failed {
		t.Errorf("step %d: got %d that have failed, want %d: %+v", step, w.Failed, failed, w)
	}
}

// TestBatchInWhichNothingCouldBeWritten: it counts as a COMMIT that has failed, and a batch that had nothing to write
// says nothing. The transaction begins each time, and SQLite refuses its first statement that writes.
func TestBatchInWhichNothingCouldBeWritten(t *testing.T) {
	p := MustPair(t)
	call := func(name, body string) func(key string) error {
		return func(key string) error {
			if _, err := p.a.Super(operator(), name, key, []byte(body)); err == nil {
				return errors.New("it was carried out, want an error")
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
			t.Errorf("step %d: got %v, want no error", i, err)
		}
		if err := p.a.Canary(t.Context()); err != nil { // it can begin a transaction
			t.Error(err)
		}
		expectWriting(t, i, p.a.Writing(), step.state, step.failed)
	}
}
