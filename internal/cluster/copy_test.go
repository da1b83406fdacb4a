package cluster_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// MustReplicate gives n a copy of its own and returns its path. What is written to the
// world's file from now on arrives there while n's replication is not held.
func (w *world) MustReplicate(t *testing.T, n *node) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	mustExec := func(db *sql.DB, query string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	source, err := sql.Open("sqlite3", "file:"+w.path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	mustExec(source, "VACUUM INTO ?", path)
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // the source is attached to it
	mustExec(db, "ATTACH ? AS source", w.path)
	var copying sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	copying.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := n.copyNews(ctx, db); err != nil && ctx.Err() == nil {
				t.Errorf("replicate: %v", err)
				return
			}
		}
	})
	t.Cleanup(func() {
		stop()
		copying.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return path
}

// copyNews brings what is new into n's own copy, unless it is held.
func (n *node) copyNews(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it may be done
	res, err := tx.ExecContext(ctx, "INSERT INTO writes SELECT * FROM source.writes WHERE seq > (SELECT coalesce(max(seq), 0) FROM main.writes)")
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO topics SELECT * FROM source.topics"); err != nil {
		return err
	}
	rows, err := res.RowsAffected()
	if err != nil || rows == 0 || n.seat.held() {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	n.seat.Notify()
	return nil
}
