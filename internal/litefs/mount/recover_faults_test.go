//go:build linux

package mount_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/superfly/ltx"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// TestRecoveredDatabaseOutlivesRetention: a recovered database can be opened again when retention has removed all
// transactions but the one that LiteFS keeps, which is the last by its file's name, not by its number.
func TestRecoveredDatabaseOutlivesRetention(t *testing.T) {
	n := newNode(t, "")
	mustReplace(t, n.config, "compress: false", "compress: false, retention: 1ms, retention-monitor-interval: 1ms")
	c := mustCut(t, n)
	c.mustWrite(t, 2, c.freed)
	for run, script := range []string{`until set -- "$0"/*.ltx && [ $# = 1 ]; do :; done`, "true"} {
		n.out.Reset()
		if code := n.run(t, "sh", "-c", script, filepath.Join(c.dir, "ltx")); code != 0 {
			t.Fatalf("run %d: exit code %d, want 0\n%s", run, code, n.out.String())
		}
	}
}

// TestDamageInAFolderLikeAPattern: where the path of data.dir has characters that a pattern has, the transactions are
// found all the same, and another damage than that of free pages is refused.
func TestDamageInAFolderLikeAPattern(t *testing.T) {
	n := newNode(t, "")
	c := mustCut(t, n)
	c.mustWrite(t, 2, c.freed, c.transacted)
	c.mustTransact(t, 6, 2)
	data := filepath.Join(n.dir, "data")
	if err := os.Rename(data, data+"[1]"); err != nil {
		t.Fatal(err)
	}
	mustReplace(t, n.config, data, data+"[1]")
	if code := n.run(t, "true"); code == 0 || !strings.Contains(n.out.String(), "does not match LTX post-apply checksum") {
		t.Errorf("exit code %d, want not 0 and with %q\n%s", code, "does not match LTX post-apply checksum", n.out.String())
	}
}

// TestTransactionsThatCannotBeRead: a folder that cannot be read does not say that a database has no transactions. One
// that is not there does.
func TestTransactionsThatCannotBeRead(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"a file in its place": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a link to itself":    func(path string) error { return os.Symlink(path, path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dbs", "blog.db")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for what, read := range mount.TransactionReaders() {
				if err := read(dir); err != nil {
					t.Errorf("%s, of none: %v", what, err)
				}
			}
			if err := place(filepath.Join(dir, "ltx")); err != nil {
				t.Fatal(err)
			}
			for what, read := range mount.TransactionReaders() {
				if err := read(dir); err == nil {
					t.Errorf("%s: of a folder that cannot be read nothing is said", what)
				}
			}
		})
	}
}

// TestJournalWithoutWholeHeader: a journal that is too short for its header changes nothing. LiteFS does not know the
// size of the database before the transaction either.
func TestJournalWithoutWholeHeader(t *testing.T) {
	for _, size := range []int{12, 20, 28, sector - 1} {
		n := newNode(t, "")
		c := mustCut(t, n)
		c.mustWrite(t)
		short := journal(true, 1, 2, c.page(2))[:size]
		if err := os.WriteFile(filepath.Join(c.dir, "journal"), short, 0o600); err != nil {
			t.Fatal(err)
		}
		if code := n.run(t, "true"); code != 0 {
			t.Errorf("%d bytes: exit code %d, want 0\n%s", size, code, n.out.String())
		}
		if got, err := os.ReadFile(filepath.Join(c.dir, "database")); err != nil || !bytes.Equal(got, c.good) {
			t.Errorf("%d bytes: the database has changed: %d bytes, want %d (%v)", size, len(got), len(c.good), err)
		}
	}
}

// TestFirstTransactionCutOff: of a transaction that was cut off in a database that was empty before nothing is left.
// Its journal has no records.
func TestFirstTransactionCutOff(t *testing.T) {
	for name, dropped := range map[string]bool{"new": false, "dropped before": true} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "")
			dir := filepath.Join(n.dir, "data", "dbs", "blog.db")
			empty := journal(true, 0, 0, nil)[:sector]
			binary.BigEndian.PutUint32(empty[8:], 0)
			err := errors.Join(os.MkdirAll(filepath.Join(dir, "ltx"), 0o700),
				os.WriteFile(filepath.Join(dir, "journal"), empty, 0o600),
				os.WriteFile(filepath.Join(dir, "database"), mustDatabase(t)[:2*page], 0o600))
			if err != nil {
				t.Fatal(err)
			}
			if dropped {
				mustDrop(t, dir, 5)
			}
			if code := n.run(t, "true"); code != 0 {
				t.Errorf("exit code %d, want 0\n%s", code, n.out.String())
			}
			got, err := os.ReadFile(filepath.Join(dir, "database"))
			if err != nil && !errors.Is(err, os.ErrNotExist) || len(got) > 0 {
				t.Errorf("%d bytes are left of it (%v)", len(got), err)
			}
		})
	}
}

// mustDrop adds the transaction by which LiteFS drops a database.
func mustDrop(t *testing.T, dir string, id ltx.TXID) {
	t.Helper()
	var file bytes.Buffer
	enc := ltx.NewEncoder(&file)
	err := enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, PageSize: page, MinTXID: id, MaxTXID: id, Timestamp: 1, PreApplyChecksum: ltx.ChecksumFlag | 1,
	})
	enc.SetPostApplyChecksum(ltx.ChecksumFlag)
	if err = errors.Join(err, enc.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ltx", ltx.FormatFilename(id, id)), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRolledBackJournalStaysAway: a journal that was rolled back cannot come back. It would undo what other nodes have
// committed since: a replica has no journal of its own, and so syncs the folder no more.
func TestRolledBackJournalStaysAway(t *testing.T) {
	v := cluster.StartVolume(t, filepath.Join(t.TempDir(), "data"))
	path := filepath.Join(v.Dir, "journal")
	mustSynced(t, path)
	if err := mount.NewSafeOS().Remove("ROLLBACKJOURNAL", path); err != nil {
		t.Fatal(err)
	}
	if loss := v.PowerOff(t, 1, 0, func() {}); loss.Changes != 0 {
		t.Errorf("%d changes could be lost, want none", loss.Changes)
	}
}

func mustReplace(t *testing.T, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o600) //nolint:gosec // a test file
	}
	if err != nil {
		t.Fatal(err)
	}
}
