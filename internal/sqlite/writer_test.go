package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	"blog/internal/sqlite"
)

// TestStatementsStayPrepared: a statement that the writing connection has run before is not prepared anew. SQLite asks
// an authorizer whenever it prepares one.
func TestStatementsStayPrepared(t *testing.T) {
	db, err := sqlite.OpenWriter(t.Context(), filepath.Join(t.TempDir(), "blog.db"), sqlite.JournalDelete)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cerr := db.Close(); cerr != nil {
			t.Error(cerr)
		}
	}()
	if _, err = db.ExecContext(t.Context(), "CREATE TABLE items (name TEXT)"); err != nil {
		t.Fatal(err)
	}
	insert := func(ctx context.Context, q interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}) {
		t.Helper()
		if _, ierr := q.ExecContext(ctx, "INSERT INTO items (name) VALUES (?)", "a"); ierr != nil {
			t.Fatal(ierr)
		}
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	insert(t.Context(), conn)
	asked := 0
	err = conn.Raw(func(c any) error {
		c.(interface {
			RegisterAuthorizer(callback func(int, string, string, string) int)
		}).RegisterAuthorizer(func(int, string, string, string) int { asked++; return sqlite3.SQLITE_OK })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	insert(t.Context(), conn) // to set an authorizer makes SQLite prepare everything anew, once
	before := asked
	insert(t.Context(), conn)
	if asked != before || before == 0 {
		t.Errorf("an authorizer was asked %d times, and %d times more for the same statement; want more than 0, and 0",
			before, asked-before)
	}
}
