package repo

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// term is everything that this node holds because it is primary: what Durability began,
// the writing connection and the tasks. Whoever has begun a term ends it, once; its
// methods may be called at any step of its beginning, and again.
type term struct {
	over   <-chan struct{} // closed when the role ends
	ctx    context.Context // ends with the role, and with the term
	cancel context.CancelFunc
	lead   Term           // nil: a commit is enough, or Durability has not allowed it
	db     *sql.DB        // nil: not open
	writes *committer     // of db; nil: nothing is written yet
	tasks  sync.WaitGroup // and what watches over
}

func newTerm(ctx context.Context, over <-chan struct{}) *term {
	t := &term{over: over}
	t.ctx, t.cancel = context.WithCancel(ctx)
	t.tasks.Go(func() {
		defer t.cancel()
		select {
		case <-over:
		case <-t.ctx.Done():
		}
	})
	return t
}

// ended reports that the role has changed since.
func (t *term) ended() bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

// start starts the tasks, whose context is t's.
func (t *term) start(ctx context.Context, r *Repo, tasks []Task) {
	ctx = As(ctx, Actor{Name: System})
	for _, task := range tasks {
		t.tasks.Go(func() { task(ctx, r) })
	}
}

// drain ends the tasks and waits for the batch that is under way.
func (t *term) drain() {
	t.cancel()
	if t.writes != nil {
		t.writes.Close()
	}
	t.tasks.Wait()
}

// stop ends writing. What has been written goes on waiting for a standby.
func (t *term) stop() error {
	t.drain()
	if t.db == nil {
		return nil
	}
	if err := t.db.Close(); err != nil {
		return fmt.Errorf("close the writing connection: %w", err)
	}
	return nil
}

// end ends writing, and then what Durability began.
func (t *term) end() error {
	err := t.stop()
	if t.lead != nil {
		t.lead.End()
	}
	return err
}
