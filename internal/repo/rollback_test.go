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
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/sqlite"
)

// deleteFailed is SQLite's error when LiteFS refuses the end of a transaction.
var deleteFailed = sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrDelete}

// TestCommitThatFails, in bubbles of synctest: on a full disk the row itself shows the outcome, and the author gets it.
// When it is not full the role may be in doubt, and the same call is made again; so on a plain file, whose log may have
// more than is read.
func TestCommitThatFails(t *testing.T) {
	const little, plenty = 4096, 1 << 30
	undone := func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), deleteFailed) }
	done := func(tx *sql.Tx) error { return errors.Join(tx.Commit(), deleteFailed) }
	full := func(tx *sql.Tx) error {
		return errors.Join(tx.Rollback(),
			sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: sqlite3.ErrNoExtended(sqlite3.ErrFull)})
	}
	for name, c := range map[string]struct {
		commit func(tx *sql.Tx) error
		free   uint64
		plain  bool
		reason string // "" for done
		again  bool   // the same call is made again
	}{
		"undone, no room":         {undone, little, false, apperr.DiskFull, false},
		"undone, with room":       {undone, plenty, false, apperr.OutcomeUnknown, true},
		"done, no room":           {done, little, false, "", false},
		"done, with room":         {done, plenty, false, "", false},
		"SQLite says it is full":  {full, plenty, false, apperr.DiskFull, false},
		"a plain file, no room":   {undone, little, true, apperr.OutcomeUnknown, true},
		"a plain file, with room": {undone, plenty, true, apperr.OutcomeUnknown, true},
		"a plain file, done":      {done, little, true, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
				o.LiteFS = !c.plain
				r := repotest.MustOpen(t, o)
				before := MustPut(t, r, "before")
				r.SetFree(c.free)
				tries := 0
				r.SetCommit(func(tx *sql.Tx) error { tries++; return c.commit(tx) })
				_, receipt, err := repo.Do(within(t, 300*time.Millisecond), r, put{Item: "a"}, repo.WithKey("k"))
				wantRows := 0
				if c.reason == "" {
					wantRows = 1
				}
				if rows := MustCount(t, r, "SELECT COUNT(*) FROM items WHERE name = 'a'"); rows != wantRows {
					t.Errorf("got %d items, want %d", rows, wantRows)
				}
				if c.reason == "" {
					expectReplayed(t, "done", receipt, err, c.again)
					if want := before.Seq + 1; receipt.Seq != want {
						t.Errorf("got Seq %d, want %d", receipt.Seq, want)
					}
					if tries != 1 {
						t.Errorf("got %d tries, want 1", tries)
					}
					return
				}
				if !apperr.HasReason(err, c.reason) {
					t.Errorf("got %v, want the reason %s", err, c.reason)
				}
				if again := tries > 1; again != c.again {
					t.Errorf("got %d tries, want more than one: %t", tries, c.again)
				}
				r.SetCommit((*sql.Tx).Commit)
				_, receipt, err = repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("k"))
				expectReplayed(t, "the key afterwards", receipt, err, false)
			})
		})
	}
}

// TestCommitThatFailsAsTheRoleDoes, in bubbles of synctest: neither that a row is there nor that it is not is an answer
// once the role has changed.
func TestCommitThatFailsAsTheRoleDoes(t *testing.T) {
	for name, end := range map[string]func(tx *sql.Tx) error{"undone": (*sql.Tx).Rollback, "done": (*sql.Tx).Commit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { commitFailsAsTheRoleDoes(t, end) })
		})
	}
}

func commitFailsAsTheRoleDoes(t *testing.T, end func(tx *sql.Tx) error) {
	t.Helper()
	node := repotest.NewNode(repotest.Primary())
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	MustPut(t, r, "before")
	r.SetFree(4096)
	r.SetCommit(func(tx *sql.Tx) error {
		node.Set(repotest.Unknown())
		return errors.Join(end(tx), deleteFailed)
	})
	_, err := repo.Write(within(t, 300*time.Millisecond), r, put{Item: "a"}, repo.WithKey("k"))
	if !apperr.HasReason(err, apperr.OutcomeUnknown) {
		t.Errorf("got %v, want the reason %v", err, apperr.OutcomeUnknown)
	}
}

