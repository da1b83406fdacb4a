package sqlite

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
	c, err := connect(w.dsn)
	if err != nil {
		return nil, err
	}
	return &writingConn{SQLiteConn: c, open: map[*writingRows]struct{}{}}, nil
}

// Driver implements driver.Connector.
func (writers) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// writingConn has a list of the rows that are open on it. database/sql does not show those of a sql.Row that nobody
// scans, and SQLite releases no savepoint while a statement that writes is not at its end. database/sql uses a
// connection under a lock, so the list needs none.
type writingConn struct {
	*sqlite3.SQLiteConn
	open map[*writingRows]struct{}
}

// QueryContext implements driver.QueryerContext.
func (c *writingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err // unwrapped: database/sql is who asks
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

// writingRows are rows that are in their connection's list.
type writingRows struct {
	driver.Rows
	conn   *writingConn
	closed bool
}

// Next implements driver.Rows. It fails on rows that CloseRows has closed.
func (r *writingRows) Next(dest []driver.Value) error {
	if r.closed {
		return sql.ErrTxDone
	}
	return r.Rows.Next(dest) // unwrapped: database/sql compares with io.EOF
}

// Close implements driver.Rows.
func (r *writingRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	delete(r.conn.open, r)
	return r.Rows.Close() // unwrapped: database/sql is who asks
}

// CloseRows closes the rows that are open on conn, a connection of OpenWriter's pool: an unread RETURNING would make
// RELEASE and COMMIT fail.
func CloseRows(conn *sql.Conn) error {
	err := conn.Raw(func(c any) error {
		w, ok := c.(*writingConn)
		if !ok {
			return fmt.Errorf("the writing connection is a %T", c)
		}
		return w.closeRows()
	})
	if err != nil {
		return fmt.Errorf("close rows: %w", err)
	}
	return nil
}

// Autocommit reports whether conn is in no transaction.
func Autocommit(conn *sql.Conn) bool {
	yes := true
	_ = conn.Raw(func(c any) error { // a connection that is gone is in none
		if w, ok := c.(*writingConn); ok {
			yes = w.AutoCommit()
		}
		return nil
	})
	return yes
}
