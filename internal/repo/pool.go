package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
)

// The connections of the query-only pools: readers', and this program's own.
const (
	readConns = 8
	lookConns = 2 // the feed's, and one for who asks where this copy is
)

// openReads opens a query-only pool: mode=ro, so that a forgotten forward
// fails on a laptop, and persistent connections, since opening and closing them
// on a LiteFS mount is slow at best. Nothing is touched until the first query.
// rewritten is nil where nobody but SQLite changes the file.
func openReads(path string, conns int, rewritten *atomic.Int64) (*sql.DB, error) {
	d, err := dsn(path, url.Values{"mode": {"ro"}, "_query_only": {"1"}})
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(readers{d, rewritten})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// readers makes the connections of a query-only pool.
type readers struct {
	dsn       string
	rewritten *atomic.Int64 // counts the histories that this node has given up
}

// Connect implements driver.Connector.
func (r readers) Connect(context.Context) (driver.Conn, error) {
	var before int64
	if r.rewritten != nil {
		before = r.rewritten.Load()
	}
	conn, err := r.Driver().Open(r.dsn)
	if err != nil {
		return nil, err //nolint:wrapcheck // database/sql is who asks
	}
	c, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, fmt.Errorf("sqlite3 gave a connection of type %T", conn)
	}
	if r.rewritten == nil {
		return c, nil
	}
	return &reader{c, r.rewritten, before}, nil
}

// Driver implements driver.Connector.
func (readers) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// reader is a connection to a file that LiteFS changes under it.
//
// SQLite takes the pages that a connection has kept for good as long as the count of
// commits and three sizes in the file's header are what they were. A copy that LiteFS
// has put in the place of another one of as many commits has the same: two histories
// that part at a failover and go on alike. The connection would go on with what never
// was, or mix the two. So no page outlives its transaction here; the kernel still has
// them, and LiteFS tells it which are void.
//
// The schema is read anew for its own number alone, which may be equal as well. It is
// the same one, or both histories have migrated: a connection does not outlive the
// history in which it was opened.
type reader struct {
	*sqlite3.SQLiteConn
	rewritten *atomic.Int64
	opened    int64 // rewritten then
}

// ResetSession implements driver.SessionResetter: database/sql calls it before each use
// but the first.
func (r *reader) ResetSession(ctx context.Context) error {
	if r.rewritten.Load() != r.opened {
		return driver.ErrBadConn // it is closed, and another one opened
	}
	_, err := r.ExecContext(ctx, "PRAGMA shrink_memory", nil)
	if err != nil {
		return fmt.Errorf("let go of the pages before: %w", err)
	}
	return nil
}
