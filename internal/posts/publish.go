package posts

import (
	"context"
	"fmt"
	"time"

	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/tags"
)

// Publish makes a post visible: at At when given, at the date that it has
// already, or now. A date to come makes it scheduled. Revision 0 takes any.
type Publish struct {
	Target
	Revision int64      `json:"revision,omitempty"`
	At       *time.Time `json:"at,omitempty"`
}

// Name is "posts.publish".
func (Publish) Name() string { return "posts.publish" }

// Apply changes the state.
func (p Publish) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	f := checker{}
	at := f.date(p.At)
	if err := f.err(); err != nil {
		return Ref{}, err
	}
	return transition(ctx, tx, p.Target, p.Revision, func(r *record) {
		if at != nil {
			r.publishedAt = at
		} else if r.state == Scheduled { // "publish" again means: do not wait
			r.publishedAt = nil
		}
		r.publish(tx.Now())
	})
}

// Unpublish takes a post back to be a draft; its date stays. Revision 0 takes any.
type Unpublish struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name is "posts.unpublish".
func (Unpublish) Name() string { return "posts.unpublish" }

// Apply changes the state.
func (u Unpublish) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	return transition(ctx, tx, u.Target, u.Revision, func(r *record) { r.state = Draft })
}

// Release publishes a scheduled post whose date Due has come. Only the primary's
// Releaser runs it, with ReleaseKey.
type Release struct {
	ID  int64     `json:"id"`
	Due time.Time `json:"due"`
}

// ReleaseKey is the idempotency key of a release, derived from post and date: it
// happens once, whichever primary gets to it.
func ReleaseKey(id int64, due time.Time) string {
	return fmt.Sprintf("release:%d:%s", id, repo.FormatTime(due))
}

// Name is "posts.release".
func (Release) Name() string { return "posts.release" }

// Apply publishes the post, or finds that it is no longer due then.
func (r Release) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	if tx.Actor().Name != repo.System {
		return Ref{}, repo.Errorf(repo.Forbidden, "Only the primary releases posts.")
	}
	before, err := Target{ID: r.ID}.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if before.state != Scheduled || !before.publishedAt.Equal(r.Due) || r.Due.After(tx.Now()) {
		return Ref{}, repo.Errorf(repo.Conflict, "The post is not due at %s.", repo.FormatTime(r.Due))
	}
	// Nobody has edited anything: the revision stays, so that neither an editor
	// that is open nor the file that the post came from is in conflict with this.
	after := before
	after.state = Published
	if err := save(ctx, tx, &before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), nil
}

// Delete removes a post with its old slugs and permalinks. Its pictures stay for a day
// and are then the Sweeper's (package media): somebody may have uploaded one of them for
// a text that is not saved yet. Revision 0 takes any.
type Delete struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name is "posts.delete".
func (Delete) Name() string { return "posts.delete" }

// Apply removes the post.
func (d Delete) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	before, err := d.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if d.Revision != 0 && d.Revision != before.revision {
		return Ref{}, conflict(before.revision)
	}
	pictures, err := mediaOf(ctx, tx, before.id)
	if err != nil {
		return Ref{}, err
	}
	if err := unindex(ctx, tx, before.id); err != nil {
		return Ref{}, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM posts WHERE id = ?", before.id); err != nil {
		return Ref{}, fmt.Errorf("delete post: %w", err)
	}
	for _, hash := range pictures {
		if err := media.Used(ctx, tx, hash); err != nil {
			return Ref{}, err
		}
	}
	if err := tags.RemoveUnused(ctx, tx); err != nil {
		return Ref{}, err
	}
	tx.Upkeep("search", mergeIndex)
	touch(tx, &before)
	return before.ref(), nil
}

// transition changes the state of a post and nothing else.
func transition(ctx context.Context, tx *repo.Tx, t Target, revision int64, change func(*record)) (Ref, error) {
	before, err := t.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if revision != 0 && revision != before.revision {
		return Ref{}, conflict(before.revision)
	}
	after := before
	change(&after)
	if after.same(&before) {
		tx.NoChange()
		ref := before.ref()
		ref.Unchanged = true
		return ref, nil
	}
	after.revision++
	if err := save(ctx, tx, &before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), nil
}
