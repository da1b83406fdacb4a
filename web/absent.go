package web

import (
	"sync"
	"time"

	"blog/internal/repo"
)

const (
	// absentFor is how long a row that was waited for in vain is not waited for again.
	absentFor = 10 * time.Second
	// maxAbsent bounds how many such rows are remembered, about 100 bytes each. A signature
	// is on every position, so they are as many as there were writes that readers saw; one
	// that has no room is waited for once more.
	maxAbsent = 1_000
)

// feedState is how far this node's feed is, and in which term it read that.
type feedState struct {
	at   repo.Cursor
	term <-chan struct{}
}

// absent remembers which rows have been waited for in vain, while the feed stands still: as
// long as nothing has come, whoever asks for such a row again, or after them, would wait for
// nothing. It is the node that knows this and not the reader's cookie, since it is a fact
// about the node: it holds for every reader, and at no other node.
type absent struct {
	mu    sync.Mutex
	state feedState
	until map[repo.Cursor]time.Time
}

// known reports whether c was waited for in vain within the last 10 s, and the feed is where
// it was then.
func (a *absent) known(c repo.Cursor, state feedState, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == state && now.Before(a.until[c])
}

// note says that c was waited for in vain, since the feed was in state and until now.
func (a *absent) note(c repo.Cursor, state feedState, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != state || a.until == nil {
		a.state, a.until = state, map[repo.Cursor]time.Time{}
	}
	for other := range a.until { // any of them: the one that is asked for again is noted again
		if len(a.until) < maxAbsent {
			break
		}
		delete(a.until, other)
	}
	a.until[c] = now.Add(absentFor)
}
