// Package decide owns every decision of package cluster, as a value: events go in, and
// what has to be done comes out.
//
// State is what one node knows: the reports of the others, the primary's heartbeats, the
// term that the node is in, and the answers that wait. On handles an event and returns
// effects. The same events give the same effects: State reads no clock, holds no lock,
// starts no goroutine and does no I/O, so that a test can run many nodes in one loop and
// check the claims of cluster's DESIGN.md after each step. State is not safe for
// concurrent use.
//
// The package refuses to talk to anybody: package cluster brings the events and carries
// the effects out.
package decide

import (
	"log/slog"
	"time"
)

// Instant is a moment of the clock that goes on while this process is stopped, its machine
// suspended included, as what has passed since a moment long before the process began. The
// zero Instant is long ago, so it stands for "never".
type Instant = time.Duration

// Policy says what an acknowledgement rests on.
type Policy string

// The policies.
const (
	Two    Policy = "two"    // two nodes; the primary alone when the standby is lost
	Strict Policy = "strict" // two nodes, always: no standby, no acknowledgement
	Local  Policy = "local"  // the primary's disk: a plain file, or a static lease
)

// Config is what does not change while a node runs.
type Config struct {
	// SyncSet says that there is a sync set. Without one there are reports, for the status,
	// and no term.
	SyncSet bool
	Policy  Policy
	Wait    time.Duration // cluster.Options.Wait
	Stall   time.Duration // cluster.Options.Stall
}

// Times that the decisions go by.
const (
	// HeartbeatEvery is how often a replica sends a whole report. A primary sends a
	// heartbeat half as often.
	HeartbeatEvery = 500 * time.Millisecond
	// TickEvery is how often a term has to be given a Tick.
	TickEvery = 100 * time.Millisecond

	lostAfter = 2 * time.Second // without a report a standby is not there

	// comesBack is what a primary that has lost its role needs to find the next one and to
	// report there. With the election it has to stay within two leases.
	comesBack = 3 * time.Second / 4

	// Slept is a pause between two events of a term after which the process must have been
	// stopped: what it has not received meanwhile says nothing about the others, and its
	// lease may be over.
	Slept = time.Second

	// askAgain is the pause between two questions to Consul that it answers: many answers
	// wait for one.
	askAgain = 5 * time.Millisecond
	// verifyEvery is how often Consul is asked although nothing waits for its answer: it may
	// have been restored from a snapshot.
	verifyEvery = time.Second

	// leftFor is how long a node that said it leaves counts as gone for the next primary: a
	// restart that lasts longer is no part of the same upgrade.
	leftFor = 30 * time.Second

	// forgetAfter is how long after its last report the primary forgets a node that is gone.
	forgetAfter = 24 * time.Hour
)

// Joining: how far behind a standby may be to begin with, how long writes wait for it
// before it is given up for now, and for how long it is then left alone.
const (
	joinWithin = 200
	joinLimit  = 2 * time.Second
	joinAgain  = 5 * time.Second
)

// Log is the effect of writing a line to the log.
type Log struct {
	Level slog.Level
	Text  string
	Attrs []any
}
