//go:build linux

package mount

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// recoverDatabases makes databases openable for LiteFS whose last transaction was cut off in the middle.
//
// SQLite does not journal a free page that a transaction puts to use: nobody needs what it had. LiteFS's checksum
// counts it nevertheless. So after a rollback the database is what it was, but for pages that are free, and LiteFS
// refuses to open it. Such a database gets a transaction of its own that has all its pages (a snapshot, as the next
// position of this copy): its checksum is right, and nodes that follow, or are followed, see another history and
// exchange an image.
func recoverDatabases(dataDir string, logger *slog.Logger) error {
	dbs := filepath.Join(dataDir, "dbs")
	entries, err := os.ReadDir(dbs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recover databases: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(dbs, e.Name())
		err := emptyNew(dir)
		if err == nil {
			_, err = recoverDatabase(dir, logger)
		}
		if err == nil {
			err = removeReplaced(filepath.Join(dir, "ltx"))
		}
		if err != nil {
			return fmt.Errorf("recover database %s: %w", e.Name(), err)
		}
	}
	return nil
}

// recoverOpen does so for a database that LiteFS has open and has just rolled back, which it does when this node's role
// ends in the middle of a transaction; the journal is still there. It does what LiteFS does at the start: LiteFS writes
// its newest transaction once more, or, where the checksum is not that one's, goes on with the snapshot.
func recoverOpen(db *litefs.DB, logger *slog.Logger) error {
	if db.PageN() == 0 {
		return nil
	}
	if err := removeUncommitted(db.LTXDir(), db.TXID()); err != nil {
		return err
	}
	newest, err := newestTransaction(db.LTXDir())
	if err != nil || newest.last != db.TXID() {
		return err
	}
	journal, file, err := openHot(db.Path())
	if err != nil || journal == nil {
		return err
	}
	if err = errors.Join(journal.Close(), file.Close()); err != nil {
		return err
	}
	// LiteFS has the write lock while it rolls back.
	wrong := db.ApplyLTXNoLock(newest.path, false)
	if wrong == nil {
		return nil
	}
	snapshot, err := recoverDatabase(db.Path(), logger)
	if err != nil {
		return errors.Join(wrong, err)
	}
	if snapshot == "" { // LiteFS goes on without it, too, and ends with the next transaction
		logger.Error("a database is damaged", "database", db.Name(), "err", wrong)
		return nil
	}
	if err := db.ApplyLTXNoLock(snapshot, false); err != nil {
		return fmt.Errorf("apply the snapshot: %w", err)
	}
	return removeReplaced(db.LTXDir())
}

// recoverDatabase does so for the database in dir where it has a journal that was synced. It rolls that back and writes
// the newest transaction into the database, as LiteFS does then once more; the journal stays until LiteFS has done so.
// It returns the path of the snapshot, "" where the database needs none.
func recoverDatabase(dir string, logger *slog.Logger) (snapshot string, err error) {
	journal, db, err := openHot(dir)
	if err != nil || journal == nil {
		return "", err
	}
	defer func() { err = errors.Join(err, journal.Close(), db.Close()) }()
	newest, err := newestTransaction(filepath.Join(dir, "ltx"))
	if err != nil || newest.path == "" {
		return "", err
	}
	// What a write-ahead log has is not in the database's file yet, and LiteFS removes one that is older than its newest
	// transaction, as which a snapshot would come.
	used, err := walUsed(dir)
	if err != nil || used {
		return "", err
	}
	pages, err := pagesOf(db)
	if err != nil || pages.size == 0 {
		return "", err
	}
	journaled, err := rollBack(journal, pages)
	if err != nil || journaled == nil || pages.count == 0 {
		return "", err
	}
	before, err := pages.read(1)
	if err != nil {
		return "", err
	}
	want, err := apply(newest.path, pages)
	if err != nil || pages.count == 0 {
		return "", err
	}
	// The first page counts the transactions. Where the journal's is not the newest transaction's, the journal is that of
	// another one, and may have undone what was committed since.
	after, err := pages.read(1)
	if err != nil || !bytes.Equal(before, after) {
		return "", err
	}
	free, err := pages.freeLeaves()
	if err != nil {
		return "", err
	}
	for page := range journaled {
		delete(free, page)
	}
	if len(free) == 0 {
		return "", nil
	}
	got, err := pages.checksum()
	if err != nil || got == want {
		return "", err
	}
	whole, err := agrees(filepath.Join(dir, "ltx"), pages, free)
	if err != nil || !whole {
		return "", err // it is damaged: LiteFS refuses it
	}
	id := newest.last + 1
	if snapshot, err = writeSnapshot(filepath.Join(dir, "ltx"), id, pages, got); err != nil {
		return "", err
	}
	logger.Warn("a transaction was cut off after it had put free pages to use: the database is whole, "+
		"and its history in LiteFS begins anew",
		"database", filepath.Base(dir), "free_pages", len(free), "transaction", id, "checksum", got, "was", want)
	return snapshot, nil
}

