package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// writers makes the one connection that writes.
type writers struct{ dsn string }

// Connect implements driver.Connector.
func (w writers) Connect(context.Context) (driver.Conn, error) {
	conn, err := w.Driver().Open(w.dsn)
	if err != nil {
		return nil, err //nolint:wrapcheck // database/sql is who asks
	}
	c, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sqlite3 gave a connection of type %T", conn), conn.Close())
	}
	return &writingConn{SQLiteConn: c, open: map[*writingRows]struct{}{}}, nil
}

// Driver implements driver.Connector.
func (writers) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// writingConn knows the rows that are open on it. database/sql keeps those of a sql.Row that nobody scans to itself,
// and SQLite releases no savepoint while a statement that writes is not at its end. database/sql uses a connection
// under a lock, so this needs none.
type writingConn struct {
	*sqlite3.SQLiteConn
	open map[*writingRows]struct{}
}

// QueryContext implements driver.QueryerContext.
func (c *writingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err //nolint:wrapcheck // database/sql is who asks
	}
	r := &writingRows{Rows: rows, conn: c}
	c.open[r] = struct{}{}
	return r, nil
}

// closeRows closes the rows that are open.
func (c *writingConn) closeRows() error {
	var errs []error
	for r := range c.open {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// writingRows are rows that their connection knows of.
type writingRows struct {
	driver.Rows
	conn   *writingConn
	closed bool
}

// Next implements driver.Rows. Rows that were closed under database/sql are at their end.
func (r *writingRows) Next(dest []driver.Value) error {
	if r.closed {
		return sql.ErrTxDone
	}
	return r.Rows.Next(dest) //nolint:wrapcheck // database/sql compares with io.EOF
}

// Close implements driver.Rows.
func (r *writingRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	delete(r.conn.open, r)
	return r.Rows.Close() //nolint:wrapcheck // database/sql is who asks
}

// autocommit reports whether conn is in no transaction.
func autocommit(conn *sql.Conn) bool {
	yes := true
	_ = conn.Raw(func(c any) error { // a connection that is gone is in none
		if w, ok := c.(*writingConn); ok {
			yes = w.AutoCommit()
		}
		return nil
	})
	return yes
}
