package decide

import (
	"slices"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// setChange is a decision about the set: who goes, who comes, or one in the place of the
// other.
type setChange struct {
	out, in *litefs.Member
	why     string
}

// nextSet decides what to do about the set next, nil for nothing. It brings a standby that
// joins a step further.
func (s *State) nextSet(at Instant) *setChange {
	t := s.term
	if t.doubt || t.unsure || t.broken {
		return nil
	}
	var lost *setChange
	for _, m := range t.set.Members {
		if m.ID == t.self.ID {
			continue
		}
		if why := s.lost(m.ID, at); why != "" {
			lost = &setChange{out: &m, why: why}
		}
	}
	strict := s.config.Policy == Strict
	if lost != nil && !strict {
		return lost
	}
	if lost == nil && len(t.set.Members) > 1 {
		t.dropJoin()
		return nil
	}
	in := s.nextJoin(at)
	if in != nil && lost != nil {
		in.out = lost.out // strict: nobody goes before there is another
	}
	return in
}

// lost says why a member counts as lost, "" when it does not.
func (s *State) lost(id string, at Instant) string {
	t, p := s.term, s.peers[id]
	since := max(t.since, t.awake)
	if left, gone := s.left[id]; gone && (p == nil || p.heard <= left) {
		return "it has left"
	}
	switch {
	case p != nil && p.heard > since:
		since = p.heard
	case t.before == id && t.awake <= t.since:
		// The primary before was heard by its heartbeats: they count as its reports. One that
		// died has been silent for the whole of the election, and an author has waited for
		// that long already.
		if since = t.beforeHeard; p != nil {
			since = max(since, p.heard) // it was sooner here than this node's term
		}
		if at-t.since < comesBack {
			return ""
		}
	}
	if at-since >= max(s.config.Wait, lostAfter) {
		return "no report for " + (at - since).Round(time.Second/10).String()
	}
	if behind, is := t.behind[id]; is && at-max(behind, t.awake) >= s.config.Stall {
		return "it reports, but its copy stands still"
	}
	return ""
}

// nextJoin does the next step of bringing a standby in. From the first on every
// acknowledgement waits for it as well; the second, when its copy has what was acknowledged
// without it, is the change of the set.
func (s *State) nextJoin(at Instant) *setChange {
	t := s.term
	if j := t.join; j != nil {
		p := s.peers[j.id]
		stays := p.live(at) && !p.leaving
		if stays && t.covered[j.id] >= j.target {
			return &setChange{in: &litefs.Member{ID: p.info.ID, Name: p.info.Node}, why: "its copy is complete"}
		}
		if at > j.until || !stays {
			p.joinAfter = at + joinAgain
			t.dropJoin()
		}
		return nil
	}
	for _, id := range s.ids() {
		if s.joinable(id, at) {
			t.join = &joining{id: id, target: t.newest.Seq, until: at + joinLimit}
			t.updateNeeded()
			return s.nextJoin(at)
		}
	}
	return nil
}

// joinable reports whether a node may be a standby and is about to have everything: what is
// acknowledged would wait for it.
func (s *State) joinable(id string, at Instant) bool {
	t, p := s.term, s.peers[id]
	if t.set.Has(id) || !p.live(at) || p.leaving || at < p.joinAfter {
		return false
	}
	if !p.info.Candidate || p.info.Region != s.self.Region {
		return false
	}
	covered, follows := t.covered[id]
	if !follows && !t.newest.Zero() { // it has no copy yet, or another history
		return false
	}
	behind, is := t.behind[id]
	return t.newest.Seq-covered <= joinWithin && (!is || at-behind <= joinLimit)
}

func (t *term) dropJoin() {
	if t.join != nil {
		t.join = nil
		t.updateNeeded()
	}
}

// members returns those of the set after a change.
func (t *term) members(d *setChange) []litefs.Member {
	var members []litefs.Member
	for _, m := range t.set.Members {
		if d.out == nil || m.ID != d.out.ID {
			members = append(members, m)
		}
	}
	if d.in != nil {
		members = append(members, *d.in)
	}
	return members
}

// maxPositions is how many positions the sync set has, the newest ones: a change adds two
// at the most.
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

// positions returns those of the sync set after a change: what the member that goes out has
// for certain, and the newest row.
func (t *term) positions(out *litefs.Member) []string {
	var has repo.Cursor
	if out != nil {
		if seq, reported := t.covered[out.ID]; reported {
			if mark, known := t.marks[seq]; known {
				has = repo.Cursor{Seq: seq, Mark: mark}
			}
		}
	}
	return withPositions(t.set.Positions, has, t.newest)
}

// required returns the newest position that all members have: what a set of them requires
// of whoever is primary next. Where that is not known it stays what it is: members had it
// when the set was written, and who comes in has all of this history up to the newest row.
func (t *term) required(members []litefs.Member) string {
	least := t.newest
	for _, m := range members {
		if m.ID == t.self.ID {
			continue
		}
		seq, reported := t.covered[m.ID]
		mark, known := t.marks[seq]
		if !reported || !known {
			return t.set.Required
		}
		if seq < least.Seq {
			least = repo.Cursor{Seq: seq, Mark: mark}
		}
	}
	return later(t.set.Required, least)
}

// later returns the later one of a position of the sync set and another of the same history.
func later(position string, row repo.Cursor) string {
	if row.Seq <= parse(position).Seq {
		return position
	}
	return row.String()
}

// parse returns a position of the sync set, the zero Cursor for none and for one that cannot
// be read.
func parse(position string) repo.Cursor {
	row, err := repo.ParseCursor(position)
	if err != nil {
		return repo.Cursor{}
	}
	return row
}
