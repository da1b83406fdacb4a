package cluster

import (
	"context"
	"log/slog"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/repo"
)

// HeartbeatEvery is how often a replica sends a whole report.
const HeartbeatEvery = decide.HeartbeatEvery

// FlushLog returns when all is in the log that was logged before.
func (c *Cluster) FlushLog() { c.late.flush() }

// NewLateLog returns a logger that does not wait for the one given, and what waits for its lines.
func NewLateLog(ctx context.Context, logger *slog.Logger) (late *slog.Logger, flush func()) {
	l, late := newLateLog(ctx, logger)
	return late, l.flush
}

// MaxLateLines is how many lines wait to be written.
const MaxLateLines = maxLateLines

// Uplinks is how many uplinks a node has to this one, -1 when it is not known.
func (c *Cluster) Uplinks(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	uplinks, _ := c.state.Peer(id)
	return uplinks
}

// Reports tells the reports of a node apart: another value, another report.
func (c *Cluster) Reports(id string) decide.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, heard := c.state.Peer(id)
	return heard
}

// FailLonger makes a node whose uplink fails believe that it has done so for d longer.
func (c *Cluster) FailLonger(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.failing.IsZero() {
		c.failing = c.failing.Add(-d)
	}
}

// ReadPosition reads this node's position from its database, as a new uplink does.
func (c *Cluster) ReadPosition(ctx context.Context) error { return c.readPosition(ctx) }

// Acts reports whether anything may still act for a term.
func Acts(t repo.Term) bool { return t.(*term).run.Err() == nil }
