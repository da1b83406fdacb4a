package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// committed gives the calls of a batch whose COMMIT has failed their answers. Under LiteFS a COMMIT that fails may
// have happened, so only the rows can tell: they are looked for once, by the last of them. Where the disk is full the
// role is not in doubt, and to ask again would come to the same end; otherwise what is not found may still be there
// later, and every answer that rests on the batch's rows is unknown. (In a plain file nothing is looked for: of what
// its log has, and was not synced, more may be there after a crash than now.)
func (c *committer) committed(ctx context.Context, b *batch, err error) {
	if diskFull(err) {
		b.refuseDependents(full(err), Cursor{})
		return
	}
	if c.repo.primary.litefs {
		newest, saved, ferr := c.find(ctx, b.last)
		switch {
		case ferr != nil:
			err = errors.Join(err, ferr)
		case saved:
			for _, t := range b.calls { // these answers need a word about the role as well
				t.exec.own = false
			}
			return
		case c.repo.cramped(err):
			b.refuseDependents(full(err), newest)
			return
		}
	}
	for _, t := range b.calls {
		if t.dependsOnBatch {
			t.exec.call.Reply, t.err = Reply{}, unknown(t.exec.call.Key, err)
		}
	}
}

func unknown(key string, cause error) error {
	return &Error{
		Code: Unavailable, Reason: OutcomeUnknown, Key: key, RetryAfter: 1, cause: cause,
		Message: "It is not known whether this was saved. Ask again with the same key: it is carried out once at the most.",
	}
}

// refuseDependents answers those whose answer rests on rows that were not saved. seen is the newest row of the history where
// that was looked up: then these answers, too, are given as late as any other, if the role lasts.
func (b *batch) refuseDependents(err error, seen Cursor) {
	for _, t := range b.calls {
		if t.dependsOnBatch {
			t.exec.call.Reply, t.err = Reply{}, err
			t.exec.seen, t.exec.own, t.exec.looked = seen, false, !seen.Zero()
		}
	}
}

// errRoleChanged says that what was looked up may be another's history.
var errRoleChanged = errors.New("the role has changed meanwhile")

// find looks for the row of a COMMIT that has failed, in a transaction that writes: to begin it SQLite has to roll
// back what is left of the one before.
func (c *committer) find(ctx context.Context, at Cursor) (newest Cursor, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	tx, err := c.term.db.BeginTx(ctx, nil)
	if err != nil {
		return newest, false, fmt.Errorf("begin anew: %w", err)
	}
	newest, err = Newest(ctx, tx)
	if rerr := tx.Rollback(); err == nil && rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
		err = fmt.Errorf("end: %w", rerr)
	}
	if rerr := c.ready(); rerr != nil {
		err = errors.Join(err, errRoleChanged, rerr)
	}
	return newest, newest == at, err
}
