package posts

import (
	"context"
	"fmt"

	"blog/internal/repo"
)

// unindex removes a post from the search index. It has to run before the row of the post changes:
// an index with external content can remove only the exact values that it was given.
func unindex(ctx context.Context, tx *repo.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO search (search, rowid, title, description, plain, labels)
		SELECT 'delete', id, title, description, plain, labels FROM searchable WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("take out of index: %w", err)
	}
	return nil
}

// index adds a post to the search index if readers see the post.
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

// How many pages of the index's segments are merged for each write, and at most in one transaction.
// The bound ensures that no commit has to merge megabytes.
const (
	mergePages    = 16
	mergePagesMax = 48
)

// mergeIndex merges segments of the search index. writes is how many writes of the transaction
// asked for it.
func mergeIndex(ctx context.Context, tx *repo.Tx, writes int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO search (search, rank) VALUES ('merge', ?)",
		min(mergePages*writes, mergePagesMax))
	if err != nil {
		return fmt.Errorf("merge index: %w", err)
	}
	return nil
}
