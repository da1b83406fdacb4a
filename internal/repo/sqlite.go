package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/litefs"
)

// Journal modes by place: LiteFS wants delete (its WAL support loses commits at
// a hand-off and dies of a VACUUM), a plain file is faster and safe with WAL.
const (
	journalDelete = "delete"
	journalWAL    = "wal"
)

const busyTimeout = 5 * time.Second

func dsn(path string, params url.Values) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("database path: %w", err)
	}
	params.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	u := url.URL{Scheme: "file", Path: abs, RawQuery: params.Encode()}
	return u.String(), nil
}

// openWriter opens the one writing connection, creating the file when it is not
// there. The journal mode is set at creation and asserted ever after: changing
// it on a live LiteFS database kills the replicas.
func openWriter(ctx context.Context, path, journal string) (_ *sql.DB, err error) {
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
		return nil, fmt.Errorf("%s is in journal mode %s, want %s: convert a copy with `sqlite3 COPY 'PRAGMA journal_mode=%s'` before it is put in place", path, mode, journal, journal)
	}
	return db, nil
}

// checkFTS5 fails in a program that was built without SQLite's full-text search.
func checkFTS5(ctx context.Context) error {
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
		return errors.New("this program was built without full-text search: build with `go build -tags sqlite_fts5`, or `make build`")
	}
	return nil
}

// sqliteCode returns the extended result code of err, 0 when SQLite is not
// where it comes from. This and the functions below are the only place that
// translates SQLite's codes.
func sqliteCode(err error) int {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0
	}
	return int(e.ExtendedCode)
}

func primaryCode(code int) int { return code & 0xff }

// retryable reports a read that may succeed when it is tried again: BUSY,
// BUSY_RECOVERY (261) and PROTOCOL (a long LiteFS apply), litefs.md rule 4.
func retryable(err error) bool {
	switch primaryCode(sqliteCode(err)) {
	case int(sqlite3.ErrBusy), int(sqlite3.ErrProtocol):
		return true
	}
	return false
}

// rollingBack reports a transaction that was begun by a primary and that nobody has rolled back yet: who only reads
// cannot. LiteFS does it once it has let go of its lease, which takes a second or two where Consul does not answer.
func rollingBack(err error) bool { return sqliteCode(err) == int(sqlite3.ErrReadonlyRollback) }

// notWritten reports an error that LiteFS gives where the primary's role is not
// or no longer held, or is in doubt: IOERR (778 write, 1544 lock, 2570 delete),
// BUSY, CANTOPEN, PROTOCOL and READONLY. From COMMIT they mean: outcome unknown.
func notWritten(err error) bool {
	switch primaryCode(sqliteCode(err)) {
	case int(sqlite3.ErrBusy), int(sqlite3.ErrProtocol), int(sqlite3.ErrIoErr), int(sqlite3.ErrCantOpen), int(sqlite3.ErrReadonly):
		return true
	}
	return false
}

// diskFull reports SQLITE_FULL.
func diskFull(err error) bool { return primaryCode(sqliteCode(err)) == int(sqlite3.ErrFull) }

// leastRoom is what the largest write can need: its pages in the database and again in LiteFS's log.
const leastRoom = 2 * maxBody

// cramped reports an I/O error where there is no room. LiteFS's mount makes one error, EIO, of every one of its disk's,
// ENOSPC, too; but how much is free it passes on. Where the role is lost it says EIO as well, and the next primary may
// have room.
func (r *Repo) cramped(err error) bool {
	if primaryCode(sqliteCode(err)) != int(sqlite3.ErrIoErr) || r.node.Role().State != litefs.Primary {
		return false
	}
	free, ferr := r.free(r.path)
	return ferr == nil && free < leastRoom
}

// missingTable reports a query on a table that is not there (yet): SQLite has
// one code for all errors in SQL, so its text decides, here and nowhere else.
func missingTable(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrError && len(e.Error()) > 13 && e.Error()[:13] == "no such table"
}

// interrupted reports that a context or SQLite's own interruption ended err's operation.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || primaryCode(sqliteCode(err)) == int(sqlite3.ErrInterrupt)
}

// ended reports what a read gives whose transaction was taken from it: between two
// queries database/sql says it, and has no error value for closed rows.
func ended(err error) bool {
	return interrupted(err) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "sql: Rows are closed")
}

// discard closes the connection behind conn instead of giving it back to the
// pool, which opens another when it needs one.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // its error is the one asked for
}

func cantOpen(err error) bool { return primaryCode(sqliteCode(err)) == int(sqlite3.ErrCantOpen) }
