package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
)

// The connections of the query-only pools: readers', and this program's own.
const (
	readConns = 8
	lookConns = 3 // the feed's, one for who asks where this copy is, and one for whether it can be read
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
		return nil, errors.Join(fmt.Errorf("sqlite3 gave a connection of type %T", conn), conn.Close())
	}
	return &reader{c, r, before}, nil
}

// Driver implements driver.Connector.
func (readers) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// reader is a connection to a file that LiteFS may change under it.
//
// SQLite takes what a connection has kept of a file for good as long as the count of
// commits and three sizes in the file's header are what they were. A copy that LiteFS
// has put in the place of another one of as many commits has the same: two histories
// that part at a failover and go on alike. The connection would go on with what never
// was, or mix the two. So nothing outlives its transaction here; the kernel still has
// the pages, and LiteFS tells it which are void.
//
// Tables and indexes are read anew for the schema's own number alone, which may be equal
// as well. They are the same then, or both histories have migrated: no transaction begins
// on a connection that is older than the history.
type reader struct {
	*sqlite3.SQLiteConn
	from   readers
	opened int64 // from.rewritten then
}

// resetCache is SQLITE_FCNTL_RESET_CACHE: the pages go, and the number goes up by which
// FTS5 knows that what it keeps by itself is not of this file any more.
const resetCache = 42

// fresh makes a connection begin its next transaction with nothing of the one before.
func fresh(ctx context.Context, conn *sql.Conn) error {
	err := conn.Raw(func(c any) error {
		r, ok := c.(*reader)
		if !ok || r.from.rewritten == nil {
			return nil
		}
		return r.renew(ctx)
	})
	if err != nil {
		return fmt.Errorf("let go of what was read before: %w", err)
	}
	return nil
}

func (r *reader) renew(ctx context.Context) error {
	if r.from.rewritten.Load() == r.opened {
		if err := r.SetFileControlInt("main", resetCache, 0); err != nil {
			return fmt.Errorf("reset the cache: %w", err)
		}
		return nil
	}
	// In the place of the old one: to give it back as a bad one, as many at a time as there
	// are connections, is more than database/sql puts up with.
	conn, err := r.from.Connect(ctx)
	if err != nil {
		return err
	}
	next, _ := conn.(*reader) // what Connect makes
	old := r.SQLiteConn
	*r = *next
	if err := old.Close(); err != nil {
		return fmt.Errorf("close a connection: %w", err)
	}
	return nil
}
