package repo_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// deleteFailed is what SQLite says when LiteFS does not take the end of a transaction.
var deleteFailed = sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrDelete}

// TestCommitThatFails: where the disk is full the row itself says what has become of it, and the author is told. Where it
// is not the role may be in doubt, and the same call is made again.
func TestCommitThatFails(t *testing.T) {
	const little, plenty = 4096, 1 << 30
	undone := func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), deleteFailed) }
	done := func(tx *sql.Tx) error { return errors.Join(tx.Commit(), deleteFailed) }
	for name, c := range map[string]struct {
		commit func(tx *sql.Tx) error
		free   uint64
		reason string // "" for done
		again  bool   // the same call is made again
	}{
		"undone, full":      {undone, little, repo.DiskFull, false},
		"undone, with room": {undone, plenty, repo.OutcomeUnknown, true},
		"done, full":        {done, little, "", false},
		"done, with room":   {done, plenty, "", true},
		"no room for a new page": {func(tx *sql.Tx) error {
			return errors.Join(tx.Rollback(), sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: 13})
		}, little, repo.DiskFull, false},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := MustCluster(t)
			nodes.primary.SetFree(c.free)
			tries := 0
			nodes.primary.SetCommit(func(tx *sql.Tx) error { tries++; return c.commit(tx) })
			_, receipt, err := repo.Do(within(t, 300*time.Millisecond), nodes.primary, put{Item: "a"}, repo.WithKey("k"))
			if c.reason == "" {
				if err != nil || receipt.Seq != 1 || receipt.Replayed != c.again || tries != 1 {
					t.Errorf("got %+v, %v after %d tries, want done", receipt, err, tries)
				}
				return
			}
			if !repo.HasReason(err, c.reason) || (tries > 1) != c.again {
				t.Errorf("got %v after %d tries, want %s", err, tries, c.reason)
			}
			nodes.primary.SetCommit((*sql.Tx).Commit)
			empty(t, nodes, "k")
		})
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
	if n := items(); n != 1 {
		t.Errorf("%d items on the primary", n)
	}
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
