package web

import (
	"sync"
	"time"

	"blog/internal/repo"
)

const (
	// absentFor is for how long a node does not wait again for a row for which it has waited in
	// vain.
	absentFor = 10 * time.Second
	// maxAbsent bounds how many such rows are remembered, about 100 bytes each. Positions are
	// signed, so there are at most as many as writes that readers saw. A row without room is waited
	// for once more.
	maxAbsent = 1_000
)

// feedState is the position of this node's feed, and the term in which that was read.
type feedState struct {
	at   repo.Cursor
	term <-chan struct{}
}

// absent remembers rows that a request has awaited in vain, while the feed stands still: until the feed moves, every
// further request for such a row, or for a later one, would wait in vain too. The node stores this, and not the cookie
// of the reader: it holds for every reader of this node, and for no other node.
type absent struct {
	mu    sync.Mutex
	state feedState
	until map[repo.Cursor]time.Time
}

// known reports whether c was waited for in vain within the last 10 s, and the feed has not moved
// since.
func (a *absent) known(c repo.Cursor, state feedState, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == state && now.Before(a.until[c])
}

// note remembers that c was waited for in vain, while the feed was in state, until now.
func (a *absent) note(c repo.Cursor, state feedState, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != state || a.until == nil {
		a.state, a.until = state, map[repo.Cursor]time.Time{}
	}
	for other := range a.until { // any of them; a row that is asked for again is noted again
		if len(a.until) < maxAbsent {
			break
		}
		delete(a.until, other)
	}
	a.until[c] = now.Add(absentFor)
}
