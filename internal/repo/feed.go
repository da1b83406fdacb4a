package repo

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"blog/internal/litefs"
)

// Tail is told of each change of this node's own copy, in order and one at a
// time. What it is told of can be read here already. It must be quick, since
// answers to writes wait for it, and must not write: that would wait for itself.
type Tail interface {
	// Rows is called with new rows, oldest first.
	Rows(ctx context.Context, rows []Row)
	// Reset is called when the history up to the last row told was rewritten, or when
	// the tail itself panicked over what it was told: everything derived from that is
	// void. now is the newest row of the history as it is. A tail that panics here is
	// reset again before it is told of anything else.
	Reset(ctx context.Context, now Cursor)
}

// Feed tails the table writes of this node's copy. It polls nothing: LiteFS's
// events, or the write itself, wake it.
type Feed struct {
	repo *Repo

	mu      sync.Mutex
	pos     Cursor
	started bool
	turn    <-chan struct{} // the role's Changed under which was read what is told, or was told last
	follows bool            // under it, as a replica, something has come
	moved   chan struct{}   // closed and replaced at each change of pos
	tails   []*attached
	ended   chan struct{} // closed when run has returned
}

// attached gives a tail an identity, whatever its type.
type attached struct {
	Tail
	broken bool // it panicked, and has not been reset since; only the feed's goroutine asks
}

func newFeed(r *Repo) *Feed {
	return &Feed{repo: r, moved: make(chan struct{}), ended: make(chan struct{})}
}

// Attach adds a tail, which is told of everything after the returned position.
// Tails are told in the order in which they were attached.
func (f *Feed) Attach(t Tail) Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = append(f.tails, &attached{Tail: t})
	return f.pos
}

// Detach takes t, which must be comparable, out again. A call of t that is under
// way may end after Detach has returned.
func (f *Feed) Detach(t Tail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = slices.DeleteFunc(f.tails, func(a *attached) bool { return a.Tail == t })
}

// Position is the newest row that all tails have been told of.
func (f *Feed) Position() Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos
}

// Term is, for a tail that is being told, the node's Changed under which what it is told
// was read: no change of the role lies between the two. Where it is closed the role has
// changed since, and what is told may be of a history that is given up.
func (f *Feed) Term() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.turn
}

// Wait waits until all tails have been told of the row at c, or until this node knows
// that c is in another history, and reports Here or Elsewhere; when ctx or the feed ends
// before that it reports Ahead. That a row is in another history is known to a replica to
// which something has come from its primary: until then this node's may be the history
// that is given up. A primary knows it of a row that it does not have, also of one that is
// ahead of all its rows, once what it has is confirmed like the answer to a write.
func (f *Feed) Wait(ctx context.Context, c Cursor) Place {
	for {
		turned := f.repo.node.Changed()
		primary := f.repo.node.Role().State == litefs.Primary
		f.mu.Lock()
		pos, moved, started := f.pos, f.moved, f.started
		follows := f.follows && f.turn == turned
		f.mu.Unlock()
		if c.Zero() || pos == c {
			return Here
		}
		if started && pos.Seq >= c.Seq {
			// Ahead although the position is past it: the history was cut short a
			// moment ago, and the feed is about to see that.
			switch place, newest, err := f.locate(ctx, c); {
			case err != nil:
			case place == Here:
				return Here
			case place == Elsewhere && (follows || primary && f.repo.confirmed(ctx, newest, turned)):
				return Elsewhere
			}
		}
		var ask <-chan time.Time
		if primary {
			ask = time.After(untoldAfter)
		}
		select {
		case <-moved:
		case <-turned:
		case <-ask:
			place, newest, err := f.locate(ctx, c)
			if err == nil && place != Here && f.repo.confirmed(ctx, newest, turned) {
				return Elsewhere
			}
		case <-ctx.Done():
			return Ahead
		case <-f.ended:
			return Ahead
		}
	}
}

// untoldAfter is when a primary looks whether it has the row that is waited for at all: by
// then its feed has told of all that it wrote before, so who waits for that pays nothing.
const untoldAfter = 200 * time.Millisecond

// locate says where c stands in this node's copy: Here, Elsewhere or Ahead. newest is the
// newest row of the copy.
func (f *Feed) locate(ctx context.Context, c Cursor) (place Place, newest Cursor, err error) {
	err = f.repo.Look(ctx, func(rd Reader) error {
		if newest, err = Newest(ctx, rd); err != nil {
			return err
		}
		place, err = Locate(ctx, rd, c)
		return err
	})
	if place == Forgotten { // pruned, so long past
		place = Here
	}
	return place, newest, err
}

// How soon a failed read of the tail is tried again: with no event to come, a
// database that was locked would else stay unread.
const (
	rereadFirst = 100 * time.Millisecond
	rereadLast  = 5 * time.Second
)

