package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
)

// The journal modes. Under LiteFS it is delete: LiteFS's support of WAL loses commits at a
// hand-off, and a VACUUM ends it. A plain file is faster with WAL, and as safe.
const (
	JournalDelete = "delete"
	JournalWAL    = "wal"
)

// BusyTimeout is how long SQLite waits for a lock.
const BusyTimeout = 5 * time.Second

// cachedStatements is how many prepared statements each connection keeps: a write has some 30 different ones, and to
// prepare them anew took a fifth of its processor time.
const cachedStatements = 64

func dsn(path string, params url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("database path: %w", err)
	}
	params.Set("_busy_timeout", fmt.Sprint(BusyTimeout.Milliseconds()))
	params.Set("_stmt_cache_size", fmt.Sprint(cachedStatements))
	u := url.URL{Scheme: "file", Path: abs, RawQuery: params.Encode()}
	return u.String(), nil
}

// connect opens a connection for a connector of database/sql.
func connect(dsn string) (*sqlite3.SQLiteConn, error) {
	conn, err := new(sqlite3.SQLiteDriver).Open(dsn)
	if err != nil {
		return nil, err // unwrapped: database/sql is who asks
	}
	c, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite3 gave a connection of type %T", conn), conn.Close())
	}
	return c, nil
}

// OpenWriter opens the one writing connection, and creates the file when it is not
// there. The journal mode is set at creation. OpenWriter fails when an existing database
// has another one: to change it on a live LiteFS database ends the replicas.
func OpenWriter(ctx context.Context, path, journal string) (_ *sql.DB, err error) {
	has, err := hasBytes(path)
	if err != nil {
		return nil, err
	}
	d, err := dsn(path, url.Values{
		"mode": {"rwc"}, "_txlock": {"immediate"}, "_foreign_keys": {"1"}, "_synchronous": {"FULL"},
	})
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(writers{d})
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	var mode string
	query := "PRAGMA journal_mode"
	if !has {
		query += " = " + journal
	}
	if err := db.QueryRowContext(ctx, query).Scan(&mode); err != nil {
		return nil, fmt.Errorf("read journal mode: %w", err)
	}
	if mode != journal {
		return nil, fmt.Errorf("%s is in journal mode %s, want %s: convert a copy with `sqlite3 COPY 'PRAGMA "+
			"journal_mode=%s'` before it is put in place", path, mode, journal, journal)
	}
	return db, nil
}

// CheckFTS5 fails in a program that was built without SQLite's full-text search.
func CheckFTS5(ctx context.Context) error {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		return fmt.Errorf("open sqlite: %w", err)
	}
	var used bool
	err = db.QueryRowContext(ctx, "SELECT sqlite_compileoption_used('ENABLE_FTS5')").Scan(&used)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("read compile options: %w", err)
	}
	if !used {
		return errors.New("this program was built without full-text search: build with `go build -tags sqlite_fts5`, or " +
			"`make build`")
	}
	return nil
}

// hasBytes reports whether the file at path is there and not empty. It fails for anything else than a regular file, and
// for any other error than "no such file", since only that says that there is none.
func hasBytes(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("database file: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("database file: %s is no file", path)
	}
	return info.Size() > 0, nil
}

// Discard closes the connection behind conn instead of returning it to the pool, which
// opens another when it needs one.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // its error is the one asked for
}
