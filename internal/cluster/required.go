package cluster

import (
	"context"
	"errors"
	"fmt"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// lackingError says that this node's copy does not have what the sync set requires of whoever leads.
type lackingError struct{ required string }

func (e *lackingError) Error() string {
	at := parse(e.required)
	return fmt.Sprintf("this node's copy does not have write %d, which every member of the sync set had (%s): its data was damaged or replaced",
		at.Seq, e.required)
}

// mustHave fails with a *lackingError unless the copy that rd reads has the position, or is so far past it that its row
// is not kept any more. A position that cannot be read, of another release, is not demanded.
func mustHave(ctx context.Context, rd repo.Reader, position string) error {
	_, place, err := locate(ctx, rd, position)
	if err != nil {
		return err
	}
	if place == repo.Here || place == repo.Forgotten {
		return nil
	}
	return &lackingError{position}
}

// refuse returns err, which keeps this node from leading. Where its copy lacks what the sync set requires it gives the
// lease up first, so that another member is elected. Any other failure is tried again by who asked, under the same lease.
func (c *Cluster) refuse(ctx context.Context, term string, err error) error {
	var lacking *lackingError
	if !errors.As(err, &lacking) {
		return err
	}
	return errors.Join(err, c.o.Control.Demote(ctx, litefs.Giving{Term: term, Lacking: lacking.required}))
}

// requiredLocked returns the newest position that all members have: what a set of them requires of whoever leads next.
// Where that is not known it stays what it is: members had it when the set was written, and who comes in has all of this
// history up to the newest row.
func (l *lead) requiredLocked(members []litefs.Member) string {
	least := l.newest
	for _, m := range members {
		if m.ID == l.self.ID {
			continue
		}
		seq, reported := l.covered[m.ID]
		mark, kept := l.own[seq]
		if !reported || !kept {
			return l.set.Required
		}
		if seq < least.Seq {
			least = repo.Cursor{Seq: seq, Mark: mark}
		}
	}
	return later(l.set.Required, least)
}

// later returns the later one of a position of the sync set and another of the same history.
func later(position string, at repo.Cursor) string {
	if at.Seq <= parse(position).Seq {
		return position
	}
	return at.String()
}
