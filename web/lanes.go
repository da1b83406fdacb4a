package web

import (
	"context"
	"time"

	"blog/internal/repo"
)

// defaultSearchLimit bounds a search; one that finds everything in a thousand
// posts takes less.
const defaultSearchLimit = time.Second

// lanes are where requests that cost much wait for each other.
type lanes struct {
	// search is one stranger's search at a time. A search can be made to read the
	// whole index, and LiteFS applies nothing while a read is open: several of
	// them, each beginning before the other ends, would stop a replica's copy.
	search      lane
	searchLimit time.Duration
	// pictures are forms with a picture, which is in memory until it is stored.
	pictures lane
}

// picturesAtOnce is how many pictures are in memory for being stored.
const picturesAtOnce = 4

func newLanes(searchLimit time.Duration) lanes {
	return lanes{search: make(lane, 1), searchLimit: searchLimit, pictures: make(lane, picturesAtOnce)}
}

// lane has room for as many as its capacity.
type lane chan struct{}

// enter waits for room, until ctx ends. Who has entered has to leave.
func (l lane) enter(ctx context.Context) (ok bool) {
	select {
	case l <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l lane) leave() { <-l }

// turn waits until a search may begin and gives it its deadline. Authors do not
// wait for strangers. leave is to be called when the search is over: the lane
// then rests for as long as it took, so that strangers' searches take half of
// the time at most and replication has the other half.
func (s *Site) turn(ctx context.Context, signed bool) (_ context.Context, leave func(), err error) {
	limit := s.lanes.searchLimit
	rest := func(time.Duration) {}
	if !signed {
		wait, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if !s.lanes.search.enter(wait) {
			return nil, nil, errManySearches()
		}
		rest = func(took time.Duration) { time.AfterFunc(took, s.lanes.search.leave) }
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, func() {
		cancel()
		rest(time.Since(begun))
	}, nil
}

func errManySearches() error {
	return &repo.Error{Code: repo.Unavailable, Message: "Many people are searching right now. Try again in a moment.", RetryAfter: 1}
}

// ended says of a search that its time is over, whatever the database made of it.
func ended(ctx context.Context, v view, err error) error {
	if !v.search || ctx.Err() == nil {
		return err
	}
	return &repo.Error{Code: repo.Unavailable, Message: "This search takes too long. Look for fewer words, or for longer beginnings of words.", RetryAfter: 1}
}
