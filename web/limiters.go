package web

import (
	"context"
	"time"

	"blog/internal/apperr"
)

// defaultSearchLimit bounds a search. One that finds everything in a thousand posts takes less.
const defaultSearchLimit = time.Second

// limiters limit how many expensive requests run at once.
type limiters struct {
	// search admits one search of a stranger at a time. A search can be made to read the whole
	// index, and LiteFS applies nothing while a read is open: several that overlap would stop the
	// copy of a replica.
	search      limiter
	searchLimit time.Duration
	// pictures limits the forms with a picture, which is in memory until it is stored.
	pictures limiter
}

// picturesAtOnce is how many pictures may be in memory at the same time.
const picturesAtOnce = 4

func newLimiters(searchLimit time.Duration) limiters {
	return limiters{search: make(limiter, 1), searchLimit: searchLimit, pictures: make(limiter, picturesAtOnce)}
}

// limiter admits as many callers as its capacity.
type limiter chan struct{}

// enter waits until there is room, or until ctx ends. Each successful enter needs a leave.
func (l limiter) enter(ctx context.Context) (ok bool) {
	select {
	case l <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l limiter) leave() { <-l }

// turn waits until a search may begin, and returns its context with a deadline, or an error when too many wait. Authors
// do not wait for strangers. The caller calls leave when the search is over: the limiter then pauses for as long as the
// search took, so that searches of strangers take at most half of the time, and replication has the other half.
func (s *Site) turn(ctx context.Context, signed bool) (_ context.Context, leave func(), err error) {
	limit := s.limiters.searchLimit
	pause := func(time.Duration) {}
	if !signed {
		wait, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if !s.limiters.search.enter(wait) {
			return nil, nil, errManySearches()
		}
		pause = func(took time.Duration) { time.AfterFunc(took, s.limiters.search.leave) }
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, func() {
		cancel()
		pause(time.Since(begun))
	}, nil
}

func errManySearches() error {
	return apperr.NewUnavailable("", "Many people are searching right now. Try again in a moment.", time.Second, nil)
}

// ended returns an error that says that the time of a search is over, whatever error the database
// returned.
func ended(ctx context.Context, v view, err error) error {
	if !v.search || ctx.Err() == nil {
		return err
	}
	return apperr.NewUnavailable("",
		"This search takes too long. Look for fewer words, or for longer beginnings of words.", time.Second, nil)
}
