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

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
	"blog/internal/transport"
)

// Node is what the repository needs to know of the node it runs on.
type Node interface {
	// Role returns what this node is now.
	Role() litefs.Role
	// Changed returns a channel that is closed at the next change of Role. Call it before Role.
	Changed() <-chan struct{}
	// Subscribe returns a channel that receives, at least once after the last change, when
	// the database may have changed, and a function that ends the subscription.
	Subscribe() (<-chan struct{}, func())
	// Notify says that this process has committed a write.
	Notify()
}

// Options are what Open needs. All but Authorize, Tasks, Middleware, Durability, Dated,
// ResetClock and Timed are required.
type Options struct {
	Path       string    // the database file, inside LiteFS's mount if LiteFS is set
	LiteFS     bool      // journal mode delete, and a role that changes
	Node       Node      // this node's role and wake-ups
	Registry   *Registry // the commands of this release
	Migrations fs.FS     // goose migrations, in the root
	Transport  *transport.Client
	Now        func() time.Time // what writes are dated with
	Logger     *slog.Logger
	// Dated receives the date of the newest row: at the start, at each change of this
	// node's copy, and before each write. reset says that this row, or one that came
	// with it, may be dated earlier than the one before it.
	Dated func(at time.Time, reset bool)
	// ResetClock returns the time for such a row. It fails when no clock can be relied on;
	// with force it relies on this machine's wall clock. Nil: Now.
	ResetClock func(force bool) (time.Time, error)
	// Authorize refuses a user whose session has ended. It runs inside the transaction
	// of each of their writes.
	Authorize func(ctx context.Context, tx *Tx) error
	// Tasks run while this node is primary and its schema is this release's.
	// Their context ends with the role.
	Tasks []Task
	// Middleware goes in front of Await and Forward.
	Middleware []Middleware
	// Durability decides who may write and when an answer may be given. Nil: this
	// node may when it is primary, and answers at the commit.
	Durability Durability
	// Timed is told how long each stage of a call or batch has taken that was carried out
	// here. It is called from several goroutines and must not wait.
	Timed func(s Stage, took time.Duration)
}

// Task is work that only the primary does, such as publishing posts that are due.
type Task func(ctx context.Context, r *Repo)

// Repo is the database of this node. It reads from this node's copy and writes on the primary, wherever that is.
type Repo struct {
	path      string
	db        *sqlite.Database // for reads
	node      Node
	registry  *Registry
	authorize func(ctx context.Context, tx *Tx) error
	now       func() time.Time
	dated     func(at time.Time, reset bool)
	reset     func(force bool) (time.Time, error)
	timed     func(s Stage, took time.Duration)
	log       *slog.Logger
	free      func(path string) (uint64, error) // bytes beside the database
	commit    func(tx *sql.Tx) error
	batchTime time.Duration // for how long a batch admits further calls
	applyTime time.Duration // for how long one Apply or upkeep may run
	schema    schema
	primary   *primary
	writing   writing
	readiness *readiness
	feed      *Feed
	handler   Handler

	durability Durability
	waiting    atomic.Int64      // calls in super
	bodies     *transport.Bodies // of calls in the chain, or received
	abandoned  context.Context   // ends with Abandon
	abandon    context.CancelFunc

	stop context.CancelFunc
	done sync.WaitGroup
}

// Open opens the database. On a static node it is migrated and writable when
// Open returns; under LiteFS it may still have to arrive.
func Open(ctx context.Context, o Options) (*Repo, error) {
	if err := sqlite.CheckFTS5(ctx); err != nil {
		return nil, err
	}
	sch, err := newSchema(o.Migrations)
	if err != nil {
		return nil, err
	}
	r := &Repo{
		path: o.Path, node: o.Node, registry: o.Registry,
		authorize: o.Authorize, now: o.Now, dated: o.Dated, reset: o.ResetClock, timed: o.Timed, log: o.Logger,
		free: litefs.Free, commit: (*sql.Tx).Commit, batchTime: maxBatchTime, applyTime: maxApplyTime,
		schema: sch, durability: o.Durability, bodies: transport.NewBodies(maxBodies),
	}
	r.abandoned, r.abandon = context.WithCancel(context.WithoutCancel(ctx))
	if r.authorize == nil {
		r.authorize = func(context.Context, *Tx) error {
			return apperr.Errorf(apperr.Unauthorized, "There are no users here.")
		}
	}
	if r.dated == nil {
		r.dated = func(time.Time, bool) {}
	}
	if r.timed == nil {
		r.timed = func(Stage, time.Duration) {}
	}
	if r.reset == nil {
		r.reset = func(bool) (time.Time, error) { return r.now(), nil }
	}
	if r.db, err = sqlite.Open(o.Path,
		sqlite.Options{LiteFS: o.LiteFS, Writes: r.writesHere, RollBack: r.rollBackHere}); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	r.readiness = newReadiness(context.WithoutCancel(ctx), r.readSchema)
	r.feed = newFeed(r)
	r.primary = newPrimary(r, o.LiteFS, o.Tasks)
	ms := append(append([]Middleware{}, o.Middleware...), admitBody(r.bodies), Await(r.feed),
		Forward(o.Node, o.Transport, o.Logger))
	r.handler = chain(r.super, ms...)

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	if !o.LiteFS {
		if err := r.primary.beginTerm(background, r.node.Changed()); err != nil {
			stop()
			return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), r.primary.endTerm(), r.db.Close())
		}
	}
	// If there is a database already, the feed starts before anybody can attach to it.
	// Otherwise it starts in its run, when the database has arrived.
	if _, err := r.feed.step(ctx, o.Node.Changed()); err != nil && apperr.From(err).Code != apperr.Unavailable {
		stop()
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), r.primary.endTerm(), r.db.Close())
	}
	r.done.Go(func() { r.primary.follow(background) })
	r.done.Go(func() { r.feed.run(background) })
	return r, nil
}

// Call sends a call down the chain. Use Write or Do.
func (r *Repo) Call(ctx context.Context, call *Call) error {
	ctx, cancel := r.untilAbandoned(ctx)
	defer cancel()
	return r.handler(ctx, call)
}

// untilAbandoned returns a context that ends with ctx and with Abandon.
func (r *Repo) untilAbandoned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.abandoned, cancel)
	return ctx, func() { stop(); cancel() }
}

// Retire closes the writing connection for good, after the transaction under way. It is
// for a node that is about to leave: what it wrote from now on would have to reach another
// node in time. Calls of other nodes that come later are refused as "asked again", and those
// of this node's users wait for the next primary.
func (r *Repo) Retire() error { return r.primary.retire() }

// Abandon ends the wait of all calls, now and later: each is answered at once, with its key
// when it may have been carried out.
func (r *Repo) Abandon() { r.abandon() }

// Feed returns the feed of this node's copy.
func (r *Repo) Feed() *Feed { return r.feed }

// Close ends the tasks and the feed, waits for the transaction that is under way
// and closes the database. It returns all errors of these steps.
func (r *Repo) Close() error {
	r.stop()
	r.readiness.close()
	r.done.Wait()
	// The writing connection is closed last: only the last connection to a plain file
	// checkpoints its write-ahead log, and a connection that may only read cannot.
	t := r.primary.detachTerm()
	if t != nil {
		t.drain()
	}
	r.abandon()
	err := r.db.Close()
	if t != nil {
		err = errors.Join(err, t.end())
	}
	return err
}
