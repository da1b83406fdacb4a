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
// primary, and nothing outside super can reach it. take and drop are called by
// one goroutine at a time: Open's, then follow's, then Close's.
type primary struct {
	repo   *Repo
	litefs bool
	tasks  []Task

	mu     sync.Mutex     // guards the fields below; never held across I/O
	db     *sql.DB        // nil: not (yet) primary
	using  sync.WaitGroup // transactions on db
	cause  error          // why db is nil although the role is primary
	cancel context.CancelFunc
	active sync.WaitGroup // tasks
}

func newPrimary(r *Repo, underLiteFS bool, tasks []Task) *primary {
	return &primary{repo: r, litefs: underLiteFS, tasks: tasks}
}

// retakeEvery is how soon opening the writing connection is tried again after a failure.
const retakeEvery = time.Second

// follow opens and closes the writing connection as the role changes.
func (p *primary) follow(ctx context.Context) {
	for ctx.Err() == nil {
		changed := p.repo.node.Changed()
		var again <-chan time.Time
		if p.repo.node.Role().State == litefs.Primary {
			if err := p.take(ctx); err != nil && ctx.Err() == nil {
				p.repo.log.Error("cannot take writes", "err", err)
				again = time.After(retakeEvery)
			}
		} else if err := p.drop(); err != nil {
			p.repo.log.Error("close writing connection", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
}

// take opens the writing connection, brings the schema up and starts the tasks.
// It does nothing when that has been done. Calls that come meanwhile are told
// that the primary is starting; they do not wait here.
func (p *primary) take(ctx context.Context) error {
	if p.open() {
		return nil
	}
	db, err := p.prepare(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.db, p.cause = db, err
	if err != nil {
		return err
	}
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
	return p.db != nil
}

func (p *primary) prepare(ctx context.Context) (*sql.DB, error) {
	journal := journalWAL
	if p.litefs {
		journal = journalDelete
	}
	db, err := openWriter(ctx, p.repo.path, journal)
	if err != nil {
		return nil, err
	}
	if err := p.repo.schema.migrate(ctx, db, p.repo.log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// drop ends the tasks, waits for the call that is being carried out and closes
// the writing connection.
func (p *primary) drop() error {
	db := p.end()
	if db == nil {
		return nil
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close writing connection: %w", err)
	}
	return nil
}

// end is drop that leaves closing to the caller. It returns nil when there is
// nothing to close.
func (p *primary) end() *sql.DB {
	p.mu.Lock()
	db := p.db
	cancel := p.cancel
	p.db, p.cause, p.cancel = nil, nil, nil
	p.mu.Unlock()
	if db == nil {
		return nil
	}
	cancel()
	p.active.Wait()
	p.using.Wait()
	return db
}

// ready says whether a call may start here: nil, or where the primary is, or
// that it is starting.
func (p *primary) ready() error {
	_, release, err := p.acquire()
	if err == nil {
		release()
	}
	return err
}

// acquire gives the writing connection to one transaction, and what gives it back.
func (p *primary) acquire() (*sql.DB, func(), error) {
	role := p.repo.node.Role()
	if role.State != litefs.Primary {
		err := unavailable(WrongPrimary, "This node is not the primary.", time.Second, nil)
		err.Primary = role.URL
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db == nil {
		return nil, nil, unavailable(NotNow, "The primary is starting.", time.Second, p.cause)
	}
	p.using.Add(1)
	return p.db, p.using.Done, nil
}

// check opens and ends an immediate transaction: does the writing connection work?
func (p *primary) check(ctx context.Context) error {
	db, release, err := p.acquire()
	if err != nil {
		return err
	}
	defer release()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return begun(err)
	}
	return tx.Rollback()
}
