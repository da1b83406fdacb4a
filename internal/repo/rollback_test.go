package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// deleteFailed is what SQLite says when LiteFS does not take the end of a transaction.
var deleteFailed = sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrDelete}

// TestCommitThatFails: where the disk is full the row itself says what has become of it, and the author is told. Where it
// is not the role may be in doubt, and the same call is made again; as for a plain file, in whose log more may be than is seen.
func TestCommitThatFails(t *testing.T) {
	const little, plenty = 4096, 1 << 30
	undone := func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), deleteFailed) }
	done := func(tx *sql.Tx) error { return errors.Join(tx.Commit(), deleteFailed) }
	full := func(tx *sql.Tx) error {
		return errors.Join(tx.Rollback(), sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: sqlite3.ErrNoExtended(sqlite3.ErrFull)})
	}
	for name, c := range map[string]struct {
		commit func(tx *sql.Tx) error
		free   uint64
		plain  bool
		reason string // "" for done
		again  bool   // the same call is made again
	}{
		"undone, no room":         {undone, little, false, repo.DiskFull, false},
		"undone, with room":       {undone, plenty, false, repo.OutcomeUnknown, true},
		"done, no room":           {done, little, false, "", false},
		"done, with room":         {done, plenty, false, "", false},
		"SQLite says it is full":  {full, plenty, false, repo.DiskFull, false},
		"a plain file, no room":   {undone, little, true, repo.OutcomeUnknown, true},
		"a plain file, with room": {undone, plenty, true, repo.OutcomeUnknown, true},
		"a plain file, done":      {done, little, true, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewSeat(repotest.Primary()))
			o.LiteFS = !c.plain
			r := repotest.MustOpen(t, o)
			before := MustPut(t, r, "before")
			r.SetFree(c.free)
			tries := 0
			r.SetCommit(func(tx *sql.Tx) error { tries++; return c.commit(tx) })
			_, receipt, err := repo.Do(within(t, 300*time.Millisecond), r, put{Item: "a"}, repo.WithKey("k"))
			rows := MustCount(t, r, "SELECT COUNT(*) FROM items WHERE name = 'a'")
			if c.reason == "" {
				if err != nil || receipt.Seq != before.Seq+1 || receipt.Replayed != c.again || tries != 1 || rows != 1 {
					t.Errorf("got %+v, %v after %d tries, want done", receipt, err, tries)
				}
				return
			}
			if !repo.HasReason(err, c.reason) || (tries > 1) != c.again || rows != 0 {
				t.Errorf("got %v after %d tries, with %d rows, want %s", err, tries, rows, c.reason)
			}
			r.SetCommit((*sql.Tx).Commit)
			if _, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("k")); err != nil || receipt.Replayed {
				t.Errorf("the key afterwards: %+v, %v", receipt, err)
			}
		})
	}
}

// TestCommitThatFailsAsTheRoleDoes: neither that a row is there nor that it is not is anything to tell once the role has
// changed.
func TestCommitThatFailsAsTheRoleDoes(t *testing.T) {
	for name, end := range map[string]func(tx *sql.Tx) error{"undone": (*sql.Tx).Rollback, "done": (*sql.Tx).Commit} {
		t.Run(name, func(t *testing.T) { commitFailsAsTheRoleDoes(t, end) })
	}
}

func commitFailsAsTheRoleDoes(t *testing.T, end func(tx *sql.Tx) error) {
	t.Helper()
	seat := repotest.NewSeat(repotest.Primary())
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), seat)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	MustPut(t, r, "before")
	r.SetFree(4096)
	r.SetCommit(func(tx *sql.Tx) error {
		seat.Set(repotest.Unknown())
		return errors.Join(end(tx), deleteFailed)
	})
	_, err := repo.Write(within(t, 300*time.Millisecond), r, put{Item: "a"}, repo.WithKey("k"))
	if !repo.HasReason(err, repo.OutcomeUnknown) {
		t.Errorf("got %v", err)
	}
}

