package compose

import (
	"fmt"
	"testing"
	"time"
)

// A node that has waited in vain for what its reader has seen says so in web's X-Stale-Read. That
// is right only when the row cannot have arrived:
//
//   - a fault holds back the node's rows (Hold), or the primary's, or the node is meant to be down
//     (Excuse), until the cluster is whole again;
//   - there is no primary, or another one has just begun. No other node has the rows that a primary
//     leaves unsent, and the replicas still have to find the next primary. The nodes' roles, as they
//     were observed, show this, and not the faults.
//
// So when Consul is away rows may be late from the moment in which the primary steps down. At all
// other times, and in each stretch without a fault, such an answer is late. It is printed, and is
// an error unless the machine is the cause (mayBeLate).

// following is how long replicas may take to find the next primary and adopt its history.
const following = 2 * Lease

// Hold notes that rows may neither reach the named nodes nor leave them until the cluster is whole
// again.
func (s *Storm) Hold(nodes ...*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range nodes {
		s.holds[n.Name] = true
	}
}

// holdMeanwhile lets rows be late on the named nodes while do runs, and until every node has what was acknowledged by
// then. Nothing else may be held or excused.
func (s *Storm) holdMeanwhile(tb testing.TB, do func(), nodes ...*Node) {
	tb.Helper()
	s.Hold(nodes...)
	do()
	s.awaitRows(tb)
	s.forgive()
}

// held reports whether a fault may hold rows back from a node now.
func (s *Storm) held(node string) bool {
	primaries := s.Roles.Primaries(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.holds[node]
	for _, p := range primaries {
		held = held || s.holds[p]
	}
	return held
}

// Observations returns what readers saw, with what the roles at that time excuse. A row may be discarded that was
// committed before a change of the primary, so pages on both sides of a change are unsteady: a primary that was cut off
// shows such rows until its lease has run out, and another node shows them until it follows the next primary.
func (s *Storm) Observations() []Observation {
	all := s.Log.Observations(0)
	for i := range all {
		v := &all[i]
		v.Held = v.Held || (v.Stale > 0 && !s.Roles.Steady(v.Start-following, v.End))
		v.Unsteady = !s.Roles.Steady(v.Start-following, v.End+following)
	}
	return all
}

// mayBeLate is how many answers of a stretch may be late. None should be, but the machine is
// shared, and when it stops for two seconds so do rows. That makes one answer late, seldom two,
// since only a reader who comes from another node waits at all. A node that is behind makes many
// answers late. No late answer may be a 503: new posts are too few to meet such a moment by chance.
const mayBeLate = 1

// late reports whether the node lacked what the reader had seen although nothing held it back.
func (s *Observation) late() bool { return s.Stale > 0 && !s.Held && !s.Excused }

func (s *Observation) lateness() string {
	return fmt.Sprintf("%s is late: row %d was waited for in vain, and nothing held it back", s.where(), s.Stale)
}

// waitedOnce is for how long a node that has waited in vain for a row says that the row is missing
// without waiting again (web's absentFor).
const waitedOnce = 10 * time.Second

// tooLate returns the late answers of stretches that have more than mayBeLate. Answers that rest on
// one wait of a node count once.
func tooLate(observations []Observation) (wrong []string) {
	type wait struct {
		fault, node string
		row         int64
	}
	found, waits := map[string][]string{}, map[string]int{}
	until := map[wait]time.Duration{}
	for _, s := range observations {
		if !s.late() {
			continue
		}
		found[s.Fault] = append(found[s.Fault], s.lateness())
		if w := (wait{s.Fault, s.Node, s.Stale}); s.Start >= until[w] {
			waits[s.Fault]++
			until[w] = s.End + waitedOnce
		}
	}
	for fault, all := range found {
		if waits[fault] > mayBeLate {
			wrong = append(wrong, all...)
		}
	}
	return wrong
}
