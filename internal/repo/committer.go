package repo

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"blog/internal/sqlite"
)

// committer is the one goroutine that writes: group commit. It runs waiting calls in the order of their arrival, each
// in a savepoint of one transaction, and commits once for all of them. A call beside which none waits is committed at
// once: a batch is what has arrived while the one before was committed.
//
// Each call has its own key, row, mark, time and refusal, and is answered only after COMMIT has succeeded. The
// committer does not wait for acknowledgements: the caller does.
type committer struct {
	repo *Repo
	term *term

	underWay    *batch // before its COMMIT
	pace        pace
	skipUpkeep  bool // the next batch is without upkeep, which has ended the one before
	bulkSkipped bool // bulk calls have waited for the whole of the batch before

	mu       sync.Mutex
	jobs     []*job // before everything else
	calls    []*queuedCall
	bulk     []*queuedCall
	again    []*queuedCall // have run in a transaction that has ended; before those that wait
	closed   bool
	lost     bool          // a command has ended the goroutine
	wake     chan struct{} // has room for one
	finished chan struct{}
}

// queuedCall is one call that waits for the committer, or runs.
type queuedCall struct {
	ctx   context.Context // the caller's
	exec  *execution
	apply applier
	bulk  bool
	size  int  // of its body, bytes
	alone bool // it has run beside others and must not any more

	queued time.Time // when it arrived
	ran    time.Time // when its savepoint was released or undone

	done           chan struct{} // closed when what is below is the answer
	err            error
	dependsOnBatch bool // the answer rests on rows of its batch
}

// job is work on the writing connection that is no write.
type job struct {
	ctx  context.Context
	do   func(ctx context.Context, db *sql.DB) error
	done chan error
}

func newCommitter(r *Repo, t *term) *committer {
	return &committer{repo: r, term: t, wake: make(chan struct{}, 1), finished: make(chan struct{})}
}

// write puts a call into its queue and returns its answer after its COMMIT. When ctx ends before the call's turn has
// come, nothing was done.
func (c *committer) write(ctx context.Context, t *queuedCall) error {
	t.ctx, t.done, t.queued = ctx, make(chan struct{}), time.Now()
	if !c.enqueue(func() {
		if t.bulk {
			c.bulk = append(c.bulk, t)
		} else {
			c.calls = append(c.calls, t)
		}
	}) {
		return c.refusal()
	}
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
	}
	if c.withdraw(t) {
		return c.repo.failApply(whyEnded(ctx))
	}
	// It runs, and sees that ctx has ended, or it is being committed.
	late := time.NewTimer(commitGrace)
	defer late.Stop()
	select {
	case <-t.done:
		return t.err
	case <-late.C:
		return fail(atCommit, whyEnded(ctx), t.exec.call.Key)
	}
}

// whyEnded returns why ctx has ended, as an error that is also ctx's.
func whyEnded(ctx context.Context) error { return errors.Join(ctx.Err(), context.Cause(ctx)) }

// runJob has the committer run do between two batches, before all calls that wait.
func (c *committer) runJob(ctx context.Context, do func(ctx context.Context, db *sql.DB) error) error {
	e := &job{ctx: ctx, do: do, done: make(chan error, 1)}
	if !c.enqueue(func() { c.jobs = append(c.jobs, e) }) {
		return c.refusal()
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refusal returns why the committer accepts nothing.
func (c *committer) refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return fail(atStart, errWriterEnded, "")
	}
	return fail(atStart, errLeaving, "")
}

// enqueue calls add, which adds to a queue, and wakes the committer. It reports false when the committer is closed.
func (c *committer) enqueue(add func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	add()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// withdraw removes a call from its queue. It reports false when the call's turn has come.
func (c *committer) withdraw(t *queuedCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range []*[]*queuedCall{&c.calls, &c.bulk, &c.again} {
		if i := slices.Index(*q, t); i >= 0 {
			*q = slices.Delete(*q, i, i+1)
			return true
		}
	}
	return false
}

// Close ends the committer after the batch under way. Calls that wait are refused, to be asked again.
func (c *committer) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.finished
}

// run works until Close.
func (c *committer) run(ctx context.Context) {
	defer close(c.finished)
	defer c.repo.writing.stepsEnd()
	defer func() {
		c.mu.Lock()
		c.closed, c.lost = true, !c.closed
		c.mu.Unlock()
		c.refuseUnderWay(c.refusal())
		c.refuseAll(c.refusal())
	}()
	for {
		c.runJobs()
		c.mu.Lock()
		waiting, closed := len(c.calls)+len(c.bulk)+len(c.again) > 0, c.closed
		c.mu.Unlock()
		switch {
		case closed:
			return
		case waiting:
			c.commitBatch(ctx)
		default:
			c.repo.writing.stepsEnd()
			<-c.wake
		}
	}
}

func (c *committer) runJobs() {
	for {
		c.mu.Lock()
		if len(c.jobs) == 0 {
			c.mu.Unlock()
			return
		}
		e := c.jobs[0]
		c.jobs[0] = nil // what has been answered is nobody's
		c.jobs = c.jobs[1:]
		c.mu.Unlock()
		if err := context.Cause(e.ctx); err != nil {
			e.done <- err
			continue
		}
		c.repo.writing.stepBegins()
		e.done <- e.do(e.ctx, c.term.db)
	}
}

// answer ends a call's wait.
func (t *queuedCall) answer(err error) {
	t.err = err
	close(t.done)
}

