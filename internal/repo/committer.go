package repo

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"
)

// committer is the one goroutine that writes: group commit. It takes waiting calls in the order of their arrival,
// runs each in a savepoint of one transaction and commits once for all of them. A call that waits for nobody is
// committed at once: a batch is what has come while the one before was being committed.
//
// Each call keeps its own key, row, mark, time and refusal, and nobody is told anything before COMMIT has
// succeeded. It does not wait for acknowledgements: the caller does.
type committer struct {
	repo *Repo
	term *term

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

// write waits for a call's turn and its COMMIT. When ctx ends before the turn has come nothing was done.
func (c *committer) write(ctx context.Context, t *queuedCall) error {
	t.ctx, t.done = ctx, make(chan struct{})
	if !c.enqueue(func() {
		if t.bulk {
			c.bulk = append(c.bulk, t)
		} else {
			c.calls = append(c.calls, t)
		}
	}) {
		return c.gone()
	}
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
	}
	if c.withdraw(t) {
		return c.repo.begun(whyEnded(ctx))
	}
	// It runs, and sees that ctx has ended, or it is being committed.
	late := time.NewTimer(commitGrace)
	defer late.Stop()
	select {
	case <-t.done:
		return t.err
	case <-late.C:
		return unknown(t.exec.call.Key, whyEnded(ctx))
	}
}

// commitGrace is for how long a caller whose time is up waits for a COMMIT that has its call in it: a proper one takes
// milliseconds, and one that hangs holds nobody.
const commitGrace = 2 * time.Second

// whyEnded is why ctx has ended, as an error that is known for it.
func whyEnded(ctx context.Context) error { return errors.Join(ctx.Err(), context.Cause(ctx)) }

// runJob has do done by the committer between two batches, before all calls that wait.
func (c *committer) runJob(ctx context.Context, do func(ctx context.Context, db *sql.DB) error) error {
	e := &job{ctx: ctx, do: do, done: make(chan error, 1)}
	if !c.enqueue(func() { c.jobs = append(c.jobs, e) }) {
		return c.gone()
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func errLeaving() error {
	return unavailable(NotNow, "The primary is leaving.", time.Second, nil)
}

// errLost says that nobody writes any more although the term lasts. The canary tells it, and the node ends.
var errLost = errors.New("a command has ended the goroutine that writes")

// gone is why the committer takes nothing in.
func (c *committer) gone() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return unavailable(NotNow, "The primary cannot write; nothing was saved.", time.Second, errLost)
	}
	return errLeaving()
}

// enqueue adds to a queue, and reports whether the committer still works.
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

// withdraw takes a call out of its queue. It reports false where its turn has come.
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

// Close ends the committer after the batch under way. Calls that wait are told to ask again.
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
	defer func() {
		c.mu.Lock()
		c.closed, c.lost = true, !c.closed
		c.mu.Unlock()
		c.refuseAll(c.gone())
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
		e.done <- e.do(e.ctx, c.term.db)
	}
}

// refuseAll answers everybody who waits.
func (c *committer) refuseAll(err error) {
	c.mu.Lock()
	waiting := slices.Concat(c.again, c.calls, c.bulk)
	jobs := c.jobs
	c.again, c.calls, c.bulk, c.jobs = nil, nil, nil, nil
	c.mu.Unlock()
	for _, t := range waiting {
		t.answer(err)
	}
	for _, e := range jobs {
		e.done <- err
	}
}

// answer ends a call's wait.
func (t *queuedCall) answer(err error) {
	t.err = err
	close(t.done)
}

// next takes the call out of its queue whose turn it is in b, nil when there is none, or b does not take it in.
// Bulk calls get at most half of a batch's bytes while others wait.
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

// bulkIsDue reports whether a bulk call goes before others that wait: after each of theirs, as long as bulk calls have no
// more than half of the batch's bytes; and before all of them, however large it is, where none has found its way into
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
	if err := c.ready(); err != nil {
		c.refuseAll(err) // then the next primary is asked, and nobody waits for this one
		return
	}
	b, err := c.open(ctx)
	if err != nil {
		c.refuseAll(c.repo.begun(err))
		return
	}
	for {
		t := c.next(b)
		if t == nil {
			break
		}
		if err := c.due(t); err != nil {
			t.answer(err)
			continue
		}
		if err := b.run(ctx, t); err != nil {
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

// due refuses a call whose turn comes too late.
func (c *committer) due(t *queuedCall) error {
	if t.ctx.Err() != nil {
		return c.repo.begun(whyEnded(t.ctx))
	}
	if time.Since(t.exec.call.Deadline) > lateness {
		return errExpired()
	}
	return c.ready()
}

// ready says whether the committer's term is still the present one.
func (c *committer) ready() error {
	t, err := c.repo.primary.ready()
	if err == nil && t != c.term {
		err = unavailable(NotNow, "The primary has changed meanwhile; nothing was saved.", time.Second, errRoleChanged)
	}
	return err
}

// repeat has everybody run again who has run in a transaction that has ended; ended is the one at which it did, nil
// where it was at none.
func (c *committer) repeat(b *batch, why error, ended *queuedCall) {
	c.repo.log.Warn("a transaction has ended by itself; its writes are carried out again", "writes", len(b.calls), "err", why)
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
		b.abandon()
		b.answer()
		return
	}
	if !c.skipUpkeep {
		if err := b.maintain(ctx, b.calls[len(b.calls)-1].exec.call); err != nil {
			c.skipUpkeep = true // once: the next batch is without
			c.repeat(b, err, nil)
			return
		}
	}
	c.skipUpkeep = false
	err := c.repo.commitCounted(b.tx)
	if err != nil {
		discard(b.conn)
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
		close(t.done)
	}
}
