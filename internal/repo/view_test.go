package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestViewIsOneSnapshot(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "a")
	err := c.replica.View(t.Context(), func(rd repo.Reader) error {
		count := func() (n int) {
			if err := rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		before := count()
		MustPut(t, c.primary, "b")
		if diff := cmp.Diff([]int{1, 1}, []int{before, count()}); diff != "" {
			t.Errorf("the items before a write and after it (-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := MustCount(t, c.replica, "SELECT COUNT(*) FROM items"); n != 2 {
		t.Errorf("%d items afterwards, want 2", n)
	}
}

func TestForgottenForwardFails(t *testing.T) {
	c := MustCluster(t)
	for name, r := range map[string]*repo.Repo{"primary": c.primary, "replica": c.replica} {
		for _, query := range []string{
			"INSERT INTO items (name, value) VALUES ('x', 'y') RETURNING id",
			"PRAGMA query_only = 0",
		} {
			err := r.View(t.Context(), func(rd repo.Reader) error {
				var id int
				if err := rd.QueryRowContext(t.Context(), query).Scan(&id); err != nil && query[0] == 'I' {
					return err
				}
				return rd.QueryRowContext(t.Context(), "INSERT INTO items (name, value) VALUES ('z', 'y') RETURNING id").Scan(&id)
			})
			expectCode(t, name+": "+query, err, apperr.Internal)
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM items"); n != 0 {
		t.Errorf("%d rows were written past Apply, want 0", n)
	}
}

func TestViewWithoutDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	o := options(t, path, repotest.NewNode(repotest.Unknown()))
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	err := r.View(t.Context(), func(rd repo.Reader) error {
		var n int
		return rd.QueryRowContext(t.Context(), "SELECT 1").Scan(&n)
	})
	if !apperr.HasReason(err, apperr.NoDatabase) {
		t.Errorf("got %v, want the reason %v", err, apperr.NoDatabase)
	}
	list, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 0 {
		t.Errorf("a reader has made %q, want no file", list)
	}
}

// A reader that never ends blocks the commits of a database without WAL. Its
// transaction is ended after 10 s, so this test lasts as long.
func TestSlowReaderDoesNotBlockForEver(t *testing.T) {
	t.Parallel()
	p := MustPair(t)
	MustPut(t, p.a, "1")
	reading := make(chan struct{})
	written := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- p.a.View(context.Background(), func(rd repo.Reader) error {
			rows, err := rd.QueryContext(context.Background(), "SELECT name FROM items")
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			rows.Next()
			select {
			case <-reading:
			default:
				close(reading)
			}
			<-written
			return rows.Err()
		})
	}()
	<-reading
	if _, err := repo.Write(operator(), p.a, put{Item: "2"}); err != nil {
		t.Errorf("the write: got %v, want no error", err)
	}
	close(written)
	if err := <-done; !apperr.HasReason(err, apperr.Interrupted) {
		t.Errorf("the reader was told %v, want the reason %v", err, apperr.Interrupted)
	}
}

// Whatever context fn gives to its queries, they end with View's.
func TestViewEndsItsQueries(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "a")
	elsewhere := context.Background()
	for name, read := range map[string]func(ctx context.Context, rd repo.Reader) error{
		"in a query": func(_ context.Context, rd repo.Reader) error {
			var n int
			return rd.QueryRowContext(elsewhere,
				"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c").Scan(&n)
		},
		"between queries": func(_ context.Context, rd repo.Reader) error {
			for {
				var n int
				if err := rd.QueryRowContext(elsewhere, "SELECT COUNT(*) FROM items").Scan(&n); err != nil {
					return err
				}
			}
		},
		"between rows": func(ctx context.Context, rd repo.Reader) error {
			rows, err := rd.QueryContext(elsewhere,
				"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c")
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			var n int
			for rows.Next() {
				if err := rows.Scan(&n); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return errors.Join(rows.Scan(&n), rows.Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := c.primary.View(ctx, func(rd repo.Reader) error { return read(ctx, rd) })
			expectReason(t, "a read that was ended", err, apperr.Unavailable, apperr.Interrupted)
		})
	}
}

// TestViewWaitsForARollback, in a bubble of synctest: a primary that loses its role inside a transaction leaves a
// journal behind, which only a writing connection can roll back. Until then nothing can be read.
func TestViewWaitsForARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := filepath.Join(t.TempDir(), "before.db")
		MustPut(t, repotest.MustOpen(t, options(t, before, repotest.NewNode(repotest.Primary()))), "a")
		source := filepath.Join(t.TempDir(), "source.db")
		raw := repotest.MustRaw(t, before)
		if _, err := raw.ExecContext(t.Context(), "VACUUM INTO ?", source); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "blog.db")
		mustInterrupt(t, source, path)
		o := options(t, path, repotest.NewNode(repotest.Unknown()))
		o.LiteFS = true
		r := repotest.MustOpen(t, o)
		got := make(chan error, 1)
		go func() {
			got <- r.View(t.Context(), func(rd repo.Reader) error {
				var n int
				if err := rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&n); err != nil {
					return err
				}
				if n != 1 {
					t.Errorf("%d items, want 1", n)
				}
				return nil
			})
		}()
		time.Sleep(time.Second) // it has tried many times
		mustStillWait(t, got, "read before the rollback")
		repotest.MustExec(t, path, "PRAGMA user_version") // who may write rolls back
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// mustInterrupt copies the database as it is in the middle of a transaction to path.
func mustInterrupt(t *testing.T, source, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+source+"?_journal_mode=DELETE&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	// Without a cache, pages are written and the journal is synced before COMMIT.
	if _, err = db.ExecContext(t.Context(), "PRAGMA cache_size = 1"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(),
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO items (name, value) "+
			"SELECT 'n' || i, hex(zeroblob(2000)) FROM n")
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-journal"} {
		content, err := os.ReadFile(source + suffix)
		if err == nil {
			err = os.WriteFile(path+suffix, content, 0o600) //nolint:gosec // the test's own folder
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
