//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	node "blog/internal/litefs"
	"blog/test/cluster"
)

// mustFreed returns a database with free pages, and one of them.
func mustFreed(t *testing.T) (file []byte, freed uint32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(),
		"CREATE TABLE t AS SELECT randomblob(9000) AS a; CREATE TABLE u AS SELECT randomblob(40000) AS a; DROP TABLE u")
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	trunk := binary.BigEndian.Uint32(file[32:])
	return file, binary.BigEndian.Uint32(file[(trunk-1)*page+8:])
}

// mustBegin does on the mount what SQLite does before it ends a transaction that changes pages: the second one, which
// is in the journal, and others, which are not, since they were free.
func mustBegin(t *testing.T, db *litefs.DB, file []byte, numbers ...uint32) {
	t.Helper()
	journalFile, err := db.CreateJournal()
	if err != nil {
		t.Fatal(err)
	}
	pages := uint32(len(file) / page) // #nosec G115 -- a few
	err = db.WriteJournalAt(t.Context(), journalFile, journal(true, pages, 2, file[page:2*page]), 0, 1)
	if err = errors.Join(err, journalFile.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := db.OpenDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range numbers {
		err = errors.Join(err, db.WriteDatabaseAt(t.Context(), f,
			[]byte(strings.Repeat("changed ", page/8)), int64(number-1)*page, 1))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func mustSum(t *testing.T, dir string) ltx.Checksum {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "dbs/blog.db/database"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := ltx.ChecksumReader(bytes.NewReader(file), page)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// mustFailCommit leaves what a commit leaves that fails after its transaction has its name: the transaction, whatever
// it has, beside the journal.
func mustFailCommit(t *testing.T, db *litefs.DB, file []byte) (path string) {
	t.Helper()
	var out bytes.Buffer
	enc, id := ltx.NewEncoder(&out), db.TXID()+1
	err := errors.Join(enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, PageSize: page, Commit: db.PageN(), MinTXID: id, MaxTXID: id, Timestamp: 1,
		PreApplyChecksum: db.Pos().PostApplyChecksum,
	}), enc.EncodePage(ltx.PageHeader{Pgno: 2}, file[page:2*page]))
	enc.SetPostApplyChecksum(db.Pos().PostApplyChecksum ^ 1)
	path = db.LTXPath(id, id)
	if err = errors.Join(err, enc.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDemotedInTransaction: a primary that loses its role in the middle of a transaction that has put a free page to
// use follows the next one, and of a commit that has failed on the way nothing is left.
func TestDemotedInTransaction(t *testing.T) {
	consul := cluster.StartConsul(t).URL
	for name, fails := range map[string]bool{"before its commit": false, "when its commit has failed": true} {
		t.Run(name, func(t *testing.T) { demoteInTransaction(t, newCluster(t, consul, "t/"+t.Name()), fails) })
	}
}

func demoteInTransaction(t *testing.T, c testCluster, fails bool) {
	t.Helper()
	dirA, dirB := t.TempDir(), t.TempDir()
	a := mustBare(t, c.lease("a"), dirA)
	a.Store.Exit = func(code int) { t.Errorf("a exits with %d", code) }
	first := awaitPrimary(t, a)
	file, freed := mustFreed(t)
	db, err := a.Store.CreateDBIfNotExists("blog.db")
	if err != nil {
		t.Fatal(err)
	}
	if err = db.Import(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	b := mustBare(t, c.lease("b"), dirB)
	awaitReplica(t, b)
	same := func(context.Context) error {
		if other := b.Store.DB("blog.db"); other == nil || other.Pos() != a.Store.DB("blog.db").Pos() {
			return fmt.Errorf("a is at %s", a.Store.DB("blog.db").Pos())
		}
		return nil
	}
	cluster.Poll(t, limit, "b's copy", same)
	if _, err = a.Control.Change(t.Context(), node.SyncChange{
		Term: first.Term, Index: first.Set.Index, Members: []node.Member{first.Self, mustStanding(t, b).Self},
	}); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(filepath.Join(dirA, "dbs/blog.db/database")); err != nil {
		t.Fatal(err)
	}
	mustBegin(t, db, file, 2, freed)
	failed := ""
	if fails {
		failed = mustFailCommit(t, db, file)
	}
	if err := a.Control.Demote(t.Context(), node.Giving{}); err != nil {
		t.Fatal(err)
	}
	awaitPrimary(t, b)
	awaitReplica(t, a)
	if _, err := os.Stat(failed); fails && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the transaction that failed is there: %v", err)
	}
	mustBegin(t, b.Store.DB("blog.db"), file, 2)
	if err := b.Store.DB("blog.db").RemoveJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, limit, "a's copy", same)
	if got, want := mustSum(t, dirA), a.Store.DB("blog.db").Pos().PostApplyChecksum; got != want {
		t.Errorf("a's database is %s, at position %s", got, want)
	}
}
