package posts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Releaser returns the primary's task that publishes scheduled posts at their date. It sleeps until
// the earliest date and releases overdue posts when it starts. Every write wakes it, since a write
// may bring an earlier date. now is the primary's clock.
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

// Pauses of the Releaser.
const (
	retryRelease = time.Second
	// longestSleep bounds the delay of a release after a machine was suspended or its clock was
	// set.
	longestSleep = time.Minute
)

// releaseDue releases the posts whose date has come, and returns how long to wait for the next
// date, or 0 when there is none. A post that cannot be released does not delay the others.
func releaseDue(ctx context.Context, r *repo.Repo, now func() time.Time) (next time.Duration, err error) {
	list, err := scheduled(ctx, r)
	if err != nil {
		return 0, err
	}
	again := false
	var failed []error
	for _, s := range list {
		if wait := s.Due.Sub(now()); wait > 0 {
			next = wait
			break
		}
		err := release(ctx, r, s)
		switch {
		case errors.Is(err, apperr.Conflict), errors.Is(err, apperr.NotFound):
			again = true // the post was changed meanwhile, or this clock is a little ahead of the history's
		case err != nil:
			failed = append(failed, fmt.Errorf("post %d: %w", s.ID, err))
		}
	}
	if again || next == 0 && len(list) == atOnce {
		next = retryRelease
	}
	return next, errors.Join(failed...)
}

// release runs s under its key, and once more under a random key when the key is used already: by
// another write, or by an earlier release for the same date under a clock that was ahead and has
// been set back. The stored state decides whether the post is released, so the second run is safe.
func release(ctx context.Context, r *repo.Repo, s Release) error {
	key := ReleaseKey(s.ID, s.Due)
	_, receipt, err := repo.Do(ctx, r, s, repo.WithKey(key))
	if receipt.Replayed || apperr.HasReason(err, apperr.KeyReused) {
		_, err = repo.Write(ctx, r, s)
	}
	return err
}

// atOnce is how many scheduled posts one query reads.
const atOnce = 100

// scheduled returns the releases to come, earliest first, at most atOnce.
func scheduled(ctx context.Context, r *repo.Repo) ([]Release, error) {
	var list []Release
	err := r.View(ctx, func(rd repo.Reader) (err error) {
		list = nil
		rows, err := rd.QueryContext(ctx,
			"SELECT id, published_at FROM posts WHERE state = 'scheduled' ORDER BY published_at, id LIMIT ?", atOnce)
		if err != nil {
			return fmt.Errorf("read scheduled posts: %w", err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var s Release
			var at string
			if err = rows.Scan(&s.ID, &at); err != nil {
				return fmt.Errorf("read scheduled posts: %w", err)
			}
			if s.Due, err = repo.ParseTime(at); err != nil {
				return err
			}
			list = append(list, s)
		}
		return rows.Err()
	})
	return list, err
}

// wake is a tail of the feed that signals that something was written, without saying what.
type wake chan struct{}

func (w wake) Rows(context.Context, []repo.Row)   { w.ring() }
func (w wake) Reset(context.Context, repo.Cursor) { w.ring() }

func (w wake) ring() {
	select {
	case w <- struct{}{}:
	default: // a signal is waiting already
	}
}
