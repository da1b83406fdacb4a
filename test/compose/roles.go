package compose

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const pollInterval = 100 * time.Millisecond

// roleSeen is a node's answer to whether it is primary.
type roleSeen struct {
	node       string
	start, end time.Duration // of the request
	primary    bool          // the node says that it is primary
	err        error
}

// Roles asks every node's LiteFS all the time whether it is primary, and records the answers.
type Roles struct {
	now func() time.Duration

	mu   sync.Mutex
	seen map[string][]roleSeen // changes only: the first and the last of each run of equal answers
}

// NewRoles returns an observer on the given clock.
func NewRoles(now func() time.Duration) *Roles {
	return &Roles{now: now, seen: map[string][]roleSeen{}}
}

// Run asks n until ctx ends.
func (r *Roles) Run(ctx context.Context, n *Node) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := roleSeen{node: n.Name, start: r.now()}
		ask, cancel := context.WithTimeout(ctx, 2*time.Second)
		info, err := n.Info(ask)
		cancel()
		s.end, s.primary, s.err = r.now(), info.IsPrimary, err
		r.note(s)
	}
}

func (r *Roles) note(s roleSeen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.seen[s.node]
	same := func(a, b roleSeen) bool { return a.primary == b.primary && (a.err == nil) == (b.err == nil) }
	if n := len(all); n > 1 && same(all[n-1], s) && same(all[n-2], s) {
		all[n-1] = s
		return
	}
	r.seen[s.node] = append(all, s)
}

// Primaries returns the nodes whose last answer to a question after since is that they are primary.
func (r *Roles) Primaries(since time.Duration) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, all := range r.seen {
		if last := all[len(all)-1]; last.primary && last.start >= since {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Deny reports whether every named node has answered a question after since, and denied to be
// primary.
func (r *Roles) Deny(since time.Duration, names ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		all := r.seen[name]
		if len(all) == 0 || all[len(all)-1].start < since || all[len(all)-1].primary || all[len(all)-1].err != nil {
			return false
		}
	}
	return true
}

// Since returns when the node was first seen to be primary, or not to be, after a moment.
func (r *Roles) Since(node string, primary bool, after time.Duration) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.seen[node] {
		if s.start >= after && s.err == nil && s.primary == primary {
			return s.end, true
		}
	}
	return 0, false
}

// Last returns when the node was last asked, after a moment, and said that it is primary; 0 for
// never.
func (r *Roles) Last(node string, after time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last time.Duration
	for _, s := range r.seen[node] {
		if s.start >= after && s.primary && s.err == nil {
			last = s.start
		}
	}
	return last
}

// twoPrimaries is for how long two nodes may both say that they are primary: one that wakes up from
// a pause has to ask Consul first.
const twoPrimaries = time.Second

// Moved reports whether the role went from one node to the other since a moment; now is the
// primary. It fails unless the role has stayed, so that the other never had it, or has moved
// exactly once.
func (r *Roles) Moved(from, to, now string, since time.Duration) (bool, error) {
	begun, elected := r.Since(to, true, since)
	switch {
	case now == from && !elected:
		return false, nil
	case now == to && elected:
		if back, ok := r.Since(from, true, begun+twoPrimaries); ok {
			return true, fmt.Errorf("the role went from %s to %s at %s, and %s was primary at %s", from, to, begun, from, back)
		}
		return true, nil
	}
	return elected, fmt.Errorf("%s is primary now, %s was before; %s has been primary since: %t", now, from, to, elected)
}

// Steady reports whether one node said that it is primary all the time between two moments, as far
// as it was asked.
func (r *Roles) Steady(from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, all := range r.seen {
		for i := 0; i+1 < len(all); i++ {
			// Only the first and the last answer of a run are stored, next to each other.
			if a, b := all[i], all[i+1]; a.primary && b.primary && a.end <= from && b.start >= to {
				return true
			}
		}
	}
	return false
}

// Both returns for how long two nodes were certainly primary at the same time: from the end of a
// first answer to the start of a last one in a run of answers without another.
func (r *Roles) Both() time.Duration {
	type span struct {
		node     string
		from, to time.Duration
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var spans []span
	for name, all := range r.seen {
		for i := 0; i+1 < len(all); i++ {
			// Only the first and the last answer of a run are stored, next to each other.
			if a, b := all[i], all[i+1]; a.primary && b.primary && a.err == nil && b.err == nil {
				spans = append(spans, span{name, a.end, b.start})
			}
		}
	}
	var most time.Duration
	for _, a := range spans {
		for _, b := range spans {
			if a.node < b.node {
				most = max(most, min(a.to, b.to)-max(a.from, b.from))
			}
		}
	}
	return most
}
