package cluster

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the driver
	"github.com/superfly/ltx"
)

// Seed makes the database with this name in the data folder of a LiteFS node that does not run:
// about size bytes, all zero, in the table t (v BLOB). It writes the files that LiteFS would leave,
// which takes a fraction of the time that writing through a mount takes.
func Seed(tb testing.TB, data, name string, size int64) {
	tb.Helper()
	dir := filepath.Join(data, "dbs", name)
	if err := os.MkdirAll(filepath.Join(dir, "ltx"), 0o750); err != nil {
		tb.Fatal(err)
	}
	database := filepath.Join(dir, "database")
	if err := fill(tb, database, size); err != nil {
		tb.Fatalf("make a database of %d bytes: %v", size, err)
	}
	if err := snapshot(database, filepath.Join(dir, "ltx", ltx.FormatFilename(1, 1))); err != nil {
		tb.Fatalf("make its first transaction: %v", err)
	}
}

func fill(tb testing.TB, path string, size int64) (err error) {
	tb.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	const row = 16 << 20
	statements := []string{"PRAGMA journal_mode=delete", "PRAGMA synchronous=off", "CREATE TABLE t (v BLOB)"}
	for ; size > 0; size -= row {
		statements = append(statements, fmt.Sprintf("INSERT INTO t (v) VALUES (zeroblob(%d))", min(size, row)))
	}
	for _, s := range statements {
		if _, err := db.ExecContext(tb.Context(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// snapshot writes the LTX file that contains the whole database.
func snapshot(database, path string) (err error) {
	in, err := os.Open(filepath.Clean(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	const pageSize = 4096
	pages := uint32(info.Size() / pageSize) // #nosec G115 -- a test's own file
	from, to := bufio.NewReaderSize(in, 1<<20), bufio.NewWriterSize(out, 1<<20)
	enc := ltx.NewEncoder(to)
	header := ltx.Header{Version: ltx.Version, PageSize: pageSize, Commit: pages, MinTXID: 1, MaxTXID: 1, NodeID: 1}
	if err := enc.EncodeHeader(header); err != nil {
		return err
	}
	sum, hasher, page := ltx.ChecksumFlag, ltx.NewHasher(), make([]byte, pageSize)
	for i := uint32(1); i <= pages; i++ {
		if _, err := io.ReadFull(from, page); err != nil {
			return err
		}
		if i == ltx.LockPgno(pageSize) {
			continue
		}
		if err := enc.EncodePage(ltx.PageHeader{Pgno: i}, page); err != nil {
			return err
		}
		sum = ltx.ChecksumFlag | (sum ^ ltx.ChecksumPageWithHasher(hasher, i, page))
	}
	enc.SetPostApplyChecksum(sum)
	return errors.Join(enc.Close(), to.Flush())
}
