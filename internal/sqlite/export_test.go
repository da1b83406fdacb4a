package sqlite

import (
	"context"
	"time"
)

// Gate lets the tests walk through a gate whose clock and timer are theirs.
type Gate struct{ g *gate }

func NewGate(now func() time.Time, after func(time.Duration, func())) Gate {
	return Gate{&gate{now: now, after: after}}
}

func (g Gate) Enter(ctx context.Context) error { return g.g.enter(ctx) }
func (g Gate) Pass()                           { g.g.pass() }
func (g Gate) Leave()                          { g.g.leave() }

// LongestRun is the constant of the gate.
const LongestRun = longestRun

// SetGate replaces the gate of a database that LiteFS may change.
func (d *Database) SetGate(g Gate) { d.gate = g.g }
