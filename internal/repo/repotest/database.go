package repotest

import (
	"context"
	"database/sql"
	"testing"
)

// MustRaw opens the database at path beside the repository, for what only a test may do. It has one connection,
// and each of its transactions takes the lock at once.
func MustRaw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() {
		if err := db.Close(); err != nil { // nothing where the test has closed it
			tb.Error(err)
		}
	})
	return db
}

// MustExec changes the database at path behind the repository's back: no feed is told. It also works while the
// test is being cleaned up.
func MustExec(tb testing.TB, path, query string, args ...any) {
	tb.Helper()
	db := MustRaw(tb, path)
	if _, err := db.ExecContext(context.WithoutCancel(tb.Context()), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
}
