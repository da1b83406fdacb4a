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

// index puts a post into the search index if readers see it.
func index(ctx context.Context, tx *repo.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO search (rowid, title, description, plain, labels)
		SELECT id, title, description, plain, labels FROM searchable WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("put into index: %w", err)
	}
	tx.Upkeep("search", mergeIndex)
	return nil
}

// Pages of the index's segments that are merged for each write, and at most by one transaction: so no commit ever has
// to merge megabytes.
const (
	mergePages    = 16
	mergePagesMax = 48
)

func mergeIndex(ctx context.Context, tx *repo.Tx, writes int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO search (search, rank) VALUES ('merge', ?)", min(mergePages*writes, mergePagesMax))
	if err != nil {
		return fmt.Errorf("merge index: %w", err)
	}
	return nil
}
