package repo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// lateness is how far past its deadline a call may arrive and still be run:
// the clocks of two nodes may differ by that much.
const lateness = 2 * time.Second

// applyLimit bounds the time that one Apply may hold the writing connection,
// however far away its caller's deadline is.
const applyLimit = 15 * time.Second

// super is the end of the chain: it carries out a call here, on the primary. Its
// error is always an *Error, so that a caller here and one across the wire see
// the same.
func (r *Repo) super(ctx context.Context, call *Call) error {
	if err := r.carryOut(ctx, call); err != nil {
		e := AsError(err)
		if len(e.Fields) == 0 && e.Fields != nil {
			plain := *e
			plain.Fields = nil // as it would come out of the wire
			return &plain
		}
		return e
	}
	return nil
}

func (r *Repo) carryOut(ctx context.Context, call *Call) error {
	call.Reply = Reply{}
	if err := call.check(); err != nil {
		return err
	}
	// Deadlines are contexts' and therefore the system's time, not r.now's.
	if time.Since(call.Deadline) > lateness {
		return errExpired()
	}
	command, ok := r.registry.byName[call.Name]
	if !ok {
		return unavailable(UnknownCommand, fmt.Sprintf("This release does not know the command %.80q.", call.Name), 5*time.Second, nil)
	}
	if !call.Actor.known() || (call.Actor.Name == Visitor && !command.public) {
		return Errorf(Unauthorized, "Sign in first.")
	}
	canon, err := command.canonical(call.Body)
	if err != nil {
		return err
	}
	// The call belongs to this term from here on: after any change of the role, however
	// short, its row may be gone.
	t, err := r.primary.ready()
	if err != nil {
		return err
	}
	leave, err := admit(&r.waiting)
	if err != nil {
		return err
	}
	defer leave()
	run := &execution{repo: r, call: call, bulk: command.bulk, term: t, digest: digest(call.Name, call.Actor, canon)}
	err = run.do(ctx, command)
	if err != nil && restsOnNothing(err) && !run.looked {
		return err
	}
	if ackErr := r.acknowledge(ctx, call, t, run.seen, run.own); ackErr != nil {
		return ackErr
	}
	return err
}

func errExpired() error {
	return unavailable(Expired, "The call came after its deadline and was not carried out.", time.Second, nil)
}

// received carries out what another node sent. It ends with Abandon.
func (r *Repo) received(ctx context.Context, call *Call) error {
	ctx, cancel := r.patient(ctx)
	defer cancel()
	return r.super(ctx, call)
}

// execution is one call's way through Prepare, Apply and COMMIT.
type execution struct {
	repo   *Repo
	call   *Call
	digest []byte
	bulk   bool   // it is behind calls that are not, when both wait
	term   *term  // the one in which the call came
	seen   Cursor // the newest row that the answer rests on
	own    bool   // it is this call's own
	last   head   // the newest row inside the transaction
	again  bool   // another Prepare may follow this Apply
	looked bool   // COMMIT failed, and the answer rests on what was found afterwards
}

// do turns a panic of a command into an Internal error: on a laptop and over the
// wire it must be the same, and it must end one write, not the process.
func (e *execution) do(ctx context.Context, entry entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(e.call.Name, p)
		}
	}()
	if entry.slow {
		// A retry needs no rendering. The check that counts is the one inside the
		// transaction.
		if known, kerr := e.lookOutside(ctx); known || kerr != nil {
			return kerr
		}
	}
	for left := maxPreparations; ; left-- {
		apply, perr := entry.prepare(ctx, &preparing{repo: e.repo}, e.call.Body)
		if perr != nil {
			return e.unprepared(ctx, e.refusal(perr))
		}
		e.again = entry.slow && left > 1
		if terr := e.transact(ctx, apply); !errors.Is(terr, errPrepareAgain) {
			return terr
		}
	}
}

// maxPreparations is how often one call is prepared at the most. The first two are for
// what changes once between Prepare and Apply; the third is for a second such change.
const maxPreparations = 3

