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

// commits judges the results of this node's COMMITs. COMMITs can fail for as long as another
// process has a read transaction open, while BEGIN IMMEDIATE and the connections to other nodes
// work as usual.
type commits struct {
	writing func() repo.Writing
	primary func() bool // reports whether this node is primary
	others  func() bool // reports whether another node is in the sync set, and so could be elected
	limit   time.Duration
	log     *slog.Logger
}

func (s *Server) commits() *commits {
	return &commits{
		writing: s.Repo.Writing, limit: s.config.WriteStall, log: s.log,
		primary: func() bool { return s.node.Role().State == litefs.Primary },
		others:  func() bool { return s.control != nil && len(s.cluster.Self().SyncSet) > 1 },
	}
}

// fail reports whether this node is primary, at least three commits have failed over the whole
// limit, and none has succeeded in that time.
func (c *commits) fail(now time.Time) (repo.Writing, bool) {
	w := c.writing()
	return w, c.primary() && w.CommitsFail(now, c.limit)
}

// watch checks at every tick until ctx ends. When commits fail it calls end, so that another node
// is elected, and returns. When this node is alone in the sync set it logs that once and goes on,
// because no other node may write.
func (c *commits) watch(ctx context.Context, every time.Duration, end func(err error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for said := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		w, failing := c.fail(time.Now())
		switch {
		case failing && c.others():
			end(fmt.Errorf("%d commits in a row have failed since %s: %w", w.Failed, w.Since.UTC().Format(time.RFC3339), w.Err))
			return
		case failing && !said:
			c.log.Error("no commit succeeds, and this node stays: no other one may be elected",
				"failed", w.Failed, "since", w.Since, "err", w.Err)
		case said && !failing:
			c.log.Info("commits do not fail any more, or are not this node's")
		}
		said = failing
	}
}

// problem returns a sentence for the status when commits fail, and "" otherwise.
func (c *commits) problem(now time.Time) string {
	w, failing := c.fail(now)
	if !failing {
		return ""
	}
	text := fmt.Sprintf("No commit has succeeded since %s, and %d have failed: nothing can be written.",
		w.Since.UTC().Format(time.RFC3339), w.Failed)
	if !c.others() {
		text += " This node stays, since no other one may be elected."
	}
	return text
}
