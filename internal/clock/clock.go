package clock

import (
	"log/slog"
	"sync"
	"time"
)

// Source reads the machine's clocks.
type Source func() Reading

// Elapsed is the time since some moment of the past, by the clock that goes on while the machine is suspended:
// Reading.Mono. What a node believes of the others grows old by it; package documentation has the rule.
func (s Source) Elapsed() time.Duration { return s().Mono }

// Clock is this node's time: an Estimate with a source of readings. It is safe for
// concurrent use.
type Clock struct {
	read Source
	log  *slog.Logger

	mu       sync.Mutex
	estimate Estimate
	state    state
}

// state is what the log says when it changes.
type state struct{ believed, confirmed, ahead bool }

// OpenPlain returns the clock of a plain file's node.
func OpenPlain(read Source, log *slog.Logger) *Clock { return open(read, log, NewPlain) }

// OpenMember returns the clock of one node of several.
func OpenMember(read Source, log *slog.Logger) *Clock { return open(read, log, NewMember) }

func open(read Source, log *slog.Logger, begin func(Reading) Estimate) *Clock {
	c := &Clock{read: read, log: log, estimate: begin(read())}
	c.state = c.stateLocked()
	return c
}

// Now is the time, in UTC. It has no monotonic reading: durations of this process are
// not measured with it.
func (c *Clock) Now() time.Time {
	var t time.Time
	c.with(func(e *Estimate, r Reading) { t = e.Read(r) })
	return t
}

// Wall is the time of the machine's wall clock, believed or not: what other nodes
// compare theirs with.
func (c *Clock) Wall() time.Time { return c.read().Wall }

// Dated notes the date of the newest row of this node's copy. reset says that the row
// may be dated earlier than the one before it.
func (c *Clock) Dated(at time.Time, reset bool) {
	c.with(func(e *Estimate, r Reading) {
		if reset {
			e.Redated(r, at)
		} else {
			e.Dated(r, at)
		}
	})
}

// Confirm notes the wall clock of a second node.
func (c *Clock) Confirm(other time.Time) {
	c.with(func(e *Estimate, r Reading) { e.Confirm(r, other) })
}

// Refer notes the primary's time, on which two nodes agree.
func (c *Clock) Refer(t time.Time) { c.with(func(e *Estimate, r Reading) { e.Refer(r, t) }) }

// Confirmed returns the time if two nodes agree on it, the zero time otherwise.
func (c *Clock) Confirmed() time.Time {
	var t time.Time
	c.with(func(e *Estimate, r Reading) {
		if now := e.Read(r); e.Confirmed() {
			t = now
		}
	})
	return t
}

// Reset returns the time for a row that may be dated earlier than the newest one. It
// fails where this node's wall clock is not to be relied on; with force that is believed.
func (c *Clock) Reset(force bool) (t time.Time, err error) {
	c.with(func(e *Estimate, r Reading) { t, err = e.Reset(r, force) })
	return t, err
}

// Problem says what an operator has to put right, "" where nothing is wrong.
func (c *Clock) Problem() string {
	var problem string
	c.with(func(e *Estimate, r Reading) { e.Read(r); problem = e.Problem() })
	return problem
}

// Standing returns whether the wall clock is believed, and how far it is ahead of the
// time: for metrics.
func (c *Clock) Standing() (believed bool, apart time.Duration) {
	c.with(func(e *Estimate, r Reading) { e.Read(r); believed, apart = e.Believed(), e.Apart() })
	return believed, apart
}

// with calls fn with a reading, and says in the log what has changed.
func (c *Clock) with(fn func(e *Estimate, r Reading)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Read under the lock: readings reach the estimate in their order.
	fn(&c.estimate, c.read())
	if now := c.stateLocked(); now != c.state {
		c.state = now
		if problem := c.estimate.Problem(); problem != "" {
			c.log.Error(problem)
		} else {
			c.log.Info("the time is this machine's clock's", "confirmed", now.confirmed)
		}
	}
}

func (c *Clock) stateLocked() state {
	e := &c.estimate
	return state{believed: e.Believed(), confirmed: e.Confirmed(), ahead: e.Ahead() > Bound}
}
