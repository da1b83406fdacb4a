package decide

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
)

// Forgotten is a node that is in no status any more.
type Forgotten struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	// Heard is how long ago the primary received a report of it, in milliseconds.
	Heard int64 `json:"heard_ms"`
}

// Forget forgets a node, as an operator wants it. This node's role must be primary.
func (s *State) Forget(at Instant, id string) (Forgotten, []Effect, error) {
	p := s.peers[id]
	switch {
	case s.term == nil && s.config.SyncSet:
		return Forgotten{}, nil, apperr.NewUnavailable(apperr.NotNow, "The primary is starting: ask again.", time.Second, nil)
	case id == s.self.ID:
		return Forgotten{}, nil, apperr.Errorf(apperr.Conflict, "%s is the primary itself.", s.self.Node)
	case s.mayBeMember(id):
		return Forgotten{}, nil, apperr.Errorf(apperr.Conflict,
			"%s is in the sync set, so writes may wait for it: a primary that goes on alone takes it out first.", s.name(id))
	case p == nil:
		return Forgotten{}, nil, apperr.Errorf(apperr.NotFound,
			"No node with the id %q is known: `blog status --json` has the ids.", id)
	case p.uplinks > 0:
		return Forgotten{}, nil, apperr.Errorf(apperr.Conflict,
			"%s is there: it reported %s ago. Stop it first.", p.info.Node, (at - p.heard).Round(time.Second/10))
	}
	delete(s.peers, id)
	s.forgotten[id] = at
	log := Log{slog.LevelInfo, "a node is forgotten, as an operator wants it", []any{"node", p.info.Node, "id", id}}
	return Forgotten{ID: id, Node: p.info.Node, Heard: max(1, (at - p.heard).Milliseconds())}, []Effect{log}, nil
}

// mayBeMember reports whether a node is in the sync set, may be in it, or is about to be.
func (s *State) mayBeMember(id string) bool {
	t := s.term
	if t == nil {
		return false
	}
	tried := litefs.SyncSet{Members: t.tried}
	return t.set.Has(id) || slices.Contains(t.needed, id) || tried.Has(id)
}

func (s *State) name(id string) string {
	if p := s.peers[id]; p != nil && p.info.Node != "" {
		return p.info.Node
	}
	return id
}

// apply forgets, on a primary, nodes that have not reported for a day.
func (e Cleaned) apply(s *State, at Instant) {
	for id, forgotten := range s.forgotten {
		if at-forgotten > forgetAfter { // by now everybody has forgotten it
			delete(s.forgotten, id)
		}
	}
	if !e.Primary || s.term == nil && s.config.SyncSet {
		return // who is a member is not known
	}
	for _, id := range s.ids() {
		if p := s.peers[id]; p.uplinks == 0 && at-p.heard > forgetAfter && !s.mayBeMember(id) {
			s.log(slog.LevelInfo, "a node is forgotten: it has not reported for a day", "node", p.info.Node, "id", id)
			delete(s.peers, id)
		}
	}
}

// forgottenIDs returns the ids of those that an operator had forgotten within a day.
func (s *State) forgottenIDs() []string {
	var ids []string
	for id := range s.forgotten {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// countProblem says what is wrong with the candidates as a whole.
func (s *State) countProblem(at Instant) string {
	var all []string
	for _, id := range s.ids() {
		if p := s.peers[id]; p.info.Candidate && p.live(at) {
			all = append(all, p.info.Node)
		}
	}
	const most = 2
	if len(all)+1 > most {
		return fmt.Sprintf("There are %d candidates (%v and %s): two in PRIMARY_REGION are enough, and a third is "+
			"never a standby; give it another REGION, or remove it.", len(all)+1, all, s.self.Node)
	}
	return ""
}

// problem says what is wrong with a node, for its own log and for the status.
func (s *State) problem(p *peer, at Instant) string {
	switch {
	case p.info.Candidate && p.info.Region != s.self.Region:
		return fmt.Sprintf("%s is a candidate in region %s while the primary is in %s: candidates are in one region; "+
			"set the same PRIMARY_REGION on every node.", p.info.Node, p.info.Region, s.self.Region)
	case p.skewed >= skewedReports:
		return fmt.Sprintf("The clock of %s is more than 2 s away from the primary's: set both by NTP.", p.info.Node)
	case p.info.Candidate:
		return s.countProblem(at)
	}
	return ""
}
