package posts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/repo"
)

// Rerender is the command that renders a post again with this release's renderer. It changes
// neither what the author wrote nor the revision. It fails with Conflict when the post was edited
// since Prepare, and with Unavailable when Version is not this release's.
type Rerender struct {
	ID      int64 `json:"id"`
	Version int   `json:"version"`

	doc *rendered
	of  int64
}

// Name returns "posts.rerender".
func (Rerender) Name() string { return "posts.rerender" }

// Bulk marks the command as one of many: an upgrade sends one for each post.
func (Rerender) Bulk() {}

// Prepare renders the body as it is stored. It fails with Unavailable when Version is not this release's.
func (c Rerender) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	if c.Version != markdown.Version {
		return nil, apperr.Errorf(apperr.Unavailable, "This release renders with version %d.", markdown.Version)
	}
	post, files, err := Target{ID: c.ID}.loadWithMedia(ctx, v)
	if err != nil {
		return nil, err
	}
	doc, err := render(ctx, v, post.body, post.anchor, files)
	c.doc, c.of = &doc, post.revision
	return c, err
}

// Apply stores what Prepare rendered, if the post still has the revision that it was rendered from.
func (c Rerender) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	post, err := Target{ID: c.ID}.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if post.revision != c.of {
		return Ref{}, conflict(post.revision)
	}
	if err := unindex(ctx, tx, post.id); err != nil {
		return Ref{}, err
	}
	if err := storeDoc(ctx, tx, post.id, c.doc); err != nil {
		return Ref{}, err
	}
	// A picture that this renderer does not show stays with the post, since another renderer may
	// show it.
	if err := addMedia(ctx, tx, post.id, c.doc.media); err != nil {
		return Ref{}, err
	}
	if err := index(ctx, tx, post.id); err != nil {
		return Ref{}, err
	}
	touch(tx, &post)
	return post.ref(), nil
}

// Rerenderer returns the primary's task that renders the posts which another release has rendered,
// older or newer. Each post is a small write. The task ends when no such post is left.
func Rerenderer(log *slog.Logger) repo.Task {
	return func(ctx context.Context, r *repo.Repo) {
		after := int64(0)
		for ctx.Err() == nil {
			id, err := stale(ctx, r, after)
			switch {
			case err != nil && ctx.Err() == nil:
				log.Error("find posts to render again", "err", err)
				pause(ctx, retryRerender)
				continue
			case err != nil, id == 0:
				return
			}
			_, err = repo.Write(ctx, r, Rerender{ID: id, Version: markdown.Version})
			switch {
			case errors.Is(err, apperr.Conflict): // edited meanwhile, so it is read again
			case errors.Is(err, apperr.NotFound): // deleted meanwhile
				after = id
			case errors.Is(err, apperr.Unavailable) && ctx.Err() == nil:
				log.Warn("render again", "post", id, "err", err)
				pause(ctx, retryRerender)
			case err != nil && ctx.Err() == nil:
				log.Error("render again", "post", id, "err", err)
				after = id // the next posts first; this one at the next start
			default:
				after = id
			}
		}
	}
}

// retryRerender is the pause before a failed write is tried again.
const retryRerender = time.Second

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// stale returns the first post after the id after that another renderer has rendered, or 0 when
// there is none.
func stale(ctx context.Context, r *repo.Repo, after int64) (id int64, err error) {
	err = r.View(ctx, func(rd repo.Reader) error {
		err = rd.QueryRowContext(ctx, "SELECT id FROM posts WHERE renderer <> ? AND id > ? ORDER BY id LIMIT 1",
			markdown.Version, after).Scan(&id)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read renderer versions: %w", err)
		}
		return nil
	})
	return id, err
}

// Commands returns the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{
		repo.Register[Create](), repo.Register[Update](), repo.Register[Publish](), repo.Register[Unpublish](),
		repo.Register[Delete](), repo.Register[Release](), repo.Register[Rerender](), repo.Register[Import](),
		repo.Register[Pin](), repo.Register[Unpin](),
	}
}
