package repo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
)

// maxApplyTime bounds the time that one Apply, or one upkeep, may hold the writing connection,
// however far away its caller's deadline is.
const maxApplyTime = 15 * time.Second

// super is the end of the chain: it executes a call here, on the primary. Its error is
// always an *apperr.Error, so that a caller here and one across the wire get the same.
func (r *Repo) super(ctx context.Context, call *Call) error {
	if err := r.execute(ctx, call); err != nil {
		e := apperr.From(err)
		if len(e.Fields) == 0 && e.Fields != nil {
			plain := *e
			plain.Fields = nil // as it would come out of the wire
			return &plain
		}
		return e
	}
	return nil
}

// execute checks a call, executes it in the present term, and waits until its answer may be given.
func (r *Repo) execute(ctx context.Context, call *Call) error {
	call.Reply = Reply{}
	if err := call.check(); err != nil {
		return err
	}
	// Deadlines are those of contexts, and so of the system's time, not of r.now's.
	if time.Since(call.Deadline) > lateness {
		return fail(atStart, errExpired, "")
	}
	command, ok := r.registry.byName[call.Name]
	if !ok {
		return fail(atStart, errNoCommand, "", call.Name)
	}
	if !call.Actor.known() || (call.Actor.Name == Visitor && !command.public) {
		return apperr.Errorf(apperr.Unauthorized, "Sign in first.")
	}
	began := time.Now()
	content, err := command.decode(call.Body)
	if err != nil {
		return err
	}
	sum, err := call.digest(content)
	if err != nil {
		return err
	}
	// The call belongs to this term from here on: its row may be gone after any change of
	// the role, however short.
	t, err := r.primary.currentTerm()
	if err != nil {
		return err
	}
	leave, err := admit(&r.waiting)
	if err != nil {
		return err
	}
	defer leave()
	run := &execution{repo: r, call: call, bulk: command.bulk, term: t, digest: sum}
	r.timeStage(StageDecode, began)
	err = run.do(ctx, command, content)
	committed := time.Now()
	if err != nil && !isDefinite(err) && !run.verified {
		return err
	}
	if ackErr := r.acknowledge(ctx, call, t, run.seen, run.hasRow); ackErr != nil {
		return ackErr
	}
	r.timeStage(StageAcknowledge, committed)
	return err
}

// received executes a call that another node has sent. It ends with Abandon.
func (r *Repo) received(ctx context.Context, call *Call) error {
	ctx, cancel := r.untilAbandoned(ctx)
	defer cancel()
	return r.super(ctx, call)
}

// execution is one call's course through Prepare, Apply and COMMIT.
type execution struct {
	repo            *Repo
	call            *Call
	digest          []byte
	bulk            bool   // calls that are not go first
	term            *term  // the one in which the call came
	seen            Cursor // the newest row that the answer rests on
	hasRow          bool   // seen is the row of this call
	last            head   // the newest row inside the transaction
	mayPrepareAgain bool   // another Prepare may follow this Apply
	verified        bool   // COMMIT failed, and a later transaction has found that the row is not there
}

// do prepares a call and has the committer apply it. A panic of the command becomes an Internal
// error: it ends one write and not the process, on a laptop as over the wire.
func (e *execution) do(ctx context.Context, entry entry, command decoded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(e.call.Name, p)
		}
	}()
	// A retry is prepared again, since retries are rare: to look the key up before would cost every call a read
	// transaction, under LiteFS as dear as the rendering of a short text.
	for left := maxPreparations; ; left-- {
		began := time.Now()
		apply, perr := command.prepare(ctx, &preparing{repo: e.repo})
		e.repo.timeStage(StagePrepare, began)
		if perr != nil {
			return e.recheckRefusal(ctx, e.repo.failApply(perr))
		}
		e.mayPrepareAgain = entry.slow && left > 1
		if terr := e.transact(ctx, apply); !errors.Is(terr, errPrepareAgain) {
			return terr
		}
		if command, err = entry.decode(e.call.Body); err != nil {
			return err
		}
	}
}

// maxPreparations is how often one call is prepared at the most: twice for one change between
// Prepare and Apply, and a third time for a second change.
const maxPreparations = 3

