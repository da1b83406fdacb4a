package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
)

// primary owns the term of this node, and with it the one writing connection. A term
// exists only while this node is primary, and only super can reach it. beginTerm is called
// by one goroutine at a time: first by that of Open, then by that of follow.
type primary struct {
	repo   *Repo
	litefs bool
	tasks  []Task
	open   func(ctx context.Context, path, journal string) (*sql.DB, error) // the writing connection

	mu        sync.Mutex // guards the fields below; never held across I/O
	term      *term      // nil: not (yet) primary
	cause     error      // why term is nil although the role is primary
	isRetired bool       // nothing is written here any more
}

func newPrimary(r *Repo, underLiteFS bool, tasks []Task) *primary {
	return &primary{repo: r, litefs: underLiteFS, tasks: tasks, open: sqlite.OpenWriter}
}

// retryTermEvery is how soon opening the writing connection is tried again after a failure.
const retryTermEvery = time.Second

// follow begins and ends terms as the role changes, until ctx ends. After each change it
// ends the term and begins another, even when this node is primary before and after: another
// node may have been primary in between, with another history.
func (p *primary) follow(ctx context.Context) {
	trouble := &termTrouble{log: p.repo.log}
	for first := true; ctx.Err() == nil; first = false {
		changed := p.repo.node.Changed()
		if !first {
			if err := p.endTerm(); err != nil {
				p.repo.log.Error("close writing connection", "err", err)
			}
		}
		p.followTerm(ctx, changed, trouble)
	}
}

// followTerm begins a term if this node is primary, and returns when the role changes or
// ctx ends. A term that cannot be begun is tried again after retryTermEvery.
func (p *primary) followTerm(ctx context.Context, changed <-chan struct{}, trouble *termTrouble) {
	for {
		var err error
		role := p.repo.node.Role().State
		if role == litefs.Primary {
			err = p.beginTerm(ctx, changed)
		}
		if p.holdsTerm() || role == litefs.Replica {
			trouble.ended(time.Now(), role == litefs.Primary)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			return
		default: // neither is why it failed
		}
		var again <-chan time.Time
		if err != nil {
			trouble.failed(ctx, time.Now(), err)
			again = time.After(retryTermEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			return
		case <-again:
		}
	}
}

// beginTerm begins a term and starts the tasks. It does nothing when there is a term already.
// Calls that come meanwhile do not wait here: they are refused, because the primary is
// starting. over is closed when the role ends.
func (p *primary) beginTerm(ctx context.Context, over <-chan struct{}) error {
	if p.holdsTerm() || p.retired() {
		return nil
	}
	t, err := p.openTerm(ctx, over)
	p.repo.writing.opened(time.Now(), err)
	p.mu.Lock()
	p.term, p.cause = t, err
	retired := p.isRetired // since the term was opened; calls that wait for a standby still need it
	if t != nil && !retired {
		t.start(t.ctx, p.repo, p.tasks) //nolint:contextcheck // the term's context comes from ctx and ends with the role
	}
	p.mu.Unlock()
	switch {
	case err != nil:
		return err
	case retired:
		return t.stop()
	}
	p.repo.node.Notify()
	return nil
}

func (p *primary) holdsTerm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.term != nil
}

func (p *primary) retired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isRetired
}

// retire ends writing for good. Calls that are committed go on waiting for a standby.
func (p *primary) retire() error {
	p.mu.Lock()
	p.isRetired = true
	t := p.term
	p.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.stop()
}

