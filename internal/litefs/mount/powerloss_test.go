//go:build linux

package mount_test

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/superfly/litefs"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// page is SQLite's default, and sector where a journal's records begin.
const (
	page   = 4096
	sector = 512
)

// journal returns a rollback journal with one record, of the database's second page. SQLite writes the magic and the
// number of records only once the records are synced.
func journal(synced bool, pages, number uint32, content []byte) []byte {
	file := make([]byte, sector, sector+4+page+4)
	const nonce = 12345
	if synced {
		copy(file, litefs.SQLITE_JOURNAL_HEADER_STRING)
		binary.BigEndian.PutUint32(file[8:], 1)
	}
	for i, field := range []uint32{nonce, pages, sector, page} {
		binary.BigEndian.PutUint32(file[12+4*i:], field)
	}
	file = binary.BigEndian.AppendUint32(file, number)
	file = append(file, content...)
	return binary.BigEndian.AppendUint32(file, litefs.JournalChecksum(content, nonce))
}

// mustDatabase returns the file of a database of some pages, none of them empty.
func mustDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "CREATE TABLE t AS SELECT randomblob(9000)")
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestJournalAfterPowerLoss: of a journal that was never synced nothing is written into the database, whatever its file
// has; a synced one is rolled back.
func TestJournalAfterPowerLoss(t *testing.T) {
	n := newNode(t, "")
	dir := filepath.Join(n.dir, "data", "dbs", "blog.db")
	good := mustDatabase(t)
	second, pages := good[page:2*page], uint32(len(good)/page) // #nosec G115 -- a few
	for _, c := range []struct {
		name    string
		journal []byte
		damaged bool // the second page of the database
	}{
		{"without the number of a page", journal(false, pages, 0, make([]byte, page)), false},
		{"with half a page", journal(false, pages, 2, append(second[:page-195:page-195], make([]byte, 195)...)), false},
		{"without a whole header", journal(true, pages, 2, second)[:10], false},
		{"without records", append([]byte(litefs.SQLITE_JOURNAL_HEADER_STRING), make([]byte, sector)...), false},
		{"that was synced", journal(true, pages, 2, second), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := append([]byte(nil), good...)
			if c.damaged {
				clear(file[page : 2*page])
			}
			err := errors.Join(os.MkdirAll(dir, 0o700),
				os.WriteFile(filepath.Join(dir, "journal"), c.journal, 0o600),
				os.WriteFile(filepath.Join(dir, "database"), file, 0o600))
			if err != nil {
				t.Fatal(err)
			}
			n.out.Reset()
			if code := n.run(t, "true"); code != 0 {
				t.Errorf("exit code %d, want 0\n%s", code, n.out.String())
			}
			got, err := os.ReadFile(filepath.Join(dir, "database"))
			if err != nil || string(got) != string(good) {
				t.Errorf("the database has %d bytes, equal: %t, %v, want no error and the %d bytes of before:\n%s", len(got),
					string(got) == string(good), err, len(good), n.out.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "journal")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the journal is left: %v, want %v", err, os.ErrNotExist)
			}
		})
	}
}

// TestRemovedTransactionsStayAway: transactions that a snapshot replaces cannot come back once it is applied. That
// their folder is synced is seen on a volume that loses what is not.
func TestRemovedTransactionsStayAway(t *testing.T) {
	v := cluster.StartVolume(t, filepath.Join(t.TempDir(), "data"))
	for _, name := range []string{"old.ltx", "new.ltx"} {
		mustSynced(t, filepath.Join(v.Dir, name))
	}
	disk := mount.NewSafeOS()
	if err := disk.Remove("REMOVEFILESEXCEPT", filepath.Join(v.Dir, "old.ltx")); err != nil {
		t.Fatal(err)
	}
	f, err := disk.Open("APPLYLTX:LTX", filepath.Join(v.Dir, "new.ltx"))
	if err != nil {
		t.Fatal(err)
	}
	cluster.MustClose(t, "the snapshot", f.Close())
	if loss := v.PowerOff(t, 1, 0, func() {}); loss.Changes != 0 {
		t.Errorf("%d changes could be lost, want none", loss.Changes)
	}
}

func mustSynced(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("x")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
