package posts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/repo"
)

// Releaser publishes scheduled posts when their date comes. It is a task of the
// primary, and only of the primary: it sleeps until the earliest date, releases
// at once what is overdue when it starts, and is woken by every write, since one
// may bring an earlier date.
func Releaser(log *slog.Logger, now func() time.Time) repo.Task {
	return func(ctx context.Context, r *repo.Repo) {
		woken := make(wake, 1)
		r.Feed().Attach(woken)
		defer r.Feed().Detach(woken)
		for ctx.Err() == nil {
			next, err := releaseDue(ctx, r, now)
			if err != nil && ctx.Err() == nil {
				log.Error("release scheduled posts", "err", err)
				next = retryRelease
			}
			var due <-chan time.Time
			if next > 0 {
				due = time.After(min(next, longestSleep))
			}
			select {
			case <-ctx.Done():
			case <-due:
			case <-woken:
			}
		}
	}
}

const (
	retryRelease = time.Second
	// longestSleep keeps a laptop's suspended timer or a stepped clock from
	// delaying a release for long.
	longestSleep = time.Minute
)

// releaseDue releases what is due and returns how long until the next date, 0
// when there is none.
func releaseDue(ctx context.Context, r *repo.Repo, now func() time.Time) (time.Duration, error) {
	for {
		id, due, err := earliest(ctx, r)
		if err != nil || id == 0 {
			return 0, err
		}
		if wait := due.Sub(now()); wait > 0 {
			return wait, nil
		}
		_, err = repo.Write(ctx, r, Release{ID: id, Due: due}, repo.WithKey(ReleaseKey(id, due)))
		// Changed meanwhile, or this clock is a little ahead of the history's:
		// look again.
		if errors.Is(err, repo.Conflict) || errors.Is(err, repo.NotFound) {
			return retryRelease, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func earliest(ctx context.Context, r *repo.Repo) (id int64, due time.Time, err error) {
	err = r.View(ctx, func(rd repo.Reader) error {
		var at string
		err := rd.QueryRowContext(ctx, "SELECT id, published_at FROM posts WHERE state = 'scheduled' ORDER BY published_at, id LIMIT 1").Scan(&id, &at)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read earliest date: %w", err)
		}
		due, err = repo.ParseTime(at)
		return err
	})
	return id, due, err
}

// wake is a tail of the feed that only says that something happened.
type wake chan struct{}

func (w wake) Rows(context.Context, []repo.Row)   { w.ring() }
func (w wake) Reset(context.Context, repo.Cursor) { w.ring() }

func (w wake) ring() {
	select {
	case w <- struct{}{}:
	default: // it is ringing
	}
}
