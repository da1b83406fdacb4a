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

// primary owns the term of this node, and with it the one writing connection. A term
// exists only while this node is primary, and nothing outside super can reach it. take
// is called by one goroutine at a time: Open's, then follow's.
type primary struct {
	repo   *Repo
	litefs bool
	tasks  []Task
	open   func(ctx context.Context, path, journal string) (*sql.DB, error) // the writing connection

	mu    sync.Mutex // guards the fields below; never held across I/O
	term  *term      // nil: not (yet) primary
	cause error      // why term is nil although the role is primary
	over  bool       // retired: nothing is written here any more
}

func newPrimary(r *Repo, underLiteFS bool, tasks []Task) *primary {
	return &primary{repo: r, litefs: underLiteFS, tasks: tasks, open: openWriter}
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

// lead has a term, where this node is primary, until the role changes.
func (p *primary) lead(ctx context.Context, changed <-chan struct{}) {
	for {
		var err error
		if p.repo.node.Role().State == litefs.Primary {
			err = p.take(ctx, changed)
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
			p.repo.log.Error("cannot take writes", "err", err)
			again = time.After(retakeEvery)
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

// take begins a term and starts the tasks. It does nothing when that has been done.
// Calls that come meanwhile are told that the primary is starting; they do not wait
// here. over is closed when the role ends.
func (p *primary) take(ctx context.Context, over <-chan struct{}) error {
	if p.holdsTerm() || p.retired() {
		return nil
	}
	t, err := p.begin(ctx, over)
	p.repo.writing.opened(time.Now(), err)
	p.mu.Lock()
	p.term, p.cause = t, err
	retired := p.over // meanwhile: what waits for a standby still needs the term
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
	return p.over
}

// retire ends writing for good. What has been written goes on waiting for a standby.
func (p *primary) retire() error {
	p.mu.Lock()
	p.over = true
	t := p.term
	p.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.stop()
}

// begin begins a term. Where a step fails, what the steps before have begun is ended.
func (p *primary) begin(ctx context.Context, over <-chan struct{}) (*term, error) {
	t := newTerm(ctx, over)
	if err := p.fill(t); err != nil { //nolint:contextcheck // the term's context comes from ctx and ends with the role
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

// fill asks whether this node may lead, opens the writing connection and brings the
// schema up. What it has begun is in t, whether it fails or not. It fails when the role
// ends meanwhile.
func (p *primary) fill(t *term) error {
	var err error
	if d := p.repo.durability; d != nil {
		if t.lead, err = p.askToLead(t.ctx, d, t.over); err != nil {
			return fmt.Errorf("this node may not lead: %w", err)
		}
	}
	if t.db, err = p.open(t.ctx, p.repo.path, p.journal()); err != nil {
		return err
	}
	if err = p.repo.schema.migrate(t.ctx, t.db, p.repo.log); err != nil {
		return err
	}
	t.writes = newCommitter(p.repo, t)
	go t.writes.run(context.WithoutCancel(t.ctx)) // until the term's end, which waits for it
	return nil
}

// askToLead asks d, twice where what is left of a transaction of an earlier term keeps
// d from reading the database.
func (p *primary) askToLead(ctx context.Context, d Durability, over <-chan struct{}) (Term, error) {
	lead, err := d.Lead(ctx, over)
	if !rollingBack(err) {
		return lead, err
	}
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	return d.Lead(ctx, over)
}

// settle has what is left of a transaction of an earlier term rolled back. Lead looks
// into the database once it has seen that this node may write, and cannot before this.
func (p *primary) settle(ctx context.Context) error {
	db, err := p.open(ctx, p.repo.path, p.journal())
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

// drop ends the term.
func (p *primary) drop() error {
	t := p.leave()
	if t == nil {
		return nil
	}
	return t.end()
}

// leave makes the term nobody's but the caller's, who ends it. It returns nil when there is none.
func (p *primary) leave() *term {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.term
	p.term, p.cause = nil, nil
	return t
}

// ready returns the term in which a call may start here; or where the primary is, or
// that it is starting.
func (p *primary) ready() (*term, error) {
	role := p.repo.node.Role()
	if role.State != litefs.Primary {
		err := unavailable(WrongPrimary, "This node is not the primary.", time.Second, nil)
		err.Primary = role.URL
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.term
	switch {
	case p.over:
		return nil, errLeaving()
	case t == nil, t.ended(): // another has been primary meanwhile, or may have been
		return nil, unavailable(NotNow, "The primary is starting.", time.Second, p.cause)
	}
	return t, nil
}

// check has an immediate transaction opened and ended: does the writing connection work?
func (p *primary) check(ctx context.Context) error {
	t, err := p.ready()
	if err != nil {
		return err
	}
	return t.writes.runJob(ctx, func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		p.repo.noteBegin(err)
		if err != nil {
			return p.repo.begun(err)
		}
		return tx.Rollback()
	})
}

// Canary fails where this node is primary and SQLite or LiteFS keeps it from beginning
// a transaction. That it has no time for one is no failure, nor that it is starting.
func (r *Repo) Canary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err := r.primary.check(ctx)
	if sqliteCode(err) == 0 && !errors.Is(err, errLost) || diskFull(err) {
		return nil
	}
	return err
}
