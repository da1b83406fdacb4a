package repo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// lateness is how far past its deadline a call may arrive and still be run:
// the clocks of two nodes may differ by that much.
const lateness = 2 * time.Second

// NotNow is the reason of an Unavailable error when nothing was done and asking
// again soon may help: the primary is starting or has just lost its role.
const NotNow = "not_now"

// super is the end of the chain: it carries out a call here, on the primary.
func (r *Repo) super(ctx context.Context, call *Call) error {
	if err := checkKey(call.Key); err != nil {
		return err
	}
	if r.now().After(call.Deadline.Add(lateness)) {
		return unavailable(Expired, "The call came after its deadline and was not carried out.", time.Second, nil)
	}
	entry, ok := r.registry.byName[call.Name]
	if !ok {
		return unavailable(UnknownCommand, "This release does not know the command "+call.Name+".", 5*time.Second, nil)
	}
	if !entry.public && call.Actor.Name == Visitor {
		return Errorf(Unauthorized, "Sign in first.")
	}
	canon, err := entry.canonical(call.Body)
	if err != nil {
		return err
	}
	db, release, err := r.primary.acquire()
	if err != nil {
		return err
	}
	defer release()
	run := &execution{repo: r, call: call, digest: digest(call.Name, call.Actor, canon)}
	err = run.do(ctx, db, entry)
	if ackErr := r.acknowledge(ctx, run.seen); ackErr != nil {
		return ackErr
	}
	if err == nil && !call.Reply.Replayed {
		r.node.Notify()
	}
	return err
}

// execution is one call's way through Prepare, Apply and COMMIT.
type execution struct {
	repo   *Repo
	call   *Call
	digest []byte
	seen   Cursor
}

func (e *execution) do(ctx context.Context, db *sql.DB, entry entry) error {
	// A retry needs no rendering. The check that counts is the one inside the
	// transaction.
	var known bool
	err := e.repo.View(ctx, func(rd Reader) error {
		var err error
		known, err = e.replay(ctx, rd)
		return err
	})
	if known || err != nil {
		return err
	}
	apply, err := entry.prepare(ctx, viewer{e.repo}, e.call.Body)
	if err != nil {
		return e.refusal(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return begun(err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing; else the connection says so at its next use
	return e.inside(ctx, tx, apply)
}

func (e *execution) inside(ctx context.Context, tx *sql.Tx, apply applier) error {
	last, err := newestRow(ctx, tx)
	if err != nil {
		return begun(err)
	}
	e.seen = last.cursor
	e.call.Reply.Cursor = last.cursor
	if known, err := e.replay(ctx, tx); known || err != nil {
		return err
	}
	now := e.repo.now().UTC().Truncate(time.Millisecond)
	if now.Before(last.at) {
		now = last.at
	}
	t := &Tx{tx: tx, call: e.call, last: last, now: now}
	if e.call.Actor.Session != "" || strings.HasPrefix(e.call.Actor.Name, "user:") {
		if err := e.repo.authorize(ctx, t); err != nil {
			return e.refusal(err)
		}
	}
	result, err := apply(ctx, t)
	if err != nil {
		return e.refusal(err)
	}
	cursor, err := t.record(ctx, e.digest, result)
	if err != nil {
		return begun(err)
	}
	if err := tx.Commit(); err != nil {
		return e.committed(err)
	}
	e.seen = cursor
	e.call.Reply = Reply{Result: result, Cursor: cursor}
	return nil
}

// replay answers a key that has a row from that row.
func (e *execution) replay(ctx context.Context, rd Reader) (bool, error) {
	var c Cursor
	var mark, dig []byte
	var result string
	err := rd.QueryRowContext(ctx, "SELECT seq, mark, digest, result FROM writes WHERE key = ?", e.call.Key).
		Scan(&c.Seq, &mark, &dig, &result)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, begun(err)
	}
	if !bytes.Equal(dig, e.digest) {
		return true, &Error{Code: Conflict, Reason: KeyReused, Message: "This key was used for another write. Use a new key for new content."}
	}
	if c.Mark, err = scanMark(mark); err != nil {
		return true, err
	}
	if e.seen.Zero() {
		e.seen = c
	}
	e.call.Reply = Reply{Result: json.RawMessage(result), Cursor: c, Replayed: true}
	return true, nil
}

// refusal keeps a command's own Error and translates what SQLite says.
func (e *execution) refusal(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return begun(err)
}

// begun translates an error from before COMMIT: nothing was done.
func begun(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return err
	case diskFull(err):
		return unavailable("disk_full", "The primary's disk is full: nothing was saved. Its operator has to make room.", 30*time.Second, err)
	case notWritten(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, sql.ErrConnDone):
		return unavailable(NotNow, "The primary could not take the write; nothing was saved.", time.Second, err)
	}
	return fmt.Errorf("carry out: %w", err)
}

// committed translates an error of COMMIT: under LiteFS a commit that fails may
// have happened, so only the row can tell.
func (e *execution) committed(err error) error {
	if diskFull(err) {
		return begun(err)
	}
	return &Error{
		Code: Unavailable, Reason: OutcomeUnknown, Key: e.call.Key, RetryAfter: 1, cause: err,
		Message: "It is not known whether this was saved. Ask again with the same key: it is carried out once at the most.",
	}
}
