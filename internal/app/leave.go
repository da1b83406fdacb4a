package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
)

// Times of leaving, counted from its beginning. The LiteFS node around this process
// then has the rest of its own 10 s to close cleanly.
const (
	// handOverLimit is how long a standby may take to become primary.
	handOverLimit = 3 * time.Second
	// patienceLimit is when calls that still wait are answered as they are.
	patienceLimit = 4 * time.Second
)

// leave lets go of what others wait for, before anything is closed: sockets are told
// to go elsewhere while a primary hands over. Requests are still answered meanwhile.
func (s *Server) leave(ctx context.Context) error {
	// It goes on when leaving has ended: requests still wait then.
	time.AfterFunc(patienceLimit, s.Repo.Abandon)
	var sockets, lead error
	var both sync.WaitGroup
	both.Go(func() { sockets = s.hub.Close(ctx) })
	both.Go(func() { lead = s.handOver(ctx) })
	both.Wait()
	return errors.Join(sockets, lead)
}

// handOver stops writing here and gives the lead to a standby. A standby only says that
// it goes. Failing is no error of the end: the lease is released when LiteFS closes,
// and then another member of the sync set is elected.
func (s *Server) handOver(ctx context.Context) error {
	if s.control == nil {
		return nil
	}
	// A primary says it, too: when it has handed over it is the new one's standby for
	// the moments that are left, and must not be waited for.
	s.cluster.Leave(ctx)
	if s.node.Role().State != litefs.Primary {
		return nil
	}
	if err := s.Repo.Retire(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	start := time.Now()
	switch err := s.cluster.HandOff(ctx); {
	case errors.Is(err, cluster.ErrNoStandby):
		s.log.Warn("leaving without a standby: writes wait until this node is back")
	case err != nil:
		s.log.Warn("the standby has not taken over in time", "err", err)
	default:
		s.log.Info("handed over", "to", s.node.Role().Host, "took", time.Since(start))
	}
	return nil
}
