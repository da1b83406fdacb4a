package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
)

// Limits of leaving, counted from its beginning. The LiteFS node around this process has 10 s in
// all, so the remaining time is for closing cleanly and for releasing its lease.
const (
	// handOverLimit is how long a standby may take to become primary.
	handOverLimit = 3 * time.Second
	// patienceLimit is when calls that still wait are answered, whatever is known of them.
	patienceLimit = 4 * time.Second
	// cutLimit is when requests and sockets that have not ended are cut off. Otherwise one client
	// that sends half a form would hold this node's lease.
	cutLimit = 6 * time.Second
	// endLimit is when this process ends, whatever is still open. The process that opens the
	// database next rolls back what SQLite has not committed.
	endLimit = 8 * time.Second
)

// errUnclosed is the error of a process that ends before everything is closed.
var errUnclosed = errors.New("closing took too long: what was still open was left as it was")

// end closes the server within the limits of leaving. It also waits for watched, the watch of the
// database. It fails with errUnclosed after endLimit; requests and sockets that had to be cut off
// are no error.
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

// leave releases what other nodes and clients wait for, before anything is closed: it sends sockets
// elsewhere while a primary hands over its role. Requests are still answered meanwhile.
func (s *Server) leave(ctx context.Context) error {
	// The timer runs on after leave has returned, because requests may still wait then.
	time.AfterFunc(patienceLimit, s.Repo.Abandon)
	var roleErr error
	var both sync.WaitGroup
	both.Go(func() { s.hub.Close(ctx) })
	both.Go(func() { roleErr = s.handOver(ctx) })
	both.Wait()
	return roleErr
}

// handOver ends writing on this node and hands the lease to a standby. On a standby it only
// announces that this node leaves. A hand-off that fails is logged and is no error: the lease is
// released when LiteFS closes, and then another member of the sync set is elected.
func (s *Server) handOver(ctx context.Context) error {
	if s.control == nil {
		return nil
	}
	// A primary announces it too: after the hand-off it is the new primary's standby for a few
	// moments, in which nobody may wait for it.
	s.cluster.Leave(ctx)
	if s.node.Role().State != litefs.Primary {
		return nil
	}
	if s.Repo.Writing().Hangs(time.Now(), 0) {
		s.log.Warn("a transaction hangs: no standby is asked to take over; one is elected when this node's lease ends")
		return nil
	}
	// A transaction under way may take longer than ctx, and must not delay the closing of
	// everything else.
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
