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
// when there is none. One post that cannot be released holds up no other.
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
		case errors.Is(err, repo.Conflict), errors.Is(err, repo.NotFound):
			again = true // changed meanwhile, or this clock is a little ahead of the history's
		case err != nil:
			failed = append(failed, fmt.Errorf("post %d: %w", s.ID, err))
		}
	}
	if again || next == 0 && len(list) == atOnce {
		next = retryRelease
	}
	return next, errors.Join(failed...)
}

// release runs s under its key. Whoever chose that very key for another write
// before must not keep the post from coming out, nor a release at the same date by a
// clock that was ahead and has been reset since: the state decides anyway.
func release(ctx context.Context, r *repo.Repo, s Release) error {
	key := ReleaseKey(s.ID, s.Due)
	_, receipt, err := repo.Do(ctx, r, s, repo.WithKey(key))
	if receipt.Replayed || repo.HasReason(err, repo.KeyReused) {
		_, err = repo.Write(ctx, r, s)
	}
	return err
}

// atOnce is how many scheduled posts are looked at in one go.
const atOnce = 100

// scheduled returns the releases to come, the earliest first.
func scheduled(ctx context.Context, r *repo.Repo) ([]Release, error) {
	var list []Release
	err := r.View(ctx, func(rd repo.Reader) (err error) {
		list = nil
		rows, err := rd.QueryContext(ctx, "SELECT id, published_at FROM posts WHERE state = 'scheduled' ORDER BY published_at, id LIMIT ?", atOnce)
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