// next removes the call whose turn it is in b from its queue and returns it, nil when there is none or b does not admit
// it. Bulk calls get at most half of a batch's bytes while others wait.
func (c *committer) next(b *batch) *queuedCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.jobs) > 0 && len(b.calls) > 0 {
		return nil
	}
	order := []*[]*queuedCall{&c.calls, &c.bulk}
	switch {
	case len(c.again) > 0:
		order = []*[]*queuedCall{&c.again}
	case c.bulkIsDue(b):
		order = []*[]*queuedCall{&c.bulk, &c.calls}
	case len(c.calls) > 0 && !b.leavesHalf(c.bulk):
		order = order[:1]
	}
	for _, q := range order {
		if len(*q) > 0 && b.hasRoomFor((*q)[0]) {
			t := (*q)[0]
			(*q)[0] = nil // what has been answered is nobody's
			*q = (*q)[1:]
			return t
		}
	}
	return nil
}

// bulkIsDue reports whether a bulk call goes before others that wait. One goes after each of theirs, as long as bulk
// calls have no more than half of the batch's bytes. One goes before all of them, however large it is, if none was in
// the batch before.
func (c *committer) bulkIsDue(b *batch) bool {
	if n := len(b.calls); n == 0 {
		return c.bulkSkipped && len(c.bulk) > 0
	} else if b.calls[n-1].bulk {
		return false
	}
	return b.leavesHalf(c.bulk)
}

// leavesHalf reports whether the first of the bulk calls that wait leaves half of the batch's bytes to others.
func (b *batch) leavesHalf(waiting []*queuedCall) bool {
	return len(waiting) > 0 && b.bulk+waiting[0].pages() <= maxBatchBytes/2
}

// commitBatch runs what waits, as far as it fits into one batch, and commits it.
func (c *committer) commitBatch(ctx context.Context) {
	if err := c.checkTerm(); err != nil {
		c.refuseAll(err) // then the next primary is asked, and nobody waits for this one
		return
	}
	b, err := c.open(ctx)
	if err != nil {
		c.refuseAll(c.repo.failApply(err))
		return
	}
	c.underWay = b
	c.repo.writing.stepBegins() // the first call's, which has its time whatever BEGIN has waited for
	for {
		t := c.next(b)
		if t == nil {
			break
		}
		if err := c.due(t); err != nil {
			t.answer(err)
			continue
		}
		b.running = t
		err := b.run(ctx, t)
		b.running = nil
		if err != nil {
			c.repeat(b, err, t)
			return
		}
		if b.calls[len(b.calls)-1] != t { // it was too slow, and is undone
			c.requeue(t)
			break
		}
	}
	c.mu.Lock()
	c.bulkSkipped = len(c.bulk) > 0 && !slices.ContainsFunc(b.calls, func(t *queuedCall) bool { return t.bulk })
	c.mu.Unlock()
	c.finish(ctx, b)
}

// due fails for a call whose turn comes too late.
func (c *committer) due(t *queuedCall) error {
	if t.ctx.Err() != nil {
		return c.repo.failApply(whyEnded(t.ctx))
	}
	if time.Since(t.exec.call.Deadline) > lateness {
		return fail(atStart, errExpired, "")
	}
	return c.checkTerm()
}

// checkTerm fails when the committer's term is not the present one any more.
func (c *committer) checkTerm() error {
	t, err := c.repo.primary.currentTerm()
	if err == nil && t != c.term {
		err = fail(atStart, errRoleChanged, "")
	}
	return err
}

// repeat queues all calls again that have run in a transaction that has ended. ended is the call at which it did, nil
// when it was at none.
func (c *committer) repeat(b *batch, why error, ended *queuedCall) {
	c.underWay = nil
	c.repo.log.Warn("a transaction has ended by itself; its writes are carried out again", "writes", len(b.calls),
		"err", why)
	b.abandon()
	calls := b.calls
	if ended != nil {
		calls = append(calls, ended)
	}
	c.requeue(calls...)
}

func (c *committer) requeue(calls ...*queuedCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again = append(slices.Clone(calls), c.again...)
}

// finish commits a batch and answers its calls.
func (c *committer) finish(ctx context.Context, b *batch) {
	if b.rows == 0 {
		c.underWay = nil
		c.repo.noteUnwritten(b.began, b.unwritten())
		b.abandon()
		b.answer()
		return
	}
	if !c.skipUpkeep {
		began := time.Now()
		err := b.maintain(ctx, b.calls[len(b.calls)-1].exec.call)
		c.repo.timeStage(StageUpkeep, began)
		if err != nil {
			c.skipUpkeep = true // once: the next batch is without
			c.repeat(b, err, nil)
			return
		}
	}
	c.skipUpkeep, c.underWay = false, nil
	began := time.Now()
	err := c.repo.commitCounted(b.tx)
	took := c.repo.timeStage(StageCommit, began).Sub(began)
	if err == nil {
		c.pace.committed(took)
	} else {
		sqlite.Discard(b.conn)
	}
	b.close()
	c.repo.node.Notify() // not held back: who may read a row need not wait for its acknowledgement
	if err != nil {
		c.committed(ctx, b, err)
	}
	b.answer()
}

// answer ends the waits of all calls of the batch.
func (b *batch) answer() {
	for _, t := range b.calls {
		b.c.repo.timeStage(StageShare, t.ran)
		close(t.done)
	}
}