// MustLeave puts what a transaction that did not come to its end leaves behind into the files of an open database.
func MustLeave(t *testing.T, path string) {
	t.Helper()
	there := filepath.Join(t.TempDir(), "there.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(there, data, 0o600); err != nil { //nolint:gosec // the tests own files
		t.Fatal(err)
	}
	db := repotest.MustRaw(t, there)
	for _, query := range []string{"PRAGMA cache_size = 1", "BEGIN IMMEDIATE"} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 { // more than it keeps in memory
		if _, err := db.ExecContext(t.Context(), "INSERT INTO items (name, value) VALUES (?, ?)", fmt.Sprint("half", i), strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"-journal", ""} { // as SQLite writes them
		data, err := os.ReadFile(there + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, data, 0o600); err != nil { //nolint:gosec // the tests own files
			t.Fatal(err)
		}
	}
}

// looking is a Durability that looks at the database before it lets anybody lead.
type looking struct {
	*keeper
	repo *repo.Repo
	mu   sync.Mutex
}

func (l *looking) Lead(ctx context.Context, over <-chan struct{}) (repo.Term, error) {
	l.mu.Lock()
	r := l.repo
	l.mu.Unlock()
	if r == nil {
		return nil, errors.New("not yet")
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	err := r.Look(ctx, func(rd repo.Reader) error { _, err := repo.Newest(ctx, rd); return err })
	if err != nil {
		return nil, err
	}
	return l.keeper.Lead(ctx, over)
}

// TestANewTermAfterATransactionThatDidNotEnd: without a writing connection nobody rolls back, and before that Lead looks
// into the database.
func TestANewTermAfterATransactionThatDidNotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	seat := repotest.NewSeat(repotest.Primary())
	o := options(t, path, seat)
	o.LiteFS = true
	first, err := repo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	MustPut(t, first, "whole")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	seat.Set(repotest.Unknown())
	l := &looking{keeper: &keeper{lasting: 1 << 20}}
	o.Durability = l
	r := repotest.MustOpen(t, o)
	l.mu.Lock()
	l.repo = r
	l.mu.Unlock()
	if n := MustCount(t, r, "SELECT COUNT(*) FROM items"); n != 1 {
		t.Fatalf("%d items at first", n)
	}
	MustLeave(t, path)
	seat.Set(repotest.Primary())
	MustPut(t, r, "next")
	if n := MustCount(t, r, "SELECT COUNT(*) FROM items"); n != 2 {
		t.Errorf("%d items", n)
	}
}

// TestReadsAfterATransactionThatDidNotEnd: who only reads cannot roll it back. A primary does, before its readers have
// their answer; a replica waits for LiteFS to do it.
func TestReadsAfterATransactionThatDidNotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	seat := repotest.NewSeat(repotest.Primary())
	o := options(t, path, seat)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	MustPut(t, r, "whole")
	items := func() int { return MustCount(t, r, "SELECT COUNT(*) FROM items") }
	if n := items(); n != 1 {
		t.Fatalf("%d items at first", n)
	}
	MustLeave(t, path)
	var readers sync.WaitGroup
	for range 5 * repo.ReadConns { // the rollback needs a moment in which none of them looks
		readers.Go(func() {
			if n := items(); n != 1 {
				t.Errorf("%d items on the primary", n)
			}
		})
	}
	readers.Wait()
	if _, err := os.Stat(path + "-journal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal: %v", err)
	}
	MustPut(t, r, "next")

	seat.Set(repotest.Replica("http://primary.example"))
	MustLeave(t, path)
	counted := make(chan int, 1)
	go func() { counted <- items() }()
	select {
	case n := <-counted:
		t.Fatalf("%d items on a replica, with the journal there", n)
	case <-time.After(100 * time.Millisecond):
	}
	repotest.MustExec(t, path, "BEGIN IMMEDIATE; ROLLBACK") // as LiteFS does
	if n := <-counted; n != 2 {
		t.Errorf("%d items on the replica", n)
	}
}
