package posts

import (
	"context"
	"fmt"

	"blog/internal/repo"
)

// Pin is the command that makes a post come first in lists of cards, before the posts that were
// pinned earlier. A post that is pinned already retains its place. A post that readers do not see
// can be pinned too, and comes first once it is published. The number of pinned posts has no limit:
// enough of them fill the home page. It fails with Conflict when the post has another revision;
// Revision 0 accepts every one.
type Pin struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name returns "posts.pin".
func (Pin) Name() string { return "posts.pin" }

// Apply implements repo.Command.
func (p Pin) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	return setPinned(ctx, tx, p.Target, p.Revision, true)
}

// Unpin is the command that sorts a post by its date in lists again. It fails with Conflict when
// the post has another revision; Revision 0 accepts every one.
type Unpin struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name returns "posts.unpin".
func (Unpin) Name() string { return "posts.unpin" }

// Apply implements repo.Command.
func (u Unpin) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	return setPinned(ctx, tx, u.Target, u.Revision, false)
}

// setPinned pins or unpins the post t. It fails with Conflict when revision is neither 0 nor the
// post's.
func setPinned(ctx context.Context, tx *repo.Tx, t Target, revision int64, pinned bool) (Ref, error) {
	r, err := t.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if revision != 0 && revision != r.revision {
		return Ref{}, conflict(r.revision)
	}
	if r.pinned == pinned {
		tx.NoChange()
		return unchanged(&r), nil
	}
	r.pinned = pinned
	return savePin(ctx, tx, &r)
}

// savePin stores whether r is pinned, and nothing else. It leaves the revision and the date of the
// last update, and does not touch the topic of the post's own page: readers see the same post
// there, and a pin overwrites nothing that an author writes.
func savePin(ctx context.Context, tx *repo.Tx, r *record) (Ref, error) {
	if err := storePin(ctx, tx, r); err != nil {
		return Ref{}, err
	}
	touchLists(tx, r)
	return r.ref(), nil
}

// storePin inserts r into the table of pins, as the newest, or deletes it there when r is not
// pinned.
func storePin(ctx context.Context, tx *repo.Tx, r *record) error {
	query := "DELETE FROM pins WHERE post_id = ?"
	if r.pinned {
		query = `
			INSERT INTO pins (position, post_id)
			VALUES ((SELECT COALESCE(MAX(position), 0) + 1 FROM pins), ?)`
	}
	if _, err := tx.ExecContext(ctx, query, r.id); err != nil {
		return fmt.Errorf("store pin: %w", err)
	}
	return nil
}
