package compose

import (
	"fmt"
	"time"
)

// A node that has waited in vain for what its reader has seen says so, by web's
// X-Stale-Read. That is right only where the row cannot have come:
//
//   - a fault holds the node's rows back (Hold), or the primary's, or the node is
//     meant to be down (Excuse): until the cluster is whole again;
//   - there is no primary, or another has just begun: the rows that a primary leaves
//     unsent are nowhere else, and the replicas have yet to find the next one. This
//     is not said by the faults but by the nodes' roles, as they were seen.
//
// So with Consul away rows may be late from the moment in which the primary steps
// down. Everywhere else, and in each stretch without a fault, such an answer is late:
// printed, and an error when it is not the machine's fault (mayBeLate).

// following is how long replicas may take to find the next primary and take over its
// history.
const following = 2 * Lease

// Hold says that rows may not reach the named nodes, nor leave them, until the cluster
// is whole again.
func (s *Storm) Hold(nodes ...*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range nodes {
		s.holds[n.Name] = true
	}
}

// held reports whether a fault may keep rows from a node now.
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

// Sights returns what readers saw, with what the roles of that time excuse.
func (s *Storm) Sights() []Sight {
	all := s.Log.Sights(0)
	for i := range all {
		v := &all[i]
		v.Held = v.Held || (v.Stale > 0 && !s.Roles.Steady(v.Start-following, v.End))
	}
	return all
}

// mayBeLate is how many answers of a stretch may be late. It should be none. But the
// machine is shared, and when it stops for two seconds so do rows: that makes one answer
// late, seldom two, since only who comes from another node waits at all. A node that is
// behind makes one after the other. No such answer may be a 503: new posts are too few
// to meet such a moment by chance.
const mayBeLate = 1

// late reports that the node lacked what the reader had seen, and nothing held it back.
func (s *Sight) late() bool { return s.Stale > 0 && !s.Held && !s.Excused }

func (s *Sight) lateness() string {
	return fmt.Sprintf("%s is late: row %d was waited for in vain, and nothing held it back", s.where(), s.Stale)
}

// waitedOnce is for how long a node that has waited for a row in vain says that it is missing
// without another wait (web's absentFor).
const waitedOnce = 10 * time.Second

// tooLate finds the answers that are late, in stretches that have more than may be. Those
// that rest on one wait of a node are late once.
func tooLate(sights []Sight) (wrong []string) {
	type wait struct {
		fault, node string
		row         int64
	}
	found, waits := map[string][]string{}, map[string]int{}
	until := map[wait]time.Duration{}
	for _, s := range sights {
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
