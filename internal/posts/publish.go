package posts

import (
	"context"
	"fmt"
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/tags"
)

// Publish is the command that makes a post visible, at the date At. Without At a draft gets the
// date that it has, or now when it has none, and a scheduled post is published now. A date to come
// makes the post scheduled. It fails with Conflict when the post has another revision; Revision 0
// accepts every one.
type Publish struct {
	Target
	Revision int64      `json:"revision,omitempty"`
	At       *time.Time `json:"at,omitempty"`
}

// Name returns "posts.publish".
func (Publish) Name() string { return "posts.publish" }

// Apply implements repo.Command.
func (p Publish) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	f := checker{}
	at := f.date(p.At)
	if err := f.err(); err != nil {
		return Ref{}, err
	}
	return transition(ctx, tx, p.Target, p.Revision, func(r *record) {
		if at != nil {
			r.publishedAt = at
		} else if r.state == Scheduled { // publishing a scheduled post again means not to wait for its date
			r.publishedAt = nil
		}
		r.publish(tx.Now())
	})
}

// Unpublish is the command that makes a post a draft again. The post retains its date. It fails
// with Conflict when the post has another revision; Revision 0 accepts every one.
type Unpublish struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name returns "posts.unpublish".
func (Unpublish) Name() string { return "posts.unpublish" }

// Apply implements repo.Command.
func (u Unpublish) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	return transition(ctx, tx, u.Target, u.Revision, func(r *record) { r.state = Draft })
}

// Release is the command that publishes a scheduled post at its date Due. Only the primary's
// Releaser may run it. It fails with Conflict when the post is not, or no longer, due at that date.
type Release struct {
	ID  int64     `json:"id"`
	Due time.Time `json:"due"`
}

// ReleaseKey returns the key of a release. It depends only on post and date, so the release happens
// once, whichever primary runs it.
func ReleaseKey(id int64, due time.Time) string {
	return fmt.Sprintf("release:%d:%s", id, repo.FormatTime(due))
}

// Name returns "posts.release".
func (Release) Name() string { return "posts.release" }

// Apply publishes the post if it is still scheduled for Due and that date has come.
func (r Release) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	if tx.Actor().Name != repo.System {
		return Ref{}, apperr.Errorf(apperr.Forbidden, "Only the primary releases posts.")
	}
	before, err := Target{ID: r.ID}.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if before.state != Scheduled || !before.publishedAt.Equal(r.Due) || r.Due.After(tx.Now()) {
		return Ref{}, apperr.Errorf(apperr.Conflict, "The post is not due at %s.", repo.FormatTime(r.Due))
	}
	// A release is no edit, so it leaves the revision as it is: neither an open editor nor the file
	// that the post came from has a conflict with it.
	after := before
	after.state = Published
	if err := save(ctx, tx, &before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), nil
}

// Delete is the command that removes a post with its old slugs and permalinks. Its pictures stay
// for a day after that, because a text that is not saved yet may name one of them; then the Sweeper
// of package media removes those that no post shows. It fails with Conflict when the post has
// another revision; Revision 0 accepts every one.
type Delete struct {
	Target
	Revision int64 `json:"revision,omitempty"`
}

// Name returns "posts.delete".
func (Delete) Name() string { return "posts.delete" }

// Apply implements repo.Command.
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

// transition loads the post t, applies change to it and stores the result. It fails with Conflict
// when revision is neither 0 nor the post's.
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
	return saveChange(ctx, tx, &before, &after)
}
