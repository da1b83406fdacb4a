package repo

import (
	"context"
	"database/sql"
	"time"
)

// Gate lets the tests walk through a gate whose clock and timer are theirs.
type Gate struct{ g *gate }

func NewGate(now func() time.Time, after func(time.Duration, func())) Gate {
	return Gate{&gate{now: now, after: after}}
}

func (g Gate) Enter(ctx context.Context) error { return g.g.enter(ctx) }
func (g Gate) Pass()                           { g.g.pass() }
func (g Gate) Leave()                          { g.g.leave() }

// SetFree sets how much room r finds on its disk.
func (r *Repo) SetFree(bytes uint64) {
	r.free = func(string) (uint64, error) { return bytes, nil }
}

// SetCommit replaces COMMIT.
func (r *Repo) SetCommit(commit func(tx *sql.Tx) error) { r.commit = commit }

// LookConns is the constant of the pool, LooksInUse how many of them are taken, and LooksWaited how often one was
// waited for.
const LookConns = lookConns

func (r *Repo) LooksInUse() int    { return r.looks.Stats().InUse }
func (r *Repo) LooksWaited() int64 { return r.looks.Stats().WaitCount }

// ReadConns is the constant of the pool.
const ReadConns = readConns

// GiveUp makes all connections of the pools be of a history that was given up.
func (r *Repo) GiveUp() { r.rewritten.Add(1) }

// LongestRun is the constant of the gate.
const LongestRun = longestRun

// ExecOnWriter runs a statement on the connection that writes, between two batches.
func (r *Repo) ExecOnWriter(ctx context.Context, query string) error {
	t, err := r.primary.ready()
	if err != nil {
		return err
	}
	return t.writes.runJob(ctx, func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, query)
		return err
	})
}

// HoldWriter keeps the committer from its next batch until what it returns is called.
func (r *Repo) HoldWriter(ctx context.Context) (release func(), err error) {
	t, err := r.primary.ready()
	if err != nil {
		return nil, err
	}
	held, goOn := make(chan struct{}), make(chan struct{})
	go func() {
		_ = t.writes.runJob(ctx, func(context.Context, *sql.DB) error { close(held); <-goOn; return nil })
	}()
	<-held
	return func() { close(goOn) }, nil
}

// Waiting is how many calls wait for the committer.
func (r *Repo) Waiting() int {
	t, err := r.primary.ready()
	if err != nil {
		return 0
	}
	c := t.writes
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) + len(c.bulk) + len(c.again)
}

// Jobs is how many jobs wait for the committer.
func (r *Repo) Jobs() int {
	t, err := r.primary.ready()
	if err != nil {
		return 0
	}
	c := t.writes
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.jobs)
}

// TransactionWord is the function.
func TransactionWord(query string) string { return transactionWord(query) }

// ReadableWithin bounds the wait for the own copy.
const ReadableWithin = readableWithin

// Bounds of a batch.
const (
	MaxBatchCalls    = maxBatchCalls
	MaxBatchBytes    = maxBatchBytes
	SharedApplyLimit = sharedApplyLimit
	PruneMost        = pruneMost
)

// SetBatchTime sets for how long a batch takes further calls in.
func (r *Repo) SetBatchTime(d time.Duration) { r.batchTime = d }

// Super gives a command to the end of the chain alone: nobody asks again.
func (r *Repo) Super(ctx context.Context, name, key string, body []byte) (Reply, error) {
	call := newCall(ctx, name, body)
	call.Key = key
	err := r.super(ctx, call)
	return call.Reply, err
}

// SuperCall is Super of a call as another node sent it, whose deadline ends no context here.
func (r *Repo) SuperCall(ctx context.Context, call *Call) error { return r.super(ctx, call) }

// OpenWriter is what opens the writing connection.
type OpenWriter func(ctx context.Context, path, journal string) (*sql.DB, error)

// SetOpenWriter replaces what opens the writing connection by what change makes of it.
func (r *Repo) SetOpenWriter(change func(open OpenWriter) OpenWriter) {
	r.primary.open = change(r.primary.open)
}

// Take begins a term, as follow does. The role that the repository knows must not be the primary's meanwhile.
func (r *Repo) Take(ctx context.Context, over <-chan struct{}) error {
	return r.primary.take(ctx, over)
}

// Drop ends the term.
func (r *Repo) Drop() error { return r.primary.drop() }

// MaxWire is the largest call on the wire, in bytes.
const MaxWire = maxWire

// SetBodies sets how many bytes the bodies of r's calls may have at a time.
func (r *Repo) SetBodies(limit int64) { r.bodies.limit = limit }

// HeldBodies is how many bytes they have now.
func (r *Repo) HeldBodies() int64 { return r.bodies.held.Load() }

// Readiness is what /readyz asks, with a read of the test's own.
type Readiness struct{ r *readiness }

func NewReadiness(ctx context.Context, read func(ctx context.Context) error) Readiness {
	return Readiness{newReadiness(ctx, func(ctx context.Context) found { return found{err: read(ctx)} })}
}

// Find returns when the read that it answers from has ended, and that read's error.
func (r Readiness) Find(ctx context.Context) (time.Time, error) {
	f := r.r.find(ctx)
	return f.at, f.err
}

func (r Readiness) Close() { r.r.close() }

// Once carries a call out here and gives its first answer: nothing asks again.
func (r *Repo) Once(ctx context.Context, call *Call) error { return r.super(ctx, call) }
