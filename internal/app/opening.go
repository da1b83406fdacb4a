package app

import (
	"context"
	"fmt"
	"time"
)

// openLimit is how long a node under LiteFS may take to open. Its steps are short ones, whatever the size of the
// database: a migration is a part of a term, which begins later.
const openLimit = time.Minute

// secondCheck is how much longer an opening may take that has reached its limit: a process that was stopped for a while
// has had no time to return.
const secondCheck = 3 * time.Second

// openWithin returns what open returns. Under LiteFS it waits for openLimit at most, and for endLimit once ctx has
// ended. A step that reads a disk that hangs never returns, and no context ends it. Nobody watches the node at that
// time, and its LiteFS node may hold the lease. A plain file is migrated while it is opened, and no other node waits
// for a lease, so there only ctx ends the waiting.
//
// It fails with errBroken after openLimit and with errUnclosed after endLimit. What open has opened is left to the end
// of the process then.
func openWithin(
	ctx context.Context, c Config, open func(ctx context.Context) (*Server, error),
) (*Server, error) {
	type result struct {
		s   *Server
		err error
	}
	opened := make(chan result, 1)
	go func() {
		s, err := open(ctx)
		opened <- result{s, err}
	}()
	late := make(<-chan time.Time)
	if c.LiteFSURL != "" {
		late = time.After(openLimit)
	}
	ended := ctx.Done()
	failure := fmt.Errorf("%w: it could not be opened in %s: the disk below this node's database may hang",
		errBroken, openLimit)
	for checks := 0; ; {
		select {
		case r := <-opened:
			return r.s, r.err
		case <-ended:
			ended, late, failure, checks = nil, time.After(endLimit), errUnclosed, 1 // one check is enough
		case <-late:
			if checks++; checks > 1 {
				return nil, failure
			}
			late = time.After(secondCheck)
		}
	}
}