// MustLeave puts the leftover of a transaction that did not end into the files of an open database.
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
	for i := range 200 { // more than SQLite has in memory
		if _, err := db.ExecContext(t.Context(), "INSERT INTO items (name, value) VALUES (?, ?)", fmt.Sprint("half", i),
			strings.Repeat("x", 1000)); err != nil {
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

// readingDurability is a Durability that reads the database before it begins a term.
type readingDurability struct {
	*heldDurability
	repo *repo.Repo
	mu   sync.Mutex
}

func (l *readingDurability) BeginTerm(ctx context.Context, over <-chan struct{}) (repo.Term, error) {
	l.mu.Lock()
	r := l.repo
	l.mu.Unlock()
	if r == nil {
		return nil, errors.New("not yet")
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	err := r.ViewReserved(ctx, func(rd repo.Reader) error { _, err := repo.Newest(ctx, rd); return err })
	if err != nil {
		return nil, err
	}
	return l.heldDurability.BeginTerm(ctx, over)
}

// TestANewTermAfterATransactionThatDidNotEnd: without a writing connection nobody rolls back, and before that BeginTerm
// reads the database.
func TestANewTermAfterATransactionThatDidNotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	node := repotest.NewNode(repotest.Primary())
	o := options(t, path, node)
	o.LiteFS = true
	first, err := repo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	MustPut(t, first, "whole")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	node.Set(repotest.Unknown())
	l := &readingDurability{heldDurability: &heldDurability{lasting: 1 << 20}}
	o.Durability = l
	r := repotest.MustOpen(t, o)
	l.mu.Lock()
	l.repo = r
	l.mu.Unlock()
	if n := MustCount(t, r, "SELECT COUNT(*) FROM items"); n != 1 {
		t.Fatalf("%d items at first, want 1", n)
	}
	MustLeave(t, path)
	node.Set(repotest.Primary())
	MustPut(t, r, "next")
	if n := MustCount(t, r, "SELECT COUNT(*) FROM items"); n != 2 {
		t.Errorf("%d items, want 2", n)
	}
}

// TestReadsAfterATransactionThatDidNotEnd, in a bubble of synctest: a reading connection cannot roll it back. A primary
// does, before its readers have their answer; a replica waits for LiteFS to do it.
func TestReadsAfterATransactionThatDidNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "blog.db")
		node := repotest.NewNode(repotest.Primary())
		o := options(t, path, node)
		o.LiteFS = true
		r := repotest.MustOpen(t, o)
		MustPut(t, r, "whole")
		items := func() int { return MustCount(t, r, "SELECT COUNT(*) FROM items") }
		if n := items(); n != 1 {
			t.Fatalf("%d items at first, want 1", n)
		}
		MustLeave(t, path)
		var readers sync.WaitGroup
		for range 5 * sqlite.ReadConns { // the rollback needs a moment in which none of them reads
			readers.Go(func() {
				if n := items(); n != 1 {
					t.Errorf("%d items on the primary, want 1", n)
				}
			})
		}
		readers.Wait()
		if _, err := os.Stat(path + "-journal"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the journal: got %v, want %v", err, os.ErrNotExist)
		}
		MustPut(t, r, "next")

		node.Set(repotest.Replica("http://primary.example"))
		MustLeave(t, path)
		counted := make(chan int, 1)
		go func() { counted <- items() }()
		time.Sleep(time.Second) // it has tried many times
		mustStillWait(t, counted, "items on a replica, with the journal there")
		repotest.MustExec(t, path, "BEGIN IMMEDIATE; ROLLBACK") // as LiteFS does
		if n := <-counted; n != 2 {
			t.Errorf("%d items on the replica, want 2", n)
		}
	})
}
