package repo

import (
	"database/sql"
	"fmt"
	"sync"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
)

// WriteState names what was last seen of writing on a node.
type WriteState string

// The states. On a primary they follow from what its own transactions gave last, calls' and the canary's.
const (
	WriteFit       WriteState = "fit"        // the last transaction began or was committed
	WriteFailing   WriteState = "failing"    // it was not, or the writing connection could not be opened
	WriteDiskFull  WriteState = "disk_full"  // there was no room for it
	WriteNotYet    WriteState = "not_yet"    // this node is primary and does not accept writes yet, or does not any more
	WriteElsewhere WriteState = "elsewhere"  // another node is the primary
	WriteNowhere   WriteState = "no_primary" // no primary is known
)

// Writing is what was last seen of writing on a node. It says nothing about readers.
type Writing struct {
	State WriteState
	Seen  time.Time // when; UTC
	Err   error     // what went wrong, for a log: it may give away what is of no concern to strangers
	// Failed counts the COMMITs that have failed one after the other in this term, 0 after one that succeeded.
	// The first of them was tried at Since. A full disk is not among them. A batch that came to no COMMIT, since
	// nothing could be written in it, counts as one that has failed.
	Failed int
	Since  time.Time
	// Pending is since when the step of a transaction that is under way has not returned, zero where none is. Allowed is
	// how long that step may take; 0 is stepLimit.
	Pending time.Time
	Allowed time.Duration
}

const (
	// stepLimit is longer than a step of a transaction takes whose disk answers: an Apply may run for maxApplyTime, and
	// its last statement may then wait for a lock, for sqlite.BusyTimeout. A COMMIT syncs up to seven times under LiteFS,
	// so a disk that takes three seconds for each is taken for one that hangs.
	stepLimit = maxApplyTime + sqlite.BusyTimeout
	// termLimit is for the beginning of Durability's term, which waits for answers of LiteFS's and Consul's. Each comes
	// within seconds, or fails.
	termLimit = time.Minute
	// migrationLimit is for a migration, which may rewrite much.
	migrationLimit = 10 * time.Minute
)

// Hangs reports whether a step of a transaction has not returned in the time of limit before now, or longer, and in no
// less than it is allowed.
func (w Writing) Hangs(now time.Time, limit time.Duration) bool {
	return !w.Pending.IsZero() && now.Sub(w.Pending) >= max(limit, stepLimit, w.Allowed)
}

// Failure returns why nothing can be written, nil where that is not known: a step of a transaction hangs, or at least
// three COMMITs have been tried in the time of limit before now, or longer, and none has succeeded since.
func (w Writing) Failure(now time.Time, limit time.Duration) error {
	const least = 3
	switch {
	case w.Hangs(now, limit):
		return hangs(now.Sub(w.Pending))
	case w.Failed >= least && now.Sub(w.Since) >= limit:
		return fmt.Errorf("%d commits in a row have failed since %s: %w", w.Failed, w.Since.UTC().Format(time.RFC3339), w.Err)
	}
	return nil
}

func hangs(pending time.Duration) error {
	return fmt.Errorf("a write has not returned for %s: the disk below this node's database may hang",
		pending.Truncate(time.Second))
}

// Writing returns what was last seen of writing here. It waits for nothing.
func (r *Repo) Writing() Writing {
	now := time.Now()
	switch r.node.Role().State {
	case litefs.Primary:
		return r.writing.seen(now, r.acceptsWrites())
	case litefs.Replica:
		return Writing{State: WriteElsewhere, Seen: now.UTC()}
	}
	return Writing{State: WriteNowhere, Seen: now.UTC()}
}

// acceptsWrites reports whether this node is in a term as primary.
func (r *Repo) acceptsWrites() bool {
	_, err := r.primary.currentTerm()
	return err == nil
}

// CommitsFailed counts the COMMITs that have failed on this node since its start, and the batches that came to none,
// since nothing could be written in them.
func (r *Repo) CommitsFailed() uint64 {
	r.writing.mu.Lock()
	defer r.writing.mu.Unlock()
	return r.writing.failures
}

