package repo

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// term is everything that this node holds because it is primary: the term of Durability,
// the writing connection and the tasks. Whoever has begun a term ends it, once. Its
// methods may be called at any step of its beginning, and more than once.
type term struct {
	over       <-chan struct{} // closed when the role ends
	ctx        context.Context // ends with the role, and with the term
	cancel     context.CancelFunc
	durability Term           // nil: a commit is enough, or Durability has not allowed it
	db         *sql.DB        // nil: not open
	writes     *committer     // of db; nil: nothing is written yet
	tasks      sync.WaitGroup // of the tasks, and of the one that waits for over
	writing    *writing       // what is seen of writing, also after the term
}

func newTerm(ctx context.Context, over <-chan struct{}, writing *writing) *term {
	t := &term{over: over, writing: writing}
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

// isOver reports whether the role has changed since the term began.
func (t *term) isOver() bool { return isClosed(t.over) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// start starts the tasks. ctx is t's, and ends with the term.
func (t *term) start(ctx context.Context, r *Repo, tasks []Task) {
	ctx = As(ctx, Actor{Name: System})
	for _, task := range tasks {
		t.tasks.Go(func() { task(ctx, r) })
	}
}

// drain ends the tasks and waits for the batch that is under way. Tasks read, and a read may hang as a write does.
func (t *term) drain() {
	t.cancel()
	if t.writes != nil {
		t.writes.Close()
	}
	t.writing.stepBegins()
	defer t.writing.stepsEnd()
	t.tasks.Wait()
}

// stop ends writing. Calls that are committed go on waiting for a standby.
func (t *term) stop() error {
	t.drain()
	if t.db == nil {
		return nil
	}
	t.writing.stepBegins()
	defer t.writing.stepsEnd()
	if err := t.db.Close(); err != nil {
		return fmt.Errorf("close the writing connection: %w", err)
	}
	return nil
}

// end ends writing, and then the term of Durability.
func (t *term) end() error {
	err := t.stop()
	if t.durability != nil {
		t.durability.End()
	}
	return err
}
