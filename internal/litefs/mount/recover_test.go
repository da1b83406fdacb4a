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
)

// cut is a data directory's database whose last transaction was cut off: it has changed the second page, and put a free
// page to use, which SQLite does not journal.
type cut struct {
	dir        string
	good       []byte // before that transaction
	freed      uint32
	transacted uint32 // the page of the one before it
}

// mustCut makes one in a node's data directory. Its newest whole transaction is 5.
func mustCut(t *testing.T, n *single) *cut {
	t.Helper()
	c := &cut{dir: filepath.Join(n.dir, "data", "dbs", "blog.db"), transacted: 3}
	c.good, c.freed = mustFreed(t)
	if err := os.MkdirAll(filepath.Join(c.dir, "ltx"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.mustTransact(t, 5, c.transacted)
	return c
}

func (c *cut) pages() uint32 { return uint32(len(c.good) / page) } // #nosec G115 -- a few

func (c *cut) page(number uint32) []byte { return c.good[(number-1)*page : number*page] }

// mustWrite writes journal and database, with other bytes in some pages.
func (c *cut) mustWrite(t *testing.T, changed ...uint32) {
	t.Helper()
	file := bytes.Clone(c.good)
	for _, number := range changed {
		copy(file[(number-1)*page:], strings.Repeat("changed ", page/8))
	}
	err := errors.Join(os.WriteFile(filepath.Join(c.dir, "database"), file, 0o600),
		os.WriteFile(filepath.Join(c.dir, "journal"), journal(true, c.pages(), 2, c.page(2)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// TestCutOffTransaction: a node comes up after a transaction that was cut off when it had put a free page to use.
func TestCutOffTransaction(t *testing.T) {
	n := newNode(t, "")
	c := mustCut(t, n)
	c.mustWrite(t, 2, c.freed)
	for run := range 2 {
		n.out.Reset()
		if code := n.run(t, "sh", "-c", `cat "$0"`, filepath.Join(n.mnt(), "blog.db-pos")); code != 0 {
			t.Fatalf("run %d: exit code %d, want 0\n%s", run, code, n.out.String())
		}
		got, err := os.ReadFile(filepath.Join(c.dir, "database"))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := ltx.ChecksumReader(bytes.NewReader(got), page)
		if want := ltx.NewPos(6, sum).String(); err != nil || !strings.Contains(n.out.String(), want) {
			t.Errorf("run %d: the position is not %s, %v, want no error and with %v:\n%s", run, want, err, want, n.out.String())
		}
		copy(got[(c.freed-1)*page:], c.page(c.freed))
		if !bytes.Equal(got, c.good) {
			t.Errorf("run %d: other pages than the free one have changed", run)
		}
	}
}

// TestDamageIsNoCutOffTransaction: a database with another damage is refused as before, and its transactions stay.
func TestDamageIsNoCutOffTransaction(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, c *cut){
		"no page is free": func(t *testing.T, c *cut) {
			t.Helper()
			c.mustWrite(t, 2, c.freed)
			file := bytes.Clone(c.good)
			binary.BigEndian.PutUint32(file[32:], 0) // and the checksum is another
			if err := os.WriteFile(filepath.Join(c.dir, "database"), file, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no journal": func(t *testing.T, c *cut) {
			t.Helper()
			c.mustWrite(t, c.freed)
			if err := os.Remove(filepath.Join(c.dir, "journal")); err != nil {
				t.Fatal(err)
			}
		},
		"a journal that was never synced": func(t *testing.T, c *cut) {
			t.Helper()
			c.mustWrite(t, c.freed)
			if err := os.WriteFile(filepath.Join(c.dir, "journal"), journal(false, c.pages(), 2, c.page(2)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a page that a transaction before has written": func(t *testing.T, c *cut) {
			t.Helper()
			c.mustWrite(t, 2, c.freed, c.transacted)
			c.mustTransact(t, 6, 2)
		},
		"a write-ahead log": func(t *testing.T, c *cut) { // whose pages are not in the file
			t.Helper()
			c.mustWrite(t, 2, c.freed)
			if err := os.WriteFile(filepath.Join(c.dir, "wal"), bytes.Repeat([]byte{7}, sector), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a journal of a transaction before": func(t *testing.T, c *cut) {
			t.Helper()
			c.mustTransact(t, 6, 1) // each has the first page, which counts them
			c.mustWrite(t, c.freed)
			before := bytes.Clone(c.page(1))
			before[27]--
			file := append(journal(true, c.pages(), 1, before), journal(true, c.pages(), 2, make([]byte, page))[sector:]...)
			file[11] = 2 // records
			if err := os.WriteFile(filepath.Join(c.dir, "journal"), file, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "")
			c := mustCut(t, n)
			damage(t, c)
			code := n.run(t, "true")
			if code == 0 || !strings.Contains(n.out.String(), "does not match LTX post-apply checksum") {
				t.Errorf("exit code %d, want not 0 and with %q\n%s", code, "does not match LTX post-apply checksum", n.out.String())
			}
			if _, err := os.Stat(filepath.Join(c.dir, "ltx", ltx.FormatFilename(5, 5))); err != nil {
				t.Error(err)
			}
		})
	}
}

// mustTransact adds a newest transaction that writes a page, as it is.
func (c *cut) mustTransact(t *testing.T, id ltx.TXID, number uint32) {
	t.Helper()
	var file bytes.Buffer
	enc := ltx.NewEncoder(&file)
	sum, err := ltx.ChecksumReader(bytes.NewReader(c.good), page)
	err = errors.Join(err, enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, PageSize: page, Commit: c.pages(), MinTXID: id, MaxTXID: id, Timestamp: 1,
		PreApplyChecksum: sum,
	}), enc.EncodePage(ltx.PageHeader{Pgno: number}, c.page(number)))
	enc.SetPostApplyChecksum(sum)
	if err = errors.Join(err, enc.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "ltx", ltx.FormatFilename(id, id)), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