// writing is what was last seen of the writing connection.
type writing struct {
	mu       sync.Mutex
	at       time.Time // of the newest outcome
	trouble  error     // nil: it was a good one
	full     bool      // trouble is a full disk
	commits  bool      // trouble is a COMMIT's, and only a COMMIT shows that it is over
	opening  bool      // trouble is that of opening the connection
	failed   int       // COMMITs in a row, in this term
	since    time.Time // when the first of them was tried
	failures uint64
	pending  time.Time // since when the step under way has not returned; zero: none is
	allowed  time.Duration
}

// seen returns what is known at the moment now; open says whether there is a writing connection.
func (w *writing) seen(now time.Time, open bool) Writing {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := Writing{
		State: WriteFit, Seen: w.at.UTC(), Err: w.trouble, Failed: w.failed, Since: w.since,
		Pending: w.pending, Allowed: w.allowed,
	}
	switch {
	case out.Hangs(now, stepLimit):
		out.State, out.Seen, out.Err = WriteFailing, now.UTC(), hangs(now.Sub(w.pending))
	case !open && !w.opening:
		return Writing{State: WriteNotYet, Seen: now.UTC(), Pending: w.pending, Allowed: w.allowed}
	case w.full:
		out.State = WriteDiskFull
	case w.trouble != nil:
		out.State = WriteFailing
	}
	return out
}

// stepBegins notes that the step of a transaction before has returned: whatever follows waits for SQLite, until the
// next step begins, or until stepsEnd. One goroutine at a time has steps: the committer, before there is one the
// goroutine that begins the term, and after it the one that closes the writing connection.
func (w *writing) stepBegins() { w.longStepBegins(stepLimit) }

// longStepBegins is stepBegins of a step of a term's beginning, which is allowed more.
func (w *writing) longStepBegins(allowed time.Duration) { w.setPending(time.Now(), allowed) }

// stepsEnd notes that the last step has returned.
func (w *writing) stepsEnd() { w.setPending(time.Time{}, 0) }

func (w *writing) setPending(since time.Time, allowed time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending, w.allowed = since, allowed
}

// opened notes how the opening of the writing connection, and with it of a term, has ended.
func (w *writing) opened(now time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.trouble, w.full, w.commits, w.opening = now, err, false, false, err != nil
	w.failed, w.since = 0, time.Time{}
}

// began notes how BEGIN IMMEDIATE has ended.
func (w *writing) began(now time.Time, err error, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.commits {
		return
	}
	w.at, w.trouble, w.full = now, err, full
}

// committed notes how a COMMIT has ended that was tried at the moment tried.
func (w *writing) committed(tried, now time.Time, err error, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.trouble, w.full, w.commits = now, err, full, err != nil
	if err != nil {
		w.failures++
	}
	switch {
	case err == nil:
		w.failed, w.since = 0, time.Time{}
	case full: // has a handling of its own, and says nothing about the others
	case w.failed == 0:
		w.failed, w.since = 1, tried
	default:
		w.failed++
	}
}

// noteBegin counts what came of a BEGIN IMMEDIATE. That its caller could not wait for it says nothing.
func (r *Repo) noteBegin(err error) {
	if err != nil && (sqlite.Code(err) == 0 || sqlite.IsInterrupted(err)) {
		return
	}
	r.writing.began(time.Now(), err, err != nil && apperr.HasReason(r.failApply(err), apperr.DiskFull))
}

// commitCounted is COMMIT.
func (r *Repo) commitCounted(tx *sql.Tx) error {
	tried := time.Now()
	err := r.commit(tx)
	r.noteCommit(tried, err)
	return err
}

// noteUnwritten counts a batch that began at the moment began and came to no COMMIT, since err has kept its calls from
// being written. Any other error, or none, says nothing: such a batch had nothing to write.
func (r *Repo) noteUnwritten(began time.Time, err error) {
	if isUnwritten(err) {
		r.noteCommit(began, err)
	}
}

// isUnwritten reports that SQLite could not write: an I/O error, a full disk, a file that is read-only or locked.
func isUnwritten(err error) bool { return sqlite.IsNotWritten(err) || sqlite.IsFull(err) }

// noteCommit counts what came of the COMMIT that was tried at the moment tried: the one place that does. A deferred
// constraint is the command's own fault, and a term that is over has no more to say.
func (r *Repo) noteCommit(tried time.Time, err error) {
	if err != nil && (sqlite.IsConstraint(err) || !r.acceptsWrites()) {
		return
	}
	r.writing.committed(tried, time.Now(), err, sqlite.IsFull(err) || r.hasNoRoom(err))
}
