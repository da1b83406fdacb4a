package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
)

// openReads opens a query-only pool. It is mode=ro, so that a write that was not forwarded
// fails on a laptop. Its connections last, since to open and close them on a LiteFS mount is
// slow at best. Nothing is touched until the first query. rewritten is nil when only SQLite
// changes the file.
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
	c, err := connect(r.dsn)
	if err != nil {
		return nil, err
	}
	return &reader{c, r, before}, nil
}

// Driver implements driver.Connector.
func (readers) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// reader is a connection to a file that LiteFS may change under it.
//
// SQLite uses the pages in a connection's cache as long as the count of commits and three
// sizes in the file's header are unchanged. LiteFS may replace the file by a copy of another
// history with as many commits, after a failover, and its header has the same numbers. The
// connection would then show rows that were given up, or mix the two histories. So no page
// outlives its transaction here. The kernel still has the pages, and LiteFS invalidates
// those that have changed.
//
// SQLite reads tables and indexes anew only when the schema's number has changed, which may be
// equal in two histories that have both migrated. So no transaction begins on a connection that
// is older than the history.
type reader struct {
	*sqlite3.SQLiteConn
	from   readers
	opened int64 // from.rewritten then
}

// resetCache is SQLITE_FCNTL_RESET_CACHE: SQLite drops its pages, and raises the number by
// which FTS5 knows that its own cache is not of this file any more.
const resetCache = 42

// fresh empties the cache of a connection, so that its next transaction sees nothing of the one before.
func fresh(ctx context.Context, conn *sql.Conn) error {
	err := conn.Raw(func(c any) error {
		r, ok := c.(*reader)
		if !ok || r.from.rewritten == nil {
			return nil
		}
		return r.renew(ctx)
	})
	if err != nil {
		return fmt.Errorf("empty the cache: %w", err)
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
	// The new connection takes the place of the old one in the pool. database/sql gives up
	// when as many connections at a time are returned as bad ones as the pool has.
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