// openTerm returns a new term. When a step of its beginning fails, openTerm ends what the
// steps before have begun.
func (p *primary) openTerm(ctx context.Context, over <-chan struct{}) (*term, error) {
	t := newTerm(ctx, over, &p.repo.writing)
	if err := p.fillTerm(t); err != nil { //nolint:contextcheck // the term's context comes from ctx and ends with the role
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

// fillTerm begins the term of Durability, opens the writing connection and migrates the
// schema. What it has begun is in t, whether it fails or not. It fails when the role ends
// meanwhile.
func (p *primary) fillTerm(t *term) error {
	if err := p.fillBeforeWrites(t); err != nil {
		return err
	}
	t.writes = newCommitter(p.repo, t)
	go t.writes.run(context.WithoutCancel(t.ctx)) // until the term's end, which waits for it
	return nil
}

// fillBeforeWrites is fillTerm without the committer. What it waits for are steps, which can hang as those of a
// transaction can.
func (p *primary) fillBeforeWrites(t *term) error {
	steps := &p.repo.writing
	defer steps.stepsEnd()
	steps.longStepBegins(termLimit)
	var err error
	if d := p.repo.durability; d != nil {
		if t.durability, err = p.beginDurability(t.ctx, d, t.over); err != nil {
			return fmt.Errorf("this node may not begin a term: %w", err)
		}
	}
	if t.db, err = p.openWriter(t.ctx); err != nil {
		return err
	}
	steps.longStepBegins(migrationLimit)
	return p.repo.schema.migrate(t.ctx, t.db, p.repo.log)
}

// openWriter opens the writing connection.
func (p *primary) openWriter(ctx context.Context) (*sql.DB, error) {
	p.repo.writing.stepBegins()
	return p.open(ctx, p.repo.path, p.journal())
}

// beginDurability begins d's term. It tries twice when the leftover of a transaction of an
// earlier term keeps d from reading the database.
func (p *primary) beginDurability(ctx context.Context, d Durability, over <-chan struct{}) (Term, error) {
	durability, err := d.BeginTerm(ctx, over)
	if !sqlite.IsRollingBack(err) {
		return durability, err
	}
	if err := p.rollBackLeftover(ctx); err != nil {
		return nil, err
	}
	p.repo.writing.longStepBegins(termLimit)
	return d.BeginTerm(ctx, over)
}

// rollBackLeftover opens a writing connection for a moment, so that SQLite rolls back what a
// transaction of an earlier term has left. Durability reads the database when a term begins,
// and cannot before this.
func (p *primary) rollBackLeftover(ctx context.Context) error {
	db, err := p.openWriter(ctx)
	if err != nil {
		return err
	}
	p.repo.writing.stepBegins()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(fmt.Errorf("roll back: %w", err), db.Close())
	}
	return errors.Join(tx.Rollback(), db.Close())
}

func (p *primary) journal() string {
	if p.litefs {
		return sqlite.JournalDelete
	}
	return sqlite.JournalWAL
}

// endTerm ends the term, if there is one.
func (p *primary) endTerm() error {
	t := p.detachTerm()
	if t == nil {
		return nil
	}
	return t.end()
}

// detachTerm removes the term and returns it, nil when there is none. The caller ends it.
func (p *primary) detachTerm() *term {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.term
	p.term, p.cause = nil, nil
	return t
}

// currentTerm returns the term in which a call may start here. It fails when another node is
// primary, with that node's address, and when this one is starting or has retired.
func (p *primary) currentTerm() (*term, error) {
	role := p.repo.node.Role()
	if role.State != litefs.Primary {
		err := apperr.From(fail(atStart, errNotPrimary, ""))
		err.Primary = role.URL
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.term
	switch {
	case p.isRetired:
		return nil, fail(atStart, errLeaving, "")
	case t == nil, t.isOver(): // after a term that is over another node may have been primary
		cause := errStarting
		if p.cause != nil {
			cause = fmt.Errorf("%w: %w", errStarting, p.cause)
		}
		return nil, fail(atStart, cause, "")
	}
	return t, nil
}

// checkWriter has the committer begin and end an immediate transaction. It fails when the
// writing connection cannot do that.
func (p *primary) checkWriter(ctx context.Context) error {
	t, err := p.currentTerm()
	if err != nil {
		return err
	}
	return t.writes.runJob(ctx, func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		p.repo.noteBegin(err)
		if err != nil {
			return p.repo.failApply(err)
		}
		return tx.Rollback()
	})
}

// Canary fails when this node is primary and SQLite or LiteFS keeps it from beginning
// a transaction, or a lack of file descriptors keeps it from beginning its term, wherever
// that shows. It does not fail when the writer has no time for one, or is starting.
func (r *Repo) Canary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err := r.primary.checkWriter(ctx)
	broken := sqlite.Code(err) != 0 && !sqlite.IsFull(err)
	if broken || errors.Is(err, errWriterEnded) || noDescriptors(err) {
		return err
	}
	return nil
}

// noDescriptors reports that this process, or its machine, has no file descriptor left.
func noDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