// emptyNew rolls back the first transaction of a database that was empty: it empties the database again, and then
// removes the journal. Without that the pages which the transaction has written would be the database.
func emptyNew(dir string) error {
	path := filepath.Join(dir, "journal")
	journal, err := os.Open(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	isNew, err := journalOfNew(journal)
	if err = errors.Join(err, journal.Close()); err != nil || !isNew {
		return err
	}
	db, err := os.OpenFile(filepath.Clean(filepath.Join(dir, "database")), os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(db.Truncate(0), db.Sync(), db.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.Remove(path), syncDir(dir))
}

// openHot opens a database's journal, if that was synced, and its file. It returns nil where one of the two is not
// there.
func openHot(dir string) (journal, db *os.File, err error) {
	journal, err = os.Open(filepath.Clean(filepath.Join(dir, "journal")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	synced, err := journalSynced(journal)
	if err == nil && synced {
		if db, err = os.OpenFile(filepath.Clean(filepath.Join(dir, "database")), os.O_RDWR, 0); err == nil {
			return journal, db, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, nil, errors.Join(err, journal.Close())
}

// walUsed reports whether a database has a write-ahead log with anything in it. LiteFS leaves an empty one behind.
func walUsed(dir string) (bool, error) {
	info, err := os.Stat(filepath.Join(dir, "wal"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// rollBack writes the pages of a journal back, and returns which they are; nil where the journal has no whole header,
// as LiteFS has it: then nothing is changed.
func rollBack(journal *os.File, p *databasePages) (map[uint32]bool, error) {
	pages := map[uint32]bool{}
	r := litefs.NewJournalReader(journal, p.size)
	for {
		if err := r.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		for {
			page, data, err := r.ReadFrame()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = p.write(page, data)
			}
			if err != nil {
				return nil, fmt.Errorf("roll back page %d: %w", page, err)
			}
			pages[page] = true
		}
	}
	if !r.IsValid() { // its header is cut off: nothing is known of the database's size
		return nil, nil
	}
	return pages, p.resize(uint32(r.DatabaseSize() / int64(p.size))) // #nosec G115 -- a count of pages
}

// apply writes a transaction's pages into the database, and returns the checksum that it must have then. A transaction
// that drops the database leaves it as it is, with no page.
func apply(path string, p *databasePages) (ltx.Checksum, error) {
	dec, err := decode(path, p.write)
	if err != nil {
		return 0, err
	}
	if p.count = dec.Header().Commit; p.count == 0 {
		return 0, nil
	}
	return dec.Trailer().PostApplyChecksum, p.resize(p.count)
}

// decode calls do for each page of an LTX file, and returns what the file says of itself. It fails where the file is
// not whole.
func decode(path string, do func(page uint32, data []byte) error) (_ *ltx.Decoder, err error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("read %s: %w", path, err)
		}
	}()
	dec := ltx.NewDecoder(f)
	if err := dec.DecodeHeader(); err != nil {
		return nil, err
	}
	data := make([]byte, dec.Header().PageSize)
	for {
		var header ltx.PageHeader
		if err := dec.DecodePage(&header, data); errors.Is(err, io.EOF) {
			return dec, dec.Close()
		} else if err != nil {
			return nil, err
		}
		if err := do(header.Pgno, data); err != nil {
			return nil, err
		}
	}
}

// agrees reports whether all pages that the transactions in dir have written are as the last of them has left them, but
// for free ones.
func agrees(dir string, p *databasePages, free map[uint32]bool) (bool, error) {
	all, err := transactionsIn(dir)
	if err != nil {
		return false, err
	}
	seen := maps.Clone(free)
	for _, t := range all {
		same := true
		_, err := decode(t.path, func(page uint32, data []byte) error {
			if seen[page] || page > p.count {
				return nil
			}
			seen[page] = true
			have, err := p.read(page)
			same = same && bytes.Equal(have, data)
			return err
		})
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}
