package cluster

import (
	"context"
	"time"

	"blog/internal/repo"
)

// Await implements repo.Term.
func (l *lead) Await(ctx context.Context, row repo.Cursor) (repo.Assurance, error) {
	return l.await(ctx, row, true)
}

// Confirm implements repo.Term.
func (l *lead) Confirm(ctx context.Context, newest repo.Cursor) (repo.Assurance, error) {
	return l.await(ctx, newest, false)
}

// await returns when the row at seen lasts. Unless it was written by who waits, and others
// have it, there must also be a word since the call, of theirs or of Consul.
func (l *lead) await(ctx context.Context, seen repo.Cursor, own bool) (repo.Assurance, error) {
	c := l.c
	began := time.Now() // seen has been read before
	var said uint64
	for first := true; ; first = false {
		c.mu.Lock()
		if c.lead != l { // another term has another history
			c.mu.Unlock()
			return "", errTermOver
		}
		c.registerLocked(l, seen)
		if first {
			said = c.words
		}
		lasts := l.lasts(seen, c.o.Policy)
		enough := lasts && (own && len(l.need) > 0 || l.held.After(began) || c.echoedLocked(l, said))
		if !enough && !own {
			c.wantLocked(l, said+1)
		}
		if lasts && !enough && began.After(l.questioned) {
			open := l.inQuestion()
			if l.questioned = began; !open {
				c.changedLocked()
			}
		}
		assurance, changed := l.assurance(), c.changed
		c.mu.Unlock()
		select {
		case <-l.over: // what has been heard may not be true any more
			return "", errTermOver
		default:
		}
		if enough {
			return assurance, nil
		}
		select {
		case <-changed:
		case <-l.over:
			return "", errTermOver
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// lasts reports whether the row at seen is wherever it has to be: on every node that may
// be in the sync set, or this node is alone in there.
func (l *lead) lasts(seen repo.Cursor, p Policy) bool {
	if l.broken || l.unsure || time.Since(l.pulse) > slept || l.own[seen.Seq] != seen.Mark {
		return false
	}
	for id := range l.need {
		if l.covered[id] < seen.Seq {
			return false
		}
	}
	return len(l.need) > 0 || p != Strict
}

// echoedLocked reports whether all needed nodes have echoed a Word later than the one with
// that number, with a copy of this term's history. Whoever may have been elected in this
// node's place is among them, and had not begun to lead then: no clock is asked, since this
// machine's may have stood still, and no moment of arrival, since a report may have waited in
// a buffer.
func (c *Cluster) echoedLocked(l *lead, number uint64) bool {
	for id := range l.need {
		p := c.nodes[id]
		if p == nil || p.over != l.over || p.echo <= number || l.own[p.cursor.Seq] != p.cursor.Mark {
			return false
		}
	}
	return len(l.need) > 0
}

// wantLocked has all needed nodes echo a Word with that number or a later one.
func (c *Cluster) wantLocked(l *lead, number uint64) {
	for id := range l.need {
		if p := c.nodes[id]; p != nil {
			p.wanted = max(p.wanted, number)
			p.askLocked()
		}
	}
}

// inQuestion reports whether an answer waits for Consul's word.
func (l *lead) inQuestion() bool {
	return l.doubt || l.unsure || l.broken || !l.questioned.IsZero() && !l.held.After(l.questioned)
}
