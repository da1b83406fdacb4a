package posts

import (
	"context"
	"fmt"

	"blog/internal/repo"
)

// unindex takes a post out of the search index. It must run before the row
// changes: an external-content index forgets only the very values it was given.
func unindex(ctx context.Context, tx *repo.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO search (search, rowid, title, description, plain, labels)
		SELECT 'delete', id, title, description, plain, labels FROM searchable WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("take out of index: %w", err)
	}
	return nil
}

// index puts a post into the search index if readers see it, and merges a few
// pages of segments, so that no commit ever has to merge megabytes.
func index(ctx context.Context, tx *repo.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO search (rowid, title, description, plain, labels)
		SELECT id, title, description, plain, labels FROM searchable WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("put into index: %w", err)
	}
	return mergeIndex(ctx, tx)
}

func mergeIndex(ctx context.Context, tx *repo.Tx) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO search (search, rank) VALUES ('merge', 16)"); err != nil {
		return fmt.Errorf("merge index: %w", err)
	}
	return nil
}
