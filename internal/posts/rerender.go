package posts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/markdown"
	"blog/internal/repo"
)

// Rerender renders one post again with this release's renderer. What the author
// wrote does not change, nor does the revision.
type Rerender struct {
	ID      int64 `json:"id"`
	Version int   `json:"version"`

	doc *rendered
	of  int64
}

// Name is "posts.rerender".
func (Rerender) Name() string { return "posts.rerender" }

// Bulk says that it comes for all posts, one after the other.
func (Rerender) Bulk() {}

// Prepare renders the body as it is stored.
func (c Rerender) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	if c.Version != markdown.Version {
		return nil, repo.Errorf(repo.Unavailable, "This release renders with version %d.", markdown.Version)
	}
	post, files, err := Target{ID: c.ID}.loadWithMedia(ctx, v)
	if err != nil {
		return nil, err
	}
	doc, err := render(ctx, v, post.body, post.anchor, files)
	c.doc, c.of = &doc, post.revision
	return c, err
}

// Apply stores what was rendered, if the post is still the one it was made of.
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
	// A picture that this renderer does not show stays the post's: the next one may.
	if err := addMedia(ctx, tx, post.id, c.doc.media); err != nil {
		return Ref{}, err
	}
	if err := index(ctx, tx, post.id); err != nil {
		return Ref{}, err
	}
	touch(tx, &post)
	return post.ref(), nil
}

// Rerenderer is a task of the primary: it renders what an older (or newer)
// release rendered, post by post, each in a small write of its own.
func Rerenderer(log *slog.Logger) repo.Task {
	return func(ctx context.Context, r *repo.Repo) {
		after := int64(0)
		for ctx.Err() == nil {
			id, err := stale(ctx, r, after)
			switch {
			case err != nil && ctx.Err() == nil:
				log.Error("look for posts to render again", "err", err)
				pause(ctx, retryRerender)
				continue
			case err != nil, id == 0:
				return
			}
			_, err = repo.Write(ctx, r, Rerender{ID: id, Version: markdown.Version})
			switch {
			case errors.Is(err, repo.Conflict): // edited meanwhile: look again
			case errors.Is(err, repo.NotFound): // deleted meanwhile: done
				after = id
			case errors.Is(err, repo.Unavailable) && ctx.Err() == nil:
				log.Warn("render again", "post", id, "err", err)
				pause(ctx, retryRerender)
			case err != nil && ctx.Err() == nil:
				log.Error("render again", "post", id, "err", err)
				after = id // the next ones first; this one at the next start
			default:
				after = id
			}
		}
	}
}

// retryRerender is how soon a write that could not be taken is tried again.
const retryRerender = time.Second

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func stale(ctx context.Context, r *repo.Repo, after int64) (id int64, err error) {
	err = r.View(ctx, func(rd repo.Reader) error {
		err = rd.QueryRowContext(ctx, "SELECT id FROM posts WHERE renderer <> ? AND id > ? ORDER BY id LIMIT 1", markdown.Version, after).Scan(&id)
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

// Commands are the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{
		repo.Register[Create](), repo.Register[Update](), repo.Register[Publish](), repo.Register[Unpublish](),
		repo.Register[Delete](), repo.Register[Release](), repo.Register[Rerender](), repo.Register[Import](),
	}
}
