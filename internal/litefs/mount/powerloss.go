//go:build linux

package mount

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// Operations of LiteFS, as it names them to its operating system.
const (
	opRollBack  = "ROLLBACKJOURNAL"   // opens a journal, and removes it when it is rolled back
	opRemoveOld = "REMOVEFILESEXCEPT" // of the LTX files that a snapshot replaces
	opApply     = "APPLYLTX:LTX"      // before a transaction is written into the database
)

// safeOS is LiteFS's operating system. It does what LiteFS leaves out and a loss of power needs (test/power shows
// each):
//
//   - A journal whose header was never synced is emptied before LiteFS rolls it back. SQLite changes the database only
//     after that sync, so there is nothing to roll back; LiteFS would write what is in the journal's file, which may be
//     anything, over good pages.
//   - The removal of the LTX files that a snapshot replaces is synced before the snapshot is written into the database.
//     One of them that comes back may be newer than the snapshot: LiteFS would begin with it, on a database that is
//     half the snapshot, and refuse to open it.
//   - The removal of a journal that was rolled back is synced. One that comes back would undo what was committed since.
//   - A database that is rolled back while it is open is recovered, as one is at the start (recover.go).
type safeOS struct {
	litefs.OS
	log *slog.Logger
	// database returns a database that LiteFS has open; nil while it opens it.
	database func(name string) *litefs.DB

	mu      sync.Mutex
	removed map[string]bool // folders with removals that are not synced
}

// newSafeOS returns the operating system for a store that has LiteFS's.
func newSafeOS(store *litefs.Store, logger *slog.Logger) *safeOS {
	return &safeOS{OS: store.OS, log: logger, database: store.DB, removed: map[string]bool{}}
}

// OpenFile implements litefs.OS.
func (o *safeOS) OpenFile(op, name string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := o.OS.OpenFile(op, name, flag, perm)
	if err != nil || op != opRollBack {
		return f, err // unwrapped: LiteFS is who asks
	}
	rollsBack, err := journalSynced(f)
	if err == nil && !rollsBack && o.database(filepath.Base(filepath.Dir(name))) != nil {
		rollsBack, err = journalOfNew(f) // at the start LiteFS would panic; emptyNew has done it before
	}
	if err == nil && !rollsBack {
		o.log.Info("a journal that was never synced is dropped: the database has not been changed under it", "journal", name)
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", name, err), f.Close())
	}
	return f, nil
}

// Remove implements litefs.OS.
func (o *safeOS) Remove(op, name string) error {
	switch op {
	case opRemoveOld:
		o.mu.Lock()
		o.removed[filepath.Dir(name)] = true
		o.mu.Unlock()
	case opRollBack:
		db := o.database(filepath.Base(filepath.Dir(name)))
		if db == nil {
			break
		}
		if err := recoverOpen(db, o.log); err != nil {
			return fmt.Errorf("recover database %s: %w", db.Name(), err)
		}
	}
	if err := o.OS.Remove(op, name); err != nil || op != opRollBack {
		return err // unwrapped: LiteFS is who asks
	}
	return syncDir(filepath.Dir(name))
}

// Open implements litefs.OS.
func (o *safeOS) Open(op, name string) (*os.File, error) {
	if op == opApply {
		if err := o.syncRemovals(filepath.Dir(name)); err != nil {
			return nil, fmt.Errorf("sync the removal of transactions: %w", err)
		}
	}
	return o.OS.Open(op, name) // unwrapped: LiteFS is who asks
}

func (o *safeOS) syncRemovals(dir string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.removed[dir] {
		return nil
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	delete(o.removed, dir)
	return nil
}

// journalMagic begins the header of a rollback journal; the number of its records follows.
// Source: https://www.sqlite.org/fileformat.html#the_rollback_journal
var journalMagic = []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}

// journalSynced reports whether SQLite has synced a journal: it then writes the magic and how many records there are,
// syncs again, and only after that changes the database. (With synchronous=OFF it writes both at the beginning.)
func journalSynced(f *os.File) (bool, error) {
	header, err := readJournalHeader(f)
	return header != nil && binary.BigEndian.Uint32(header[8:]) > 0, err
}

// journalOfNew reports whether a journal is that of the first transaction of a database. It has no records then.
func journalOfNew(f *os.File) (bool, error) {
	header, err := readJournalHeader(f)
	if err != nil || header == nil {
		return false, err
	}
	field := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	records, pages, sector, size := field(8), field(16), field(20), field(24)
	return records == 0 && pages == 0 && sector > 0 && ltx.IsValidPageSize(size), nil
}

// readJournalHeader returns the header of a journal, nil where it is not whole or has no magic.
func readJournalHeader(f *os.File) ([]byte, error) {
	header := make([]byte, litefs.SQLITE_JOURNAL_HEADER_SIZE)
	if _, err := f.ReadAt(header, 0); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(header, journalMagic) {
		return nil, nil
	}
	return header, nil
}
