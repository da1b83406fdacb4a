package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/repo"
)

// term is one time of this node as primary, as package repo has it: what acts for it, and
// the answers that wait in it.
type term struct {
	c      *Cluster
	number uint64          // of the state's
	over   <-chan struct{} // closed when the role ends

	// requests are what the state wants asked of Consul. It wants one thing at a time, so
	// there is room for what it wants, and for a Wake.
	requests chan decide.Effect

	run  context.Context // what acts for this term ends with it
	stop context.CancelFunc
	work sync.WaitGroup
}

var _ repo.Term = (*term)(nil)

var errTermOver = errors.New("this term as primary is over")

// BeginTerm implements repo.Durability: it fails unless the LiteFS node holds the lease, is
// in the sync set, and its copy has what the set requires. A term that has not been ended is
// ended first.
func (c *Cluster) BeginTerm(ctx context.Context, over <-chan struct{}) (repo.Term, error) {
	select {
	case <-c.attached:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.beginning.Lock()
	defer c.beginning.Unlock()
	c.endTerm()
	standing, err := c.o.Control.Standing(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	from, effects, err := c.state.Elected(standing)
	c.carryOutLocked(effects)
	c.mu.Unlock()
	if err != nil {
		return nil, c.refuse(ctx, err)
	}
	held, err := c.readCopy(ctx, from)
	if err != nil {
		return nil, err
	}
	next, err := decide.Opening(standing.Term, from, held)
	if err != nil {
		return nil, c.refuse(ctx, err)
	}
	c.mu.Lock()
	asked := c.nowLocked()
	c.mu.Unlock()
	set, err := c.o.Control.Change(ctx, next)
	if err != nil {
		return nil, err
	}
	return c.start(over, decide.TermBegun{
		Self: standing.Self, Lease: standing.Term, Epoch: over, Set: set, Newest: held.Newest,
		Asked: asked,
	}), nil
}

// refuse returns err, because of which no term begins, and gives the lease up where err says
// so. Any other failure is tried again by who asked, under the same lease.
func (c *Cluster) refuse(ctx context.Context, err error) error {
	var refused *decide.RefusedError
	if errors.As(err, &refused) && refused.GiveUp != nil {
		return errors.Join(err, c.o.Control.Demote(ctx, *refused.GiveUp))
	}
	return err
}

// start makes a term that has begun this node's, and has it act. It acts until its role is
// over, at the latest.
func (c *Cluster) start(over <-chan struct{}, begun decide.TermBegun) *term {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &term{c: c, over: over, requests: make(chan decide.Effect, 2)}
	t.run, t.stop = context.WithCancel(c.run)
	c.term = t
	c.onLocked(begun)
	t.number = c.state.Term()
	t.work.Go(t.tick)
	t.work.Go(t.ask)
	t.work.Go(func() {
		select {
		case <-t.over:
		case <-t.run.Done():
		}
		t.leave()
	})
	return t
}

// leave makes t act no more: from here on it is nobody's term.
func (t *term) leave() {
	t.stop()
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.c.term == t {
		t.c.onLocked(decide.TermEnded{Term: t.number})
		t.c.term = nil
	}
}

// End implements repo.Term.
func (t *term) End() {
	t.leave()
	t.work.Wait()
}

// endTerm ends the term that there is, if any.
func (c *Cluster) endTerm() {
	c.mu.Lock()
	t := c.term
	c.mu.Unlock()
	if t != nil {
		t.End()
	}
}

// tick gives the state its Ticks until the term ends.
func (t *term) tick() {
	tick := time.NewTicker(decide.TickEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.on(decide.Tick{})
		case <-t.run.Done():
			return
		}
	}
}

// on has the state handle an event of this term, unless the term is over.
func (t *term) on(e decide.Event) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.c.term == t {
		t.c.onLocked(e)
	}
}

// ask asks of Consul what the state wants to be asked, until the term ends. It is the only
// one that changes the sync set in this term.
func (t *term) ask() {
	control := t.c.o.Control
	for {
		var effect decide.Effect
		select {
		case effect = <-t.requests:
		case <-t.run.Done():
			return
		}
		switch e := effect.(type) {
		case decide.ReadStanding:
			standing, err := control.Standing(t.run)
			t.on(decide.StandingRead{Term: t.number, Standing: standing, Err: err})
		case decide.WriteSet:
			set, err := control.Change(t.run, e.Change)
			t.on(decide.SetWritten{Term: t.number, Set: set, Err: err})
		case decide.GiveUpLease:
			t.on(decide.LeaseGivenUp{Term: t.number, Err: control.Demote(t.run, e.Giving)})
		case decide.Wake:
			pause := time.NewTimer(e.After)
			select {
			case <-pause.C:
				t.on(decide.Tick{})
			case <-t.run.Done():
				pause.Stop()
				return
			}
		}
	}
}

// Await implements repo.Term.
func (t *term) Await(ctx context.Context, row repo.Cursor) (repo.Assurance, error) {
	return t.wait(ctx, row, true)
}

// Confirm implements repo.Term.
func (t *term) Confirm(ctx context.Context, newest repo.Cursor) (repo.Assurance, error) {
	return t.wait(ctx, newest, false)
}

// wait returns when the state gives the answer that rests on a row; write says that it is the
// answer to that write. The role is checked after everything that the answer rests on.
func (t *term) wait(ctx context.Context, row repo.Cursor, write bool) (repo.Assurance, error) {
	c := t.c
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.asked++
	waiter := c.asked
	c.waiters[waiter] = answer
	c.onLocked(decide.AnswerWanted{Term: t.number, Waiter: waiter, Row: row, Write: write})
	c.mu.Unlock()
	defer c.withdraw(waiter)
	select {
	case r := <-answer:
		select {
		case <-t.over: // what has been received may not be true any more
			return "", errTermOver
		default:
			return r.assurance, r.err
		}
	case <-t.over:
		return "", errTermOver
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// withdraw has nobody wait for an answer any more.
func (c *Cluster) withdraw(waiter uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, waits := c.waiters[waiter]; waits {
		delete(c.waiters, waiter)
		c.onLocked(decide.AnswerWithdrawn{Waiter: waiter})
	}
}
