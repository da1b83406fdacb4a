package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"blog/internal/litefs"
)

// How often the database is checked, and how many checks in a row have to fail before this process
// ends and its container starts again.
const (
	watchEvery = 3 * time.Second
	watchTries = 5
)

// errBroken is the error of a process that ends because the database no longer works.
var errBroken = errors.New("the database cannot be used any more")

// watch ends the server when LiteFS's mount is dead, when a primary cannot begin a transaction in
// five checks in a row, or when none of its commits succeeds, or returns, for WRITE_STALL and another
// node could be elected. Nothing in this process can repair that, and while it holds the lease no
// other node is elected.
func (s *Server) watch(ctx context.Context) { s.watchWith(ctx, watchEvery, s.canary, s.fail) }

// observe is watch for a plain file. It ends nothing, because no other node could take over, but
// the status of writing stays current, and problems are in the log.
func (s *Server) observe(ctx context.Context) {
	s.watchWith(ctx, watchEvery, s.Repo.Canary, func(error) {})
}

// fail makes Run end with err, unless Run is ending already.
func (s *Server) fail(err error) {
	select {
	case s.failed <- fmt.Errorf("%w: %w", errBroken, err):
	default:
	}
}

// watchWith runs a watch with its own pace and check. It calls end once, when watchTries checks in
// a row have failed or when commits fail, and runs until ctx ends.
func (s *Server) watchWith(
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
	// The commits are watched separately, since a canary may wait for its turn while commits fail.
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
		s.log.Warn("the database does not work", "check", failed, "of", watchTries, "err", err)
		if failed == watchTries {
			ended(err)
		}
	}
}

// canary checks that the mount is LiteFS's and that the primary can begin a transaction.
func (s *Server) canary(ctx context.Context) error {
	if err := litefs.CheckMount(s.config.DatabasePath); err != nil {
		return err
	}
	return s.Repo.Canary(ctx)
}
