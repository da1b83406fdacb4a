package decide

import (
	"fmt"
	"slices"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// RefusedError says why no term begins.
type RefusedError struct {
	reason string
	// GiveUp is what gives the lease up, so that another member is elected; nil where the same
	// holding of the lease may be tried again.
	GiveUp *litefs.Giving
}

func (e *RefusedError) Error() string { return e.reason }

// Copy is what this node's copy says when a term is to begin.
type Copy struct {
	// Absent says that there is no database: its file is missing or has no byte. A database
	// that cannot be read is not absent, and no term begins.
	Absent bool
	Newest repo.Cursor
	Places map[string]repo.Place // where each position is that Positions names
}

// place says where a position is in the copy. One that cannot be parsed, of another release,
// says nothing, and one that is not in Places is not there.
func (c Copy) place(position string) repo.Place {
	if parse(position).Zero() {
		return repo.Forgotten
	}
	if place, known := c.Places[position]; known {
		return place
	}
	return repo.Elsewhere
}

// Elected returns the set from which a new term goes on, which the copy is compared with, or
// a *RefusedError where this node may not begin one. The set is Consul's, unless this node has
// had a term under the same holding of the lease and Consul's set is none that it wrote then.
func (s *State) Elected(now litefs.Standing) (from litefs.SyncSet, effects []Effect, err error) {
	switch {
	case !now.Primary:
		return from, nil, &RefusedError{reason: "the lease is not held"}
	case !now.Set.Has(now.Self.ID):
		return from, nil, &RefusedError{
			reason: "outside the sync set " + s.NameList(now.Set), GiveUp: &litefs.Giving{Term: now.Term},
		}
	}
	t := s.last
	if t == nil || t.lease != now.Term {
		return *now.Set, nil, nil
	}
	from, foreign := t.recognize(*now.Set)
	if foreign {
		s.warnForeign(t, now.Set)
	}
	if t.tried == nil { // it is about to be written
		t.tried = from.Members
	}
	effects, s.effects = s.effects, nil
	return from, effects, nil
}

// Positions returns the positions of a set that can be compared with a copy, by their text.
func Positions(set litefs.SyncSet) map[string]repo.Cursor {
	rows := map[string]repo.Cursor{}
	for _, p := range append(slices.Clone(set.Positions), set.Required) {
		if row := parse(p); !row.Zero() {
			rows[p] = row
		}
	}
	return rows
}

// Opening returns what Consul's set has to become before a term begins: with the same
// members, so that a change which this node asked for under the same holding of the lease,
// before the role was lost for a moment, cannot be carried out any more. The copy must be as it
// is since the election: the change is refused if another has been primary since. Where the
// copy lacks what the set requires the error is a *RefusedError.
//
// Positions of the set that are not in this copy go: their rows were never acknowledged, or
// are so old that they are not kept. The newest row comes to them, since the others in the set
// may never be heard of in this term. With nobody else in there it would only push out what is
// known of those who left.
func Opening(lease string, from litefs.SyncSet, c Copy) (litefs.SyncChange, error) {
	next := litefs.SyncChange{
		Term: lease, Index: from.Index, Members: from.Members, Seq: from.Seq, Required: from.Required,
	}
	lacks := &RefusedError{
		reason: fmt.Sprintf("this node's copy does not have write %d, which every member of the sync set had (%s): "+
			"its data was damaged or replaced", parse(from.Required).Seq, from.Required),
		GiveUp: &litefs.Giving{Term: lease, Lacking: from.Required},
	}
	if c.Absent {
		if !parse(from.Required).Zero() {
			return next, lacks
		}
		next.Positions = from.Positions // an empty copy says nothing about them
		return next, nil
	}
	if place := c.place(from.Required); place != repo.Here && place != repo.Forgotten {
		return next, lacks
	}
	for _, p := range from.Positions {
		if c.place(p) == repo.Here {
			next.Positions = append(next.Positions, p)
		}
	}
	if len(from.Members) > 1 || len(next.Positions) == 0 {
		next.Positions = withPositions(next.Positions, c.Newest)
	}
	if len(from.Members) == 1 {
		next.Required = later(next.Required, c.Newest)
	}
	return next, nil
}
