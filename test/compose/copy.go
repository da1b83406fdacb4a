package compose

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver

	"blog/internal/posts"
)

// Copy is a node's copy of the database: the rows that a storm checks.
type Copy struct {
	Node string
	// Position is LiteFS's transaction and checksum of the whole database.
	Position string
	Posts    []PostRow
	Writes   []WriteRow
	// Tags are all labels, in order.
	Tags []string
	// Pictures are the stored pictures by hash.
	Pictures map[string]PictureRow
	// Sessions has the hashes of the tokens of sessions that have not ended.
	Sessions map[string]bool
}

// PostRow is a post.
type PostRow struct {
	ID          int64
	Slug        string
	Title       string
	Body        string
	HTML        string
	Revision    int64
	State       posts.State
	PublishedAt string   // as stored
	Labels      []string // in the post's own row
	Tagged      []string // in the rows that join the post with tags, in their order
	Pictures    []string // hashes of the pictures that the post shows
}

// WriteRow is a row of the table writes.
type WriteRow struct {
	Seq    int64
	Key    string
	Mark   string // in hex
	Name   string
	At     string // as stored
	Result struct {
		ID       int64
		Slug     string
		Revision int64
		State    posts.State
	}
}

// PictureRow is what is stored of a picture.
type PictureRow struct {
	Complete bool
	Sum      string // hash over its chunks in their order, which is that of the picture when it is whole
}

// ReadCopy reads the database file at path, after the integrity checks of SQLite and of its
// full-text indexes. These write to the file, so it has to belong to the test.
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
	if err = errors.Join(c.readPosts(ctx, db), c.readWrites(ctx, db), c.readTags(ctx, db), c.readPictures(ctx, db),
		c.readSessions(ctx, db)); err != nil {
		return nil, err
	}
	return c, nil
}

// copies reads copies, and remembers the newest one: the files of nodes that are idle have the same bytes, and reading
// one takes long.
type copies struct {
	mu   sync.Mutex
	sum  [sha256.Size]byte // of the file of last
	last *Copy
}

// read returns the Copy in a database file that has these bytes. It writes them to path where it has to read them. What
// it returns shares its rows with other copies.
func (cs *copies) read(ctx context.Context, file []byte, path string) (*Copy, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	sum := sha256.Sum256(file)
	if cs.last == nil || cs.sum != sum {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			return nil, err
		}
		c, err := ReadCopy(ctx, path)
		if err != nil {
			return nil, err
		}
		cs.sum, cs.last = sum, c
	}
	c := *cs.last
	return &c, nil
}

// integrity runs the integrity checks of the database and of its full-text indexes.
func integrity(ctx context.Context, db *sql.DB) error {
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		return errors.Join(fmt.Errorf("integrity check: %s", said), err)
	}
	var indexes []string
	const query = "SELECT name FROM sqlite_schema " +
		"WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%fts5%' ORDER BY name"
	err := each(ctx, db, query, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		indexes = append(indexes, name)
		return err
	})
	if err != nil || len(indexes) == 0 {
		return errors.Join(errors.New("no full-text index found"), err)
	}
	for _, name := range indexes {
		// With rank 1 the index is also compared with the text that it indexes.
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %[1]s (%[1]s, rank) VALUES ('integrity-check', 1)",
			name)); err != nil {
			return fmt.Errorf("full-text index %s: %w", name, err)
		}
	}
	return nil
}

// each runs a query and calls row for each of its rows.
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
