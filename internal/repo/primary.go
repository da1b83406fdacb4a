package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"blog/internal/litefs"
)

// primary owns the one writing connection. It exists only while this node is
// primary, and nothing outside super can reach it. take is called by one goroutine
// at a time: Open's, then follow's.
type primary struct {
	repo   *Repo
	litefs bool
	tasks  []Task

	mu     sync.Mutex      // guards the fields below; never held across I/O
	writes *committer      // nil: not (yet) primary
	term   <-chan struct{} // closed when the role ends for which db was opened
	cause  error           // why db is nil although the role is primary
	over   bool            // retired: db stays nil
	leads  bool            // Durability allowed it and has not been told of the end
	cancel context.CancelFunc
	active sync.WaitGroup // tasks
}

func newPrimary(r *Repo, underLiteFS bool, tasks []Task) *primary {
	return &primary{repo: r, litefs: underLiteFS, tasks: tasks}
}

// retakeEvery is how soon opening the writing connection is tried again after a failure.
const retakeEvery = time.Second

// follow opens and closes the writing connection as the role changes. After each
// change it begins anew, even when this node is primary before and after: another
// may have been so in between, with another history.
func (p *primary) follow(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		changed := p.repo.node.Changed()
		if !first {
			if err := p.drop(); err != nil {
				p.repo.log.Error("close writing connection", "err", err)
			}
		}
		p.lead(ctx, changed)
	}
}

// lead has the writing connection open, where this node is primary, until the role
// changes.
func (p *primary) lead(ctx context.Context, changed <-chan struct{}) {
	for {
		var again <-chan time.Time
		if p.repo.node.Role().State == litefs.Primary {
			if err := p.take(ctx, changed); err != nil && ctx.Err() == nil {
				p.repo.log.Error("cannot take writes", "err", err)
				again = time.After(retakeEvery)
			}
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

// take opens the writing connection, brings the schema up and starts the tasks.
// It does nothing when that has been done. Calls that come meanwhile are told
// that the primary is starting; they do not wait here. over is closed when the
// role ends.
func (p *primary) take(ctx context.Context, over <-chan struct{}) error {
	if p.open() || p.retired() {
		return nil
	}
	db, err := p.prepare(ctx, over)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cause, p.leads = err, p.leads || err == nil
	if err != nil {
		return err
	}
	if p.over { // meanwhile
		return db.Close()
	}
	p.writes, p.term = newCommitter(p.repo, db), over
	go p.writes.run(context.WithoutCancel(ctx)) // until its Close, which waits for it
	tctx, cancel := context.WithCancel(As(ctx, Actor{Name: System}))
	p.cancel = cancel
	for _, task := range p.tasks {
		p.active.Go(func() { task(tctx, p.repo) })
	}
	p.repo.node.Notify()
	return nil
}

func (p *primary) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes != nil
}

func (p *primary) retired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// retire is shut for good. What has been written goes on waiting for a standby.
func (p *primary) retire() error {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	return p.shut()
}

// prepare asks whether this node may lead, and opens the database for that.
func (p *primary) prepare(ctx context.Context, over <-chan struct{}) (_ *sql.DB, err error) {
	if d := p.repo.durability; d != nil {
		err := d.Lead(ctx, over)
		if rollingBack(err) {
			if err = p.settle(ctx); err == nil {
				err = d.Lead(ctx, over)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("this node may not lead: %w", err)
		}
		defer func() {
			if err != nil {
				d.Resign()
			}
		}()
	}
	db, err := openWriter(ctx, p.repo.path, p.journal())
	if err != nil {
		return nil, err
	}
	if err := p.repo.schema.migrate(ctx, db, p.repo.log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// settle has what is left of a transaction of an earlier term rolled back. Lead looks
// into the database once it has seen that this node may write, and cannot before this.
func (p *primary) settle(ctx context.Context) error {
	db, err := openWriter(ctx, p.repo.path, p.journal())
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(fmt.Errorf("roll back: %w", err), db.Close())
	}
	return errors.Join(tx.Rollback(), db.Close())
}

func (p *primary) journal() string {
	if p.litefs {
		return journalDelete
	}
	return journalWAL
}

// drop ends what take began.
func (p *primary) drop() error {
	err := p.shut()
	p.resign()
	return err
}

// shut ends the tasks, waits for the batch that is being committed and closes the
// writing connection.
func (p *primary) shut() error {
	db := p.end()
	if db == nil {
		return nil
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close writing connection: %w", err)
	}
	return nil
}

// end is shut that leaves closing to the caller. It returns nil when there is
// nothing to close.
func (p *primary) end() *sql.DB {
	p.mu.Lock()
	writes := p.writes
	cancel := p.cancel
	p.writes, p.cause, p.cancel = nil, nil, nil
	p.mu.Unlock()
	if writes == nil {
		return nil
	}
	cancel()
	writes.Close()
	p.active.Wait()
	return writes.db
}

// resign tells Durability of the end.
func (p *primary) resign() {
	p.mu.Lock()
	led := p.leads
	p.leads = false
	p.mu.Unlock()
	if led && p.repo.durability != nil {
		p.repo.durability.Resign()
	}
}

// ready says whether a call may start here: nil, or where the primary is, or
// that it is starting.
func (p *primary) ready() error {
	_, err := p.acquire()
	return err
}

// acquire returns the committer of the present term.
func (p *primary) acquire() (*committer, error) {
	role := p.repo.node.Role()
	if role.State != litefs.Primary {
		err := unavailable(WrongPrimary, "This node is not the primary.", time.Second, nil)
		err.Primary = role.URL
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writes == nil {
		if p.over {
			return nil, errLeaving()
		}
		return nil, unavailable(NotNow, "The primary is starting.", time.Second, p.cause)
	}
	select {
	case <-p.term: // another has been primary meanwhile, or may have been
		return nil, unavailable(NotNow, "The primary is starting.", time.Second, nil)
	default:
	}
	return p.writes, nil
}

// check has an immediate transaction opened and ended: does the writing connection work?
func (p *primary) check(ctx context.Context) error {
	c, err := p.acquire()
	if err != nil {
		return err
	}
	return c.errand(ctx, func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return p.repo.begun(err)
		}
		return tx.Rollback()
	})
}

// Canary fails where this node is primary and SQLite or LiteFS keeps it from beginning
// a transaction. That it has no time for one is no failure, nor that it is starting.
func (r *Repo) Canary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	err := r.primary.check(ctx)
	if sqliteCode(err) == 0 || diskFull(err) {
		return nil
	}
	return err
}
