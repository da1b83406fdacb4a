package repo

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"blog/internal/litefs"
)

// primary owns the one writing connection. It exists only while this node is
// primary, and nothing outside super can reach it.
type primary struct {
	repo   *Repo
	litefs bool
	tasks  []Task

	mu     sync.Mutex
	db     *sql.DB // nil: not (yet) primary
	using  sync.WaitGroup
	cause  error // why db is nil although the role is primary
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
// It does nothing when that has been done.
func (p *primary) take(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db != nil {
		return nil
	}
	defer func() { p.cause = err }()
	journal := journalWAL
	if p.litefs {
		journal = journalDelete
	}
	db, err := openWriter(ctx, p.repo.path, journal)
	if err != nil {
		return err
	}
	if err := p.repo.schema.migrate(ctx, db, p.repo.log); err != nil {
		return errors.Join(err, db.Close())
	}
	p.db = db
	tctx, cancel := context.WithCancel(As(ctx, Actor{Name: System}))
	p.cancel = cancel
	for _, task := range p.tasks {
		p.active.Add(1)
		go func() { defer p.active.Done(); task(tctx, p.repo) }()
	}
	p.repo.node.Notify()
	return nil
}

// drop ends the tasks, waits for the call that is being carried out and closes
// the writing connection.
func (p *primary) drop() error {
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
	return db.Close()
}

// acquire gives the writing connection to one call, and what gives it back.
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
