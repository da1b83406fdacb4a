package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// writeStall is the default of WRITE_STALL.
const writeStall = 20 * time.Second

// commits judges the results of this node's COMMITs, and those of its transactions' steps that have
// none. COMMITs can fail for as long as another process has a read transaction open, while BEGIN
// IMMEDIATE and the connections to other nodes work as usual. On a disk that hangs nothing fails, and
// nothing returns.
type commits struct {
	writing func() repo.Writing
	primary func() bool // reports whether this node is primary
	others  func() bool // reports whether another node is in the sync set, and so could be elected; may take seconds
	limit   time.Duration
	log     *slog.Logger
}

func (s *Server) commits() *commits {
	return &commits{
		writing: s.Repo.Writing, limit: s.config.WriteStall, log: s.log,
		primary: func() bool { return s.node.Role().State == litefs.Primary },
		others:  s.others,
	}
}

// standingLimit is how long Consul may take to say what the sync set is.
const standingLimit = 5 * time.Second

// others reports whether another node is in the sync set. Where no term has begun here, since its beginning hangs, or
// the end of the one before, Consul is asked. Without its answer nobody can be elected.
func (s *Server) others() bool {
	if s.control == nil {
		return false
	}
	if set := s.cluster.Self().SyncSet; len(set) > 0 {
		return len(set) > 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), standingLimit)
	defer cancel()
	standing, err := s.control.Standing(ctx)
	return err == nil && standing.Set != nil && len(standing.Set.Members) > 1
}

// failure returns why nothing can be written on this node, if it is primary: at least three commits
// have failed over the whole limit and none has succeeded in that time, or a step of a transaction
// has not returned.
func (c *commits) failure(now time.Time) (repo.Writing, error) {
	w := c.writing()
	if !c.primary() {
		return w, nil
	}
	return w, w.Failure(now, c.limit)
}

// watch checks at every tick until ctx ends. When nothing can be written it calls end, so that
// another node is elected, and returns. When this node is alone in the sync set it logs that once and
// goes on, because no other node may write. A step that hangs counts at the second check that sees
// it: a process that was stopped for a while has had no time to see its step return.
func (c *commits) watch(ctx context.Context, every time.Duration, end func(err error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var hung time.Time // Pending of the step that hung at the check before
	for said := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		w, failure := c.failure(now)
		if failure != nil && w.Hangs(now, c.limit) && !w.Pending.Equal(hung) {
			hung = w.Pending
			tick.Reset(every) // after a stop the next tick may come at once
			continue
		}
		switch {
		case failure != nil && c.others():
			end(failure)
			return
		case failure != nil && !said:
			c.log.Error("no commit succeeds, and this node stays: no other one may be elected", "err", failure)
		case said && failure == nil:
			c.log.Info("commits do not fail any more, or are not this node's")
		}
		said = failure != nil
	}
}

// problem returns a sentence for the status when nothing can be written, and "" otherwise.
func (c *commits) problem(now time.Time) string {
	w, failure := c.failure(now)
	if failure == nil {
		return ""
	}
	text := fmt.Sprintf("No commit has succeeded since %s, and %d have failed: nothing can be written.",
		w.Since.UTC().Format(time.RFC3339), w.Failed)
	if w.Hangs(now, c.limit) {
		text = fmt.Sprintf("A write has not returned since %s: nothing can be written, and this node's disk may hang.",
			w.Pending.UTC().Format(time.RFC3339))
	}
	if !c.others() {
		text += " This node stays, since no other one may be elected."
	}
	return text
}