// lookOutside is look in a transaction of its own.
func (e *execution) lookOutside(ctx context.Context) (known bool, err error) {
	err = e.repo.View(ctx, func(rd Reader) (err error) {
		known, err = e.look(ctx, rd)
		return err
	})
	return known, e.refusal(unread(err))
}

// unprepared looks again before a refusal of Prepare is told: it rests on rows that may
// have come since the first look, and one of them may be this key's own.
func (e *execution) unprepared(ctx context.Context, refusal error) error {
	if restsOnNothing(refusal) {
		return refusal
	}
	if known, err := e.lookOutside(ctx); known || err != nil {
		return err
	}
	return refusal
}

// restsOnNothing reports that an answer was not carried out, or that nobody knows: no row
// has to last for it to stay true.
func restsOnNothing(err error) bool {
	code := AsError(err).Code
	return code == Unavailable || code == Internal
}

// transact has apply carried out by the committer, and returns after COMMIT.
func (e *execution) transact(ctx context.Context, apply applier) error {
	// The committer has a copy: who does not wait for it any more must not share anything with it.
	run, call := *e, *e.call
	run.call = &call
	t := &queuedCall{exec: &run, apply: apply, bulk: e.bulk, size: len(e.call.Body)}
	err := e.term.writes.write(ctx, t)
	select {
	case <-t.done:
		call, own := run.call, e.call
		*own = *call
		*e = run
		e.call = own
	default:
	}
	if HasReason(err, OutcomeUnknown) {
		e.call.Reply = Reply{}
	}
	return err
}

// apply is the call's part of a transaction: it looks the key up, authorizes the user, runs Apply and appends the
// row. Nothing of it is true before COMMIT. ctx is the caller's.
func (e *execution) apply(ctx context.Context, t *Tx, apply applier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(e.call.Name, p)
		}
	}()
	e.own, e.looked = false, false
	known, err := e.look(ctx, t)
	if known || err != nil {
		return e.refusal(err)
	}
	t.last, t.now, t.reset, t.again = e.last, e.repo.date(e.last), e.repo.reset, e.again
	if e.call.Actor.signedIn() {
		if err = e.repo.authorize(ctx, t); err != nil {
			return e.refusal(err)
		}
	}
	result, err := apply(ctx, t)
	if err != nil {
		return e.refusal(err)
	}
	if t.nothing {
		e.call.Reply = Reply{Result: result, Cursor: e.last.cursor}
		return nil
	}
	cursor, err := t.record(ctx, e.digest, result)
	if err != nil {
		return e.repo.begun(err)
	}
	e.own, e.seen = true, cursor
	e.call.Reply = Reply{Result: result, Cursor: cursor}
	return nil
}

// look notes the newest row and answers a key that has a row from that row.
func (e *execution) look(ctx context.Context, rd Reader) (known bool, err error) {
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
		return false, fmt.Errorf("look for the key: %w", err)
	}
	if !bytes.Equal(dig, e.digest) {
		return true, &Error{Code: Conflict, Reason: KeyReused, Message: "This key was used for another write. Use a new key for new content."}
	}
	if c.Mark, err = scanMark(mark); err != nil {
		return true, err
	}
	e.call.Reply = Reply{Result: json.RawMessage(result), Cursor: c, Replayed: true}
	return true, nil
}

// refusal keeps a command's own answer and translates what SQLite says.
func (e *execution) refusal(err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	var code Code
	if errors.As(err, &own) || errors.As(err, &code) {
		return err
	}
	return e.repo.begun(err)
}

// begun translates an error from before COMMIT: nothing was done.
func (r *Repo) begun(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return err
	case diskFull(err), r.cramped(err):
		return full(err)
	case notWritten(err), interrupted(err), errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone), errors.Is(err, errRolledBack):
		return unavailable(NotNow, "The primary could not take the write; nothing was saved.", time.Second, err)
	}
	return fmt.Errorf("carry out: %w", err)
}

// fullFor is when to come back to a primary whose disk is full.
const fullFor = 30 * time.Second

func full(err error) error {
	return unavailable(DiskFull, "The primary's disk is full: nothing was saved. Its operator has to make room.", fullFor, err)
}
