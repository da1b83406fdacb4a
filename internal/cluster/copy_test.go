package cluster_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blog/internal/repo/repotest"
)

// MustReplicate gives n a copy of its own and returns its path. What is written to the
// world's file from now on arrives there while n's replication is not held.
func (w *world) MustReplicate(t *testing.T, n *node) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	repotest.MustExec(t, w.path, "VACUUM INTO ?", path)
	db := repotest.MustRaw(t, path)
	if _, err := db.ExecContext(t.Context(), "ATTACH ? AS source", w.path); err != nil {
		t.Fatal(err)
	}
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
			err := n.copyNewRows(ctx, db)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Errorf("replicate: got %v, want no error", err)
				return
			}
		}
	})
	t.Cleanup(func() {
		stop()
		copying.Wait()
	})
	return path
}

// copyNewRows brings what is new into n's own copy, unless it is held.
func (n *node) copyNewRows(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it may be done
	res, err := tx.ExecContext(ctx, `
		INSERT INTO writes
		SELECT * FROM source.writes
		WHERE seq > (SELECT coalesce(max(seq), 0) FROM main.writes)`)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO topics SELECT * FROM source.topics"); err != nil {
		return err
	}
	rows, err := res.RowsAffected()
	if err != nil || rows == 0 || n.role.held() {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	n.role.Notify()
	return nil
}
