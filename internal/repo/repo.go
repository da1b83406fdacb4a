package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"blog/internal/litefs"
)

// Node is what the repository needs to know of the node it runs on.
type Node interface {
	// Role is what this node is now.
	Role() litefs.Role
	// Changed is closed at the next change of Role. Take it before Role.
	Changed() <-chan struct{}
	// Subscribe gives a channel that receives (at least once after the last
	// change) when the database may have changed, and what ends it.
	Subscribe() (<-chan struct{}, func())
	// Notify says that this process has committed a write.
	Notify()
}

// Options are what Open needs. All but Authorize, Tasks, Middleware, Durability, Dated
// and ResetClock are required.
type Options struct {
	Path       string    // the database file, inside LiteFS's mount if LiteFS is set
	LiteFS     bool      // journal mode delete, and a role that changes
	Node       Node      // this node's role and wake-ups
	Registry   *Registry // the commands of this release
	Migrations fs.FS     // goose migrations, in the root
	Transport  *Transport
	Now        func() time.Time // what writes are dated with
	Logger     *slog.Logger
	// Dated is told the date of the newest row: at the start, at each change of this
	// node's own copy, and before each write. reset says that this row, or one that came
	// with it, may be dated earlier than the one before it.
	Dated func(at time.Time, reset bool)
	// ResetClock returns the time for such a row, or why there is none that can be relied
	// on; with force this machine's wall clock is. Nil: Now.
	ResetClock func(force bool) (time.Time, error)
	// Authorize refuses a user whose session does not live, inside the
	// transaction of each of their writes.
	Authorize func(ctx context.Context, tx *Tx) error
	// Tasks run while this node is primary and its schema is this release's.
	// Their context ends with the role.
	Tasks []Task
	// Middleware goes in front of Await and Forward.
	Middleware []Middleware
	// Durability decides who may write and when an answer may be given. Nil: this
	// node when it is primary, and at the commit.
	Durability Durability
}

// Task is work that only the primary does, such as the release of posts that are due.
type Task func(ctx context.Context, r *Repo)

// Repo is the database of this node: reads here, writes wherever the primary is.
type Repo struct {
	path      string
	reads     *sql.DB
	looks     *sql.DB       // for Look
	rewritten *atomic.Int64 // their connections last until it changes; nil: for ever
	gate      *gate         // nil: nothing replicates into this database
	node      Node
	registry  *Registry
	authorize func(ctx context.Context, tx *Tx) error
	now       func() time.Time
	dated     func(at time.Time, reset bool)
	reset     func(force bool) (time.Time, error)
	log       *slog.Logger
	free      func(path string) (uint64, error) // bytes beside the database
	commit    func(tx *sql.Tx) error
	batchTime time.Duration
	schema    schema
	primary   *primary
	rollback  rollback
	writing   writing
	readiness *readiness
	feed      *Feed
	handler   Handler

	durability Durability
	waiting    atomic.Int64    // calls in super
	bodies     *Bodies         // of calls in the chain, or received
	patience   context.Context // ends with Abandon
	abandon    context.CancelFunc

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open opens the database. On a static node it is migrated and writable when
// Open returns; under LiteFS it may still have to arrive.
func Open(ctx context.Context, o Options) (*Repo, error) {
	if err := checkFTS5(ctx); err != nil {
		return nil, err
	}
	var rewritten *atomic.Int64
	if o.LiteFS {
		rewritten = new(atomic.Int64)
	}
	reads, err := openReads(o.Path, readConns, rewritten)
	if err != nil {
		return nil, err
	}
	looks, err := openReads(o.Path, lookConns, rewritten)
	if err != nil {
		return nil, errors.Join(err, reads.Close())
	}
	sch, err := newSchema(o.Migrations)
	if err != nil {
		return nil, errors.Join(err, reads.Close(), looks.Close())
	}
	r := &Repo{
		path: o.Path, reads: reads, looks: looks, rewritten: rewritten, node: o.Node, registry: o.Registry,
		authorize: o.Authorize, now: o.Now, dated: o.Dated, reset: o.ResetClock, log: o.Logger,
		free: litefs.Free, commit: (*sql.Tx).Commit, batchTime: maxBatchTime, rollback: rollback{turn: make(chan struct{}, 1)}, schema: sch,
		durability: o.Durability, bodies: NewBodies(maxBodies),
	}
	r.patience, r.abandon = context.WithCancel(context.WithoutCancel(ctx))
	if r.authorize == nil {
		r.authorize = func(context.Context, *Tx) error { return Errorf(Unauthorized, "There are no users here.") }
	}
	if r.dated == nil {
		r.dated = func(time.Time, bool) {}
	}
	if r.reset == nil {
		r.reset = func(bool) (time.Time, error) { return r.now(), nil }
	}
	if o.LiteFS {
		r.gate = newGate()
	}
	r.readiness = newReadiness(context.WithoutCancel(ctx), r.readSchema)
	r.feed = newFeed(r)
	r.primary = newPrimary(r, o.LiteFS, o.Tasks)
	ms := append(append([]Middleware{}, o.Middleware...), admitBody(r.bodies), Await(r.feed), Forward(o.Node, o.Transport, o.Logger))
	r.handler = chain(r.super, ms...)

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	if !o.LiteFS {
		if err := r.primary.take(background, r.node.Changed()); err != nil {
			stop()
			return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), r.primary.drop(), reads.Close(), looks.Close())
		}
	}
	// Where there is a database already, the feed starts before anybody can attach
	// to it. Elsewhere its run sees to that.
	if _, err := r.feed.step(ctx, o.Node.Changed()); err != nil && AsError(err).Code != Unavailable {
		stop()
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), r.primary.drop(), reads.Close(), looks.Close())
	}
	r.done.Go(func() { r.primary.follow(background) })
	r.done.Go(func() { r.feed.run(background) })
	return r, nil
}

// Call sends a call down the chain. Use Write or Do.
func (r *Repo) Call(ctx context.Context, call *Call) error {
	ctx, cancel := r.patient(ctx)
	defer cancel()
	return r.handler(ctx, call)
}

// patient returns a context that ends with ctx and with Abandon.
func (r *Repo) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.patience, cancel)
	return ctx, func() { stop(); cancel() }
}

// Retire closes the writing connection for good: this node is about to leave, and
// what is written on it from now on would have to reach another in time. It waits
// for the transaction under way. Calls that come later are told to ask again, and
// those of this node's own users wait for the next primary.
func (r *Repo) Retire() error { return r.primary.retire() }

// Abandon ends the waiting of all calls: each is answered at once, with its key
// where it may have been done. New calls get the same.
func (r *Repo) Abandon() { r.abandon() }

// Feed is the tail of this node's own copy.
func (r *Repo) Feed() *Feed { return r.feed }

// Close ends the tasks and the feed, waits for the transaction that is under way
// and closes the database.
func (r *Repo) Close() error {
	r.stop()
	r.readiness.close()
	r.done.Wait()
	// The writing connection goes last: only the last connection to a plain file
	// takes its write-ahead log in, and one that may only read cannot.
	t := r.primary.leave()
	if t != nil {
		t.drain()
	}
	r.abandon()
	err := errors.Join(r.reads.Close(), r.looks.Close())
	if t != nil {
		err = errors.Join(err, t.end())
	}
	return err
}
