package cluster

import (
	"context"
	"slices"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// maxPositions is how many positions the sync set keeps, the newest ones: a change adds
// two at the most.
const maxPositions = 16

// withPositions returns the positions of a sync set with further ones.
func withPositions(before []string, more ...repo.Cursor) []string {
	out := slices.Clone(before)
	for _, at := range more {
		if p := at.String(); !at.Zero() && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out[max(0, len(out)-maxPositions):]
}

// begin reads what a term begins with: the newest row of this node's copy, and what the sync set is to say from now on.
// It fails with a *lackingError where the copy does not have what the set requires, and with another error where that
// cannot be read: then nothing may be concluded. Positions of the set that are not in this copy go: their rows were never
// acknowledged, or are so old that they are not kept. The newest row comes to them, since the others in the set may never
// be heard of in this term. With nobody else in there it would only push out what is known of those who left.
func (c *Cluster) begin(ctx context.Context, set *litefs.SyncSet) (head repo.Cursor, next litefs.SyncChange, err error) {
	next = litefs.SyncChange{Index: set.Index, Members: set.Members, Seq: set.Seq, Required: set.Required}
	ctx, cancel := context.WithTimeout(ctx, newestLimit)
	defer cancel()
	err = c.view(ctx, func(rd repo.Reader) error {
		if head, err = repo.Newest(ctx, rd); err != nil {
			return err
		}
		if lacks := mustHave(ctx, rd, set.Required); lacks != nil {
			return lacks
		}
		next.Positions = nil
		for _, p := range set.Positions {
			_, place, lerr := locate(ctx, rd, p)
			if lerr != nil {
				return lerr
			}
			if place == repo.Here {
				next.Positions = append(next.Positions, p)
			}
		}
		return nil
	})
	if repo.HasReason(err, repo.NoDatabase) {
		if !parse(set.Required).Zero() {
			return repo.Cursor{}, next, &lackingError{set.Required}
		}
		next.Positions = set.Positions // an empty copy says nothing about them
		return repo.Cursor{}, next, nil
	}
	if err != nil {
		return repo.Cursor{}, next, err
	}
	if len(set.Members) > 1 || len(next.Positions) == 0 {
		next.Positions = withPositions(next.Positions, head)
	}
	if len(set.Members) == 1 {
		next.Required = later(next.Required, head)
	}
	return head, next, nil
}

// locate says where a position of the sync set is in this node's copy. One that cannot be
// read, of another release, says nothing.
func locate(ctx context.Context, rd repo.Reader, position string) (repo.Cursor, repo.Place, error) {
	at := parse(position)
	if at.Zero() {
		return at, repo.Forgotten, nil
	}
	place, err := repo.Locate(ctx, rd, at)
	return at, place, err
}

// parse returns a position of the sync set, the zero Cursor for none and for one that cannot be read.
func parse(position string) repo.Cursor {
	at, err := repo.ParseCursor(position)
	if err != nil {
		return repo.Cursor{}
	}
	return at
}

// positionsLocked returns those of the sync set after a change: what the member that goes out
// has for certain, and the newest row.
func (l *lead) positionsLocked(out *litefs.Member) []string {
	var has repo.Cursor
	if out != nil {
		if seq, reported := l.covered[out.ID]; reported {
			if mark, known := l.own[seq]; known {
				has = repo.Cursor{Seq: seq, Mark: mark}
			}
		}
	}
	return withPositions(l.set.Positions, has, l.newest)
}

// Shared is how far this node's copy is for certain the history of those in a sync set.
type Shared struct {
	Here repo.Cursor // the newest row of this node's copy
	// Last is the newest position of the sync set that this node's copy has: up to there
	// the two are the same. The zero Cursor says that it has none of them.
	Last repo.Cursor
	// Other is the seq of the oldest position in whose place this node's copy has another
	// row; 0 when there is none.
	Other int64
	// Newest is the seq of the newest position.
	Newest int64
}

// Shared compares this node's copy with the positions of a sync set, nil for none. Without a database there is nothing to
// compare. It fails where there is one that cannot be read.
func (c *Cluster) Shared(ctx context.Context, set *litefs.SyncSet) (Shared, error) {
	var s Shared
	err := c.view(ctx, func(rd repo.Reader) error {
		s = Shared{}
		var err error
		if s.Here, err = repo.Newest(ctx, rd); err != nil || set == nil {
			return err
		}
		for _, p := range append(slices.Clone(set.Positions), set.Required) {
			at, place, err := locate(ctx, rd, p)
			if err != nil {
				return err
			}
			s.Newest = max(s.Newest, at.Seq)
			switch {
			case place == repo.Here && at.Seq > s.Last.Seq:
				s.Last = at
			case place == repo.Elsewhere && (s.Other == 0 || at.Seq < s.Other):
				s.Other = at.Seq
			}
		}
		return nil
	})
	if repo.HasReason(err, repo.NoDatabase) {
		return Shared{}, nil
	}
	return s, err
}
