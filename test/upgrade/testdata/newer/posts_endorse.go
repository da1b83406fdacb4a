package posts

import (
	"context"
	"fmt"

	"blog/internal/repo"
)

// Endorse is the newer release's command: it notes who endorses a post, and says so in the description, which the
// older release shows as well.
type Endorse struct {
	Target
	By string `json:"by"`
}

// Name is "posts.endorse".
func (Endorse) Name() string { return "posts.endorse" }

// Apply stores the endorsement.
func (e Endorse) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	before, err := e.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	after := before
	after.description = "Endorsed by " + e.By
	after.revision++
	if err := save(ctx, tx, &before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), endorse(ctx, tx, after.id, e.By)
}

// endorse is what Create does, too, with its new field.
func endorse(ctx context.Context, tx *repo.Tx, id int64, by string) error {
	if by == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO endorsements (post_id, by) VALUES (?, ?)", id, by); err != nil {
		return fmt.Errorf("endorse: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE posts SET endorsed = 1 WHERE id = ?", id); err != nil {
		return fmt.Errorf("note the endorsement: %w", err)
	}
	return nil
}
