//go:build linux

package mount

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/superfly/ltx"
)

// unnamed begins the names of the files that writeSnapshot has not given theirs yet.
const unnamed = ".new-"

// transaction is an LTX file: one transaction, or, as a snapshot, all up to one.
type transaction struct {
	path        string
	first, last ltx.TXID
}

// transactionsIn returns the LTX files in dir, the newest first. That is not their order by name, in which a snapshot
// comes first.
func transactionsIn(dir string) ([]transaction, error) {
	entries, err := os.ReadDir(dir) // and no pattern: in the path of data.dir each character stands for itself
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []transaction
	for _, e := range entries {
		if first, last, no := ltx.ParseFilename(e.Name()); no == nil {
			all = append(all, transaction{filepath.Join(dir, e.Name()), first, last})
		}
	}
	slices.SortStableFunc(all, func(a, b transaction) int { return cmp.Compare(b.last, a.last) })
	return all, err
}

// newestTransaction returns the LTX file that LiteFS begins with; its path is "" where there is none.
func newestTransaction(dir string) (transaction, error) {
	all, err := transactionsIn(dir)
	if err != nil || len(all) == 0 {
		return transaction{}, err
	}
	return all[0], nil
}

// removeUncommitted removes the transactions after position, which LiteFS has rolled back. LiteFS gives a transaction's
// file its name before it removes the journal, and leaves the file there when that fails. The next start would begin
// with it, and retention, which retains the last file by name, would remove the transaction at position.
func removeUncommitted(dir string, position ltx.TXID) error {
	all, err := transactionsIn(dir)
	if err != nil {
		return err
	}
	removed := false
	for _, t := range all {
		if t.last > position {
			if err := os.Remove(t.path); err != nil {
				return err
			}
			removed = true
		}
	}
	if !removed {
		return nil
	}
	return syncDir(dir)
}

// removeReplaced removes the transactions that a snapshot replaces, where that is the newest of them, and what
// writeSnapshot has left without a name.
//
// LiteFS removes them when it receives a snapshot, and relies on that: its retention retains the last file by name, as
// which a snapshot comes first. It would remove the snapshot, with whose checksum alone the database can be opened.
func removeReplaced(dir string) error {
	all, err := transactionsIn(dir)
	if err != nil || len(all) == 0 {
		return err
	}
	var remove []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unnamed) {
			remove = append(remove, filepath.Join(dir, e.Name()))
		}
	}
	if newest := all[0]; newest.first == 1 {
		for _, t := range all[1:] {
			if t.last < newest.last {
				remove = append(remove, t.path)
			}
		}
	}
	for _, path := range remove {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil || len(remove) == 0 {
		return err
	}
	return syncDir(dir)
}

// writeSnapshot writes the whole database as the transaction id, under its name only when it is on the disk, and
// returns its path.
func writeSnapshot(dir string, id ltx.TXID, p *databasePages, sum ltx.Checksum) (path string, err error) {
	f, err := os.CreateTemp(dir, unnamed+"*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	enc := ltx.NewEncoder(f)
	err = enc.EncodeHeader(ltx.Header{
		Version: ltx.Version, PageSize: p.size, Commit: p.count, MinTXID: 1, MaxTXID: id, Timestamp: time.Now().UnixMilli(),
	})
	if err == nil {
		err = p.each(func(page uint32, data []byte) error { return enc.EncodePage(ltx.PageHeader{Pgno: page}, data) })
	}
	if err == nil {
		enc.SetPostApplyChecksum(sum)
		err = enc.Close()
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("write a snapshot: %w", err)
	}
	path = filepath.Join(dir, ltx.FormatFilename(1, id))
	if err = os.Rename(f.Name(), path); err != nil {
		return "", err
	}
	return path, syncDir(dir)
}
