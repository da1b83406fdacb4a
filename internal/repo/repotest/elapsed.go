package repotest

import (
	"sync/atomic"
	"time"
)

// Elapsed is a clock of clock.Source.Elapsed's kind: it counts the time that package time counts, and what a test has
// it jump on by besides, as if the machine had been suspended for so long.
type Elapsed struct {
	began  time.Time
	jumped atomic.Int64
}

// NewElapsed returns one that begins now and has not jumped.
func NewElapsed() *Elapsed { return &Elapsed{began: time.Now()} }

// Read is what it counts.
func (e *Elapsed) Read() time.Duration { return time.Since(e.began) + time.Duration(e.jumped.Load()) }

// Jump makes it jump on by d.
func (e *Elapsed) Jump(d time.Duration) { e.jumped.Add(int64(d)) }