// findKeyOutside is findKey in a transaction of its own.
func (e *execution) findKeyOutside(ctx context.Context) (known bool, err error) {
	err = e.repo.View(ctx, func(rd Reader) (err error) {
		known, err = e.findKey(ctx, rd)
		return err
	})
	return known, e.repo.failApply(fail(atPrepare, err, ""))
}

// recheckRefusal returns the answer for a call that Prepare has refused. It reads the newest row
// and the key: the refusal rests on rows, and one of them may be the row of this key.
func (e *execution) recheckRefusal(ctx context.Context, refusal error) error {
	if !isDefinite(refusal) {
		return refusal
	}
	if known, err := e.findKeyOutside(ctx); known || err != nil {
		return err
	}
	return refusal
}

// transact has the committer run apply, and returns after COMMIT.
func (e *execution) transact(ctx context.Context, apply applier) error {
	// The committer gets a copy: a caller that waits no longer must not share anything with it.
	run, call := *e, *e.call
	run.call = &call
	t := &queuedCall{exec: &run, apply: apply, bulk: e.bulk, size: len(e.call.Body)}
	err := e.term.writes.write(ctx, t)
	select {
	case <-t.done:
		call, original := run.call, e.call
		*original = *call
		*e = run
		e.call = original
	default:
	}
	if apperr.HasReason(err, apperr.OutcomeUnknown) {
		e.call.Reply = Reply{}
	}
	return err
}

// apply is the call's part of a transaction: it finds the key, authorizes the user, runs Apply and appends the
// row. Nothing of it counts before COMMIT. ctx is the caller's.
func (e *execution) apply(ctx context.Context, t *Tx, apply applier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(e.call.Name, p)
		}
	}()
	e.hasRow, e.verified = false, false
	known, err := e.findKey(ctx, t)
	if known || err != nil {
		return e.repo.failApply(err)
	}
	t.last, t.now, t.reset, t.mayPrepareAgain = e.last, e.repo.nextDate(e.last), e.repo.reset, e.mayPrepareAgain
	if e.call.Actor.signedIn() {
		if err = e.repo.authorize(ctx, t); err != nil {
			return e.repo.failApply(err)
		}
	}
	result, err := apply(ctx, t)
	if err != nil {
		return e.repo.failApply(err)
	}
	if t.noChange {
		e.call.Reply = Reply{Result: result, Cursor: e.last.cursor}
		return nil
	}
	cursor, err := t.record(ctx, e.digest, result)
	if err != nil {
		return e.repo.failApply(err)
	}
	e.hasRow, e.seen = true, cursor
	e.call.Reply = Reply{Result: result, Cursor: cursor}
	return nil
}

// findKey reads the newest row, and the row of the call's key. If there is one it sets the reply from that row and
// reports true. It fails with KeyReused when the row is of another command, actor or body.
func (e *execution) findKey(ctx context.Context, rd Reader) (known bool, err error) {
	if e.last, err = newestRow(ctx, rd); err != nil {
		return false, err
	}
	e.seen = e.last.cursor
	e.call.Reply = Reply{Cursor: e.last.cursor}
	var c Cursor
	var mark, dig []byte
	var result string
	err = rd.QueryRowContext(ctx, "SELECT seq, mark, digest, result FROM writes WHERE key = ?", e.call.Key).
		Scan(&c.Seq, &mark, &dig, &result)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find the key: %w", err)
	}
	if !bytes.Equal(dig, e.digest) {
		return true, &apperr.Error{Code: apperr.Conflict, Reason: apperr.KeyReused,
			Message: "This key was used for another write. Use a new key for new content."}
	}
	if c.Mark, err = scanMark(mark); err != nil {
		return true, err
	}
	e.call.Reply = Reply{Result: json.RawMessage(result), Cursor: c, Replayed: true}
	return true, nil
}

// leastRoom is the room that the largest write can need: for its pages in the database, and again in LiteFS's log.
const leastRoom = 2 * maxBody

// hasNoRoom reports whether err is an I/O error and the disk is full. LiteFS's mount turns every error of its disk into
// EIO, ENOSPC too, but reports how much room there is. When the role is lost it says EIO as well; that is no full disk,
// since the next primary may have room.
func (r *Repo) hasNoRoom(err error) bool {
	if !sqlite.IsIO(err) || r.node.Role().State != litefs.Primary {
		return false
	}
	free, ferr := r.free(r.path)
	return ferr == nil && free < leastRoom
}
