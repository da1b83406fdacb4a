package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// Code returns the extended result code of err, 0 when err does not come from SQLite.
// This function and those below are the only ones that read SQLite's codes.
func Code(err error) int {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0
	}
	return int(e.ExtendedCode)
}

// primaryCode returns the primary result code of err.
func primaryCode(err error) sqlite3.ErrNo { return sqlite3.ErrNo(Code(err) & 0xff) }

// IsRetryable reports a read that may succeed when it is tried again: BUSY,
// BUSY_RECOVERY (261) and PROTOCOL (a long LiteFS apply).
func IsRetryable(err error) bool {
	switch primaryCode(err) {
	case sqlite3.ErrBusy, sqlite3.ErrProtocol:
		return true
	}
	return false
}

// IsRollingBack reports that a primary has begun a transaction which nobody has rolled back yet. A connection that only
// reads cannot. LiteFS does it when it has released its lease, which takes a second or two if Consul does not answer.
func IsRollingBack(err error) bool { return Code(err) == int(sqlite3.ErrReadonlyRollback) }

// IsNotWritten reports an error that LiteFS gives when this node is not the primary, or no
// longer, or that is in doubt: IOERR (778 write, 1544 lock, 2570 delete), BUSY, CANTOPEN,
// PROTOCOL and READONLY. From COMMIT they mean that the outcome is not known.
func IsNotWritten(err error) bool {
	switch primaryCode(err) {
	case sqlite3.ErrBusy, sqlite3.ErrProtocol, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrReadonly:
		return true
	}
	return false
}

// IsFull reports SQLITE_FULL.
func IsFull(err error) bool { return primaryCode(err) == sqlite3.ErrFull }

// IsMissingTable reports a query on a table that is not there (yet): SQLite has
// one code for all errors in SQL, so its text decides, here and nowhere else.
func IsMissingTable(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrError && strings.HasPrefix(e.Error(), "no such table")
}

// IsInterrupted reports that a context or SQLite's own interruption ended err's operation.
func IsInterrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		primaryCode(err) == sqlite3.ErrInterrupt
}

// isEnded reports an error of a read whose transaction was ended. Between two queries it is
// database/sql's, which has no error value for closed rows.
func isEnded(err error) bool {
	return IsInterrupted(err) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) ||
		strings.Contains(err.Error(), "sql: Rows are closed")
}

// IsIO reports an I/O error.
func IsIO(err error) bool { return primaryCode(err) == sqlite3.ErrIoErr }

// IsConstraint reports a constraint that does not hold.
func IsConstraint(err error) bool { return primaryCode(err) == sqlite3.ErrConstraint }

// IsGeneric reports SQLITE_ERROR: SQL that cannot be carried out on this connection as it is.
func IsGeneric(err error) bool { return primaryCode(err) == sqlite3.ErrError }

// IsCannotOpen reports SQLITE_CANTOPEN, which says nothing about whether there is a database.
func IsCannotOpen(err error) bool { return primaryCode(err) == sqlite3.ErrCantOpen }
