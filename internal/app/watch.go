package app

import (
	"context"
	"errors"
	"fmt"
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

// watch ends the server when LiteFS's mount is dead, or when a primary cannot begin a
// transaction for a quarter of a minute: nothing in this process can mend that, and a
// lease that is held by it keeps others from being elected.
func (s *Server) watch(ctx context.Context) { s.look(ctx, watchEvery, s.canary) }

// look is watch with a pace and a question of its own.
func (s *Server) look(ctx context.Context, every time.Duration, canary func(ctx context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failed := 0
	for {
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
		failed++
		s.log.Warn("the database does not work", "look", failed, "of", watchTries, "err", err)
		if failed == watchTries && ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("%w: %w", errBroken, err):
			default: // it ends already
			}
			return
		}
	}
}

func (s *Server) canary(ctx context.Context) error {
	if err := litefs.CheckMount(s.config.DatabasePath); err != nil {
		return err
	}
	return s.Repo.Canary(ctx)
}
