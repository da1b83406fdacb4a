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
// then has the rest of its own 10 s to close cleanly and to let go of its lease.
const (
	// handOverLimit is how long a standby may take to become primary.
	handOverLimit = 3 * time.Second
	// patienceLimit is when calls that still wait are answered as they are.
	patienceLimit = 4 * time.Second
	// cutLimit is when requests and sockets that have not ended are cut off: one client
	// that sends half a form must not keep this node's lease.
	cutLimit = 6 * time.Second
	// endLimit is when this process ends, whatever is still open: what SQLite has not
	// committed is rolled back by whoever opens the database next.
	endLimit = 8 * time.Second
)

// errUnclosed is why a process ends that could not close everything in time.
var errUnclosed = errors.New("closing took too long: what was still open was left as it was")

// end closes the server within the times of leaving. Requests and sockets that had to be
// cut off are no error. watched ends when the watch has.
func (s *Server) end(ctx context.Context, watched *sync.WaitGroup) error {
	ctx = context.WithoutCancel(ctx)
	start := time.Now()
	closed := make(chan error, 1)
	go func() {
		limited, cancel := context.WithTimeout(ctx, cutLimit)
		defer cancel()
		err := s.Close(limited)
		watched.Wait()
		closed <- err
	}()
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	select {
	case err := <-closed:
		s.log.Info("stopped", "took", time.Since(start))
		return err
	case <-limit.C:
		return errUnclosed
	}
}

// leave lets go of what others wait for, before anything is closed: sockets are told
// to go elsewhere while a primary hands over. Requests are still answered meanwhile.
func (s *Server) leave(ctx context.Context) error {
	// It goes on when leaving has ended: requests still wait then.
	time.AfterFunc(patienceLimit, s.Repo.Abandon)
	var lead error
	var both sync.WaitGroup
	both.Go(func() { s.hub.Close(ctx) })
	both.Go(func() { lead = s.handOver(ctx) })
	both.Wait()
	return lead
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
	// A transaction under way may outlast ctx, and must not keep the rest from closing.
	retired := make(chan error, 1)
	s.retiring.Go(func() { retired <- s.Repo.Retire() })
	select {
	case err := <-retired:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		s.log.Warn("a transaction is still under way: no standby was asked to take over")
		return nil
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
