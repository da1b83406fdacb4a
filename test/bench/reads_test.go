package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/cluster"
)

// reads compares read transactions on a replica that begin without a page of the database in
// SQLite's memory, as those of package repo do under LiteFS, with the same ones that find there
// what the one before has read. It runs them in turns.
func reads(b *testing.B, t *table) {
	b.Helper()
	c := cluster.Start(b, cluster.Options{Nodes: 2, Binary: build(b, "./cmd/blog")})
	output(b, c.Primary().Command(b.Context(), "user", "add", email, "--name", "Ada", "--password-file", "-"), password)
	output(b, c.Nodes[1].Command(b.Context(), "import", filepath.Join(cluster.Root(b), "content")), "")
	db, err := sql.Open("sqlite3", "file:"+c.Nodes[1].Database+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cluster.MustClose(b, "database", db.Close()) })
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cluster.MustClose(b, "connection", conn.Close()) })
	for _, read := range []struct {
		name string
		do   func(ctx context.Context, tx *sql.Tx) error
	}{
		{"the newest row", func(ctx context.Context, tx *sql.Tx) error { _, err := repo.Newest(ctx, tx); return err }},
		{"an article", func(ctx context.Context, tx *sql.Tx) error {
			_, err := posts.BySlug(ctx, tx, "backpressure")
			return err
		}},
		{"the list of posts", func(ctx context.Context, tx *sql.Tx) error {
			_, _, err := posts.List(ctx, tx, posts.Filter{})
			return err
		}},
	} {
		const times, warmUp = 400, 20
		var without, with []time.Duration
		var shares []float64
		for i := range warmUp + times {
			w := transaction(b, conn, false, read.do)
			wo := transaction(b, conn, true, read.do)
			if i >= warmUp {
				with, without = append(with, w), append(without, wo)
				shares = append(shares, float64(wo)/float64(w))
			}
		}
		t.add("read on a replica: "+read.name, ms(median(without)), "with pages kept from the read before "+ms(median(with)),
			fmt.Sprintf("%.2f", median(shares)), "")
	}
}

// transaction measures a read transaction and, when the cache has to be empty, the emptying before
// it.
func transaction(
	b *testing.B, conn *sql.Conn, empty bool, do func(ctx context.Context, tx *sql.Tx) error,
) time.Duration {
	b.Helper()
	start := time.Now()
	if empty {
		// SQLITE_FCNTL_RESET_CACHE
		const resetCache = 42
		err := conn.Raw(func(c any) error {
			return c.(*sqlite3.SQLiteConn).SetFileControlInt("main", resetCache, 0)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	tx, err := conn.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := do(b.Context(), tx); err != nil {
		b.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