func (f *Feed) run(ctx context.Context) {
	defer close(f.ended)
	wake, cancel := f.repo.node.Subscribe()
	defer cancel()
	pause := rereadFirst
	for {
		turned := f.repo.node.Changed()
		more, err := f.step(ctx, turned)
		if ctx.Err() != nil {
			return
		}
		if more {
			continue
		}
		var again <-chan time.Time
		switch {
		case err == nil && f.repair(ctx):
			pause = rereadFirst
		case err == nil: // a tail could not be reset
			again = time.After(pause)
			pause = min(2*pause, rereadLast)
		case HasReason(err, NoDatabase): // there is nothing to try: its arrival is an event
		default:
			if AsError(err).Code != Unavailable {
				f.repo.log.Error("read the change feed", "err", err)
			}
			again = time.After(pause)
			pause = min(2*pause, rereadLast)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-turned:
		case <-again:
		}
	}
}

// stepRows is how many rows are read at a time: a read must stay short.
const stepRows = 500

// step reads what is new, in the same transaction that checks that the last row
// told is still the same row. turn is the role's Changed, taken before.
func (f *Feed) step(ctx context.Context, turn <-chan struct{}) (more bool, err error) {
	replica := f.repo.node.Role().State == litefs.Replica
	pos, started := f.Position(), f.isStarted()
	var rows []Row
	var newest Cursor
	var at time.Time // of newest
	rewritten := false
	err = f.repo.Look(ctx, func(rd Reader) error {
		var last head
		last, err = newestRow(ctx, rd)
		if newest, at = last.cursor, last.at; err != nil || newest == pos || !started {
			return err
		}
		place, lerr := Locate(ctx, rd, pos)
		if lerr != nil {
			return lerr
		}
		// A fresh snapshot may have pruned the row at pos: what lies between
		// cannot be told either.
		if rewritten = place != Here; rewritten {
			return nil
		}
		rows, err = rowsAfter(ctx, rd, pos.Seq, stepRows)
		if len(rows) > 0 && rows[0].Cursor.Seq != pos.Seq+1 {
			rewritten = true
		}
		return err
	})
	if err != nil {
		return false, err
	}
	select {
	case <-turn: // what was read may be of the term before or of this one: it is read again
		return true, nil
	default:
	}
	f.look(turn, replica && (rewritten || len(rows) > 0))
	f.repo.dated(at, rewritten || slices.ContainsFunc(rows, Row.redated))
	switch {
	case !started && newest.Zero():
		f.move(ctx, newest, func(Tail) {}) // nothing has happened yet
	case !started, rewritten:
		if rewritten {
			f.repo.log.Warn("the history of writes was rewritten", "had", pos.Seq, "now", newest.Seq)
			if f.repo.rewritten != nil {
				f.repo.rewritten.Add(1)
			}
		}
		// Who was attached before the start has missed what came until now.
		f.move(ctx, newest, func(t Tail) { t.Reset(ctx, newest) })
	case len(rows) > 0:
		f.move(ctx, rows[len(rows)-1].Cursor, func(t Tail) { t.Rows(ctx, rows) })
	}
	return len(rows) == stepRows, nil
}

// look notes a look under a role. What the first one finds may be this node's own: what
// it wrote as primary is there before it is none.
func (f *Feed) look(turn <-chan struct{}, came bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.follows = f.turn == turn && (f.follows || came)
	f.turn = turn
}

func (f *Feed) isStarted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// move tells all tails and then goes to position to. A tail that is attached
// meanwhile got the old position, so it is told as well.
func (f *Feed) move(ctx context.Context, to Cursor, tell func(Tail)) {
	told := map[*attached]bool{}
	for {
		f.mu.Lock()
		next := slices.IndexFunc(f.tails, func(a *attached) bool { return !told[a] })
		if next < 0 {
			f.pos, f.started = to, true
			close(f.moved)
			f.moved = make(chan struct{})
			f.mu.Unlock()
			return
		}
		t := f.tails[next]
		f.mu.Unlock()
		told[t] = true
		f.tell(ctx, t, to, tell)
	}
}

// tell calls tell with a tail. One that panics has lost what it was told, so it is reset
// to the position to instead. One that has not been reset yet gets no rows: it lacks those
// before them.
func (f *Feed) tell(ctx context.Context, t *attached, to Cursor, tell func(Tail)) {
	if !t.broken {
		t.broken = !f.survives(t.Tail, tell)
	}
	if t.broken {
		t.broken = !f.survives(t.Tail, func(t Tail) { t.Reset(ctx, to) })
	}
}

// repair resets the tails that have panicked and could not be reset yet. It reports
// whether all are whole.
func (f *Feed) repair(ctx context.Context) bool {
	f.mu.Lock()
	tails, at := slices.Clone(f.tails), f.pos
	f.mu.Unlock()
	whole := true
	for _, t := range tails {
		if t.broken {
			t.broken = !f.survives(t.Tail, func(t Tail) { t.Reset(ctx, at) })
		}
		whole = whole && !t.broken
	}
	return whole
}

// survives reports whether tell did not panic: one page that cannot be rendered must not
// take the node down, again and again, at the same row.
func (f *Feed) survives(t Tail, tell func(Tail)) (whole bool) {
	defer func() {
		if p := recover(); p != nil {
			f.repo.log.Error("a tail of the change feed panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	tell(t)
	return true
}
