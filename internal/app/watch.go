package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"blog/internal/litefs"
)

// How often the database is looked at, and how many looks in a row must fail before
// this process ends, so that its container starts clean.
const (
	watchEvery = 3 * time.Second
	watchTries = 5
)

// errBroken is why a process ends that could not do its work any more.
var errBroken = errors.New("the database cannot be used any more")

// watch ends the server when LiteFS's mount is dead, when a primary cannot begin a
// transaction for a quarter of a minute, or when none of its commits succeeds for
// WRITE_STALL and another node could be elected: nothing in this process can mend that,
// and a lease that is held by it keeps others from being elected.
func (s *Server) watch(ctx context.Context) { s.look(ctx, watchEvery, s.canary, s.fail) }

// observe is watch for a plain file, which ends nothing, since nobody else could do the
// work: what is said of writing stays current, and what is wrong is in the log.
func (s *Server) observe(ctx context.Context) {
	s.look(ctx, watchEvery, s.Repo.Canary, func(error) {})
}

// fail has Run end with err, unless it ends already.
func (s *Server) fail(err error) {
	select {
	case s.failed <- fmt.Errorf("%w: %w", errBroken, err):
	default:
	}
}

// look is watch with a pace and a question of its own. It calls end once, when the
// question was answered with an error as often as that takes, or when commits fail.
func (s *Server) look(
	ctx context.Context, every time.Duration, canary func(ctx context.Context) error, end func(err error),
) {
	var both sync.WaitGroup
	defer both.Wait()
	var once sync.Once
	ended := func(err error) {
		if ctx.Err() == nil {
			once.Do(func() { end(err) })
		}
	}
	// A canary may wait for its turn while commits fail.
	both.Go(func() { s.commits().watch(ctx, every, ended) })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failed := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := canary(ctx)
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed > watchTries {
			continue
		}
		s.log.Warn("the database does not work", "look", failed, "of", watchTries, "err", err)
		if failed == watchTries {
			ended(err)
		}
	}
}

func (s *Server) canary(ctx context.Context) error {
	if err := litefs.CheckMount(s.config.DatabasePath); err != nil {
		return err
	}
	return s.Repo.Canary(ctx)
}
