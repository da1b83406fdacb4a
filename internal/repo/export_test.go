package repo

import (
	"context"
	"database/sql"
	"time"

	"blog/internal/transport"
)

// SetFree sets how much room r finds on its disk.
func (r *Repo) SetFree(bytes uint64) {
	r.free = func(string) (uint64, error) { return bytes, nil }
}

// SetCommit replaces COMMIT.
func (r *Repo) SetCommit(commit func(tx *sql.Tx) error) { r.commit = commit }

// ReservedInUse is how many connections of ViewReserved's pool are in use, ReservedWaited how often one was waited for.
func (r *Repo) ReservedInUse() int    { return r.db.ReservedStats().InUse }
func (r *Repo) ReservedWaited() int64 { return r.db.ReservedStats().WaitCount }

// DiscardHistory makes all connections of the pools those of a history that was given up.
func (r *Repo) DiscardHistory() { r.db.DiscardHistory() }

// ExecOnWriter runs a statement on the connection that writes, between two batches.
func (r *Repo) ExecOnWriter(ctx context.Context, query string) error {
	t, err := r.primary.currentTerm()
	if err != nil {
		return err
	}
	return t.writes.runJob(ctx, func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, query)
		return err
	})
}

// DoOnWriter runs do where the committer works on the writing connection, between two batches.
func (r *Repo) DoOnWriter(ctx context.Context, do func() error) error {
	t, err := r.primary.currentTerm()
	if err != nil {
		return err
	}
	return t.writes.runJob(ctx, func(context.Context, *sql.DB) error { return do() })
}

// What a step of a transaction may take, the beginning of Durability's term, and a migration.
const (
	StepLimit      = stepLimit
	TermLimit      = termLimit
	MigrationLimit = migrationLimit
)

// HoldWriter blocks the committer before its next batch until the function that it returns is called.
func (r *Repo) HoldWriter(ctx context.Context) (release func(), err error) {
	t, err := r.primary.currentTerm()
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
	t, err := r.primary.currentTerm()
	if err != nil {
		return 0
	}
	c := t.writes
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) + len(c.bulk) + len(c.again)
}

// Calls is how many calls have no answer yet.
func (r *Repo) Calls() int { return int(r.waiting.Load()) }

// Jobs is how many jobs wait for the committer.
func (r *Repo) Jobs() int {
	t, err := r.primary.currentTerm()
	if err != nil {
		return 0
	}
	c := t.writes
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.jobs)
}

// Bounds of a batch.
const (
	MaxBatchCalls    = maxBatchCalls
	MaxBatchBytes    = maxBatchBytes
	MaxBatchTime     = maxBatchTime
	SharedApplyLimit = sharedApplyLimit
	PruneMost        = pruneMost
)

// SetBatchTime sets for how long a batch admits further calls.
func (r *Repo) SetBatchTime(d time.Duration) { r.batchTime = d }

// SetApplyTime sets for how long one Apply, or one upkeep, may run.
func (r *Repo) SetApplyTime(d time.Duration) { r.applyTime = d }

// Pace returns the bounds of a batch after a COMMIT and Applies that took so long.
func Pace(commit time.Duration, applies ...time.Duration) (admission, shared time.Duration) {
	p := pace{}
	p.committed(commit)
	for _, took := range applies {
		p.applied(took)
	}
	return p.admission(maxBatchTime), p.shared()
}

// Super gives a command to super, without the rest of the chain: nobody asks again.
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

// BeginTerm begins a term, as follow does. The role that the repository knows must not be the primary's meanwhile.
func (r *Repo) BeginTerm(ctx context.Context, over <-chan struct{}) error {
	return r.primary.beginTerm(ctx, over)
}

// EndTerm ends the term.
func (r *Repo) EndTerm() error { return r.primary.endTerm() }

// Refusals are the causes of refusals that are asked again.
type Refusals struct{ r refusals }

// Due is whether err is to be logged at now, and how many were not before it.
func (r *Refusals) Due(err error, now time.Time) (skipped int, due bool) { return r.r.due(err, now) }

// MaxWire is the largest call on the wire, in bytes.
const MaxWire = transport.MaxMessage

// SetBodies sets how many bytes the bodies of r's calls may have at a time.
func (r *Repo) SetBodies(limit int64) { r.bodies.SetLimit(limit) }

// HeldBodies is how many bytes they have now.
func (r *Repo) HeldBodies() int64 { return r.bodies.Held() }

// Readiness is a readiness whose read is the test's.
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

// Rule is what one rule says, by the names of its parts.
type Rule struct{ Phase, When, Reason, Next string }

// Rules returns all rules.
func Rules() []Rule {
	out := make([]Rule, 0, len(rules))
	for _, r := range rules {
		out = append(out, Rule{string(r.phase), r.when.name, r.reason, string(r.next)})
	}
	return out
}

// Fail is fail.
func Fail(p string, err error, key string, more ...any) error {
	return fail(phase(p), err, key, more...)
}

// IsAskedAgain is isAskedAgain.
func IsAskedAgain(err error) bool { return isAskedAgain(err) }

// The errors that say how far a call has come.
var (
	ErrNotPrimary  = errNotPrimary
	ErrStarting    = errStarting
	ErrLeaving     = errLeaving
	ErrNoPrimary   = errNoPrimary
	ErrTooMany     = errTooMany
	ErrExpired     = errExpired
	ErrNoCommand   = errNoCommand
	ErrNoField     = errNoField
	ErrRoleChanged = errRoleChanged
	ErrWriterEnded = errWriterEnded
	ErrRolledBack  = errRolledBack
	ErrNoRoom      = errNoRoom
)
