package compose

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	_ "github.com/mattn/go-sqlite3" // the driver
)

// Copy is what a node has: the rows that a storm is about.
type Copy struct {
	Node string
	// Position is LiteFS's: transaction and checksum of the whole database.
	Position string
	Posts    []PostRow
	Writes   []WriteRow
}

// PostRow is a post.
type PostRow struct {
	ID       int64
	Slug     string
	Title    string
	Body     string
	Revision int64
}

// WriteRow is a row of the table writes.
type WriteRow struct {
	Seq    int64
	Key    string
	Mark   string // in hex
	Name   string
	Result struct {
		ID       int64
		Slug     string
		Revision int64
	}
}

// ReadCopy reads the database file at path, after the integrity checks of SQLite
// and of its full-text indexes. The file is a test's own: it is written to.
func ReadCopy(ctx context.Context, path string) (_ *Copy, err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err = integrity(ctx, db); err != nil {
		return nil, err
	}
	c := &Copy{}
	err = each(ctx, db, "SELECT id, slug, title, body, revision FROM posts ORDER BY id", func(rows *sql.Rows) error {
		var p PostRow
		err = rows.Scan(&p.ID, &p.Slug, &p.Title, &p.Body, &p.Revision)
		c.Posts = append(c.Posts, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read posts: %w", err)
	}
	err = each(ctx, db, "SELECT seq, key, mark, name, result FROM writes ORDER BY seq", func(rows *sql.Rows) error {
		var w WriteRow
		var mark []byte
		var result string
		if err = rows.Scan(&w.Seq, &w.Key, &mark, &w.Name, &result); err != nil {
			return err
		}
		w.Mark = hex.EncodeToString(mark)
		c.Writes = append(c.Writes, w)
		// A result of another shape, such as a login's, is none of ours.
		_ = json.Unmarshal([]byte(result), &c.Writes[len(c.Writes)-1].Result)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read writes: %w", err)
	}
	return c, nil
}

func integrity(ctx context.Context, db *sql.DB) error {
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		return errors.Join(fmt.Errorf("integrity check: %s", said), err)
	}
	var indexes []string
	err := each(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%fts5%' ORDER BY name", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		indexes = append(indexes, name)
		return err
	})
	if err != nil || len(indexes) == 0 {
		return errors.Join(errors.New("no full-text index found"), err)
	}
	for _, name := range indexes {
		// rank 1: compared with what is indexed, too.
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %[1]s (%[1]s, rank) VALUES ('integrity-check', 1)", name)); err != nil {
			return fmt.Errorf("full-text index %s: %w", name, err)
		}
	}
	return nil
}

func each(ctx context.Context, db *sql.DB, query string, row func(*sql.Rows) error) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
