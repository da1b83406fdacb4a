package repo

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"blog/internal/apperr"
	"blog/internal/backoff"
	"blog/internal/litefs"
)

// Tail is notified of each change of this node's copy, in order and one at a time. What it is
// notified of can be read here already. It must be quick, since answers to writes wait for it,
// and must not write: the answer would wait for the tail, and the tail for the answer.
type Tail interface {
	// Rows is called with new rows, oldest first.
	Rows(ctx context.Context, rows []Row)
	// Reset is called when the history up to the last row was rewritten, or when the tail has
	// panicked: everything derived from earlier rows is void. now is the newest row of the
	// history as it is. A tail that panics here is reset again before anything else.
	Reset(ctx context.Context, now Cursor)
}

// Feed reads the table writes of this node's copy as rows arrive, and notifies its tails. It does
// not poll: LiteFS's events, or a write of this process, wake it.
type Feed struct {
	repo *Repo

	mu      sync.Mutex
	pos     Cursor
	recent  recentRows
	started bool
	term    <-chan struct{} // the node's Changed under which the newest notification was read
	follows bool            // under it, as a replica, this node has received something
	moved   chan struct{}   // closed and replaced at each change of pos
	tails   []*attached
	ended   chan struct{} // closed when run has returned
}

// attached gives a tail an identity, whatever its type.
type attached struct {
	Tail
	broken bool // it has panicked, and has not been reset since; only the feed's goroutine uses it
}

func newFeed(r *Repo) *Feed {
	return &Feed{repo: r, moved: make(chan struct{}), ended: make(chan struct{})}
}

// Attach adds a tail, which is notified of everything after the returned position.
// Tails are notified in the order in which they were attached.
func (f *Feed) Attach(t Tail) Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = append(f.tails, &attached{Tail: t})
	return f.pos
}

// Detach removes t, which must be comparable. A call of t that is under way may end after
// Detach has returned.
func (f *Feed) Detach(t Tail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = slices.DeleteFunc(f.tails, func(a *attached) bool { return a.Tail == t })
}

// Position returns the newest row of which all tails have been notified.
func (f *Feed) Position() Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos
}

// Term returns, to a tail that is being notified, the node's Changed under which the rows were
// read: no change of the role lies between the two. When it is closed the role has changed
// since, and the rows may be of a history that is given up.
func (f *Feed) Term() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.term
}

// Wait returns Here when all tails have been notified of the row at c, Elsewhere when this node
// knows that c is in another history, and Ahead when ctx or the feed ends before that.
//
// A replica knows that a row is in another history when it has received something from its
// primary since it has its role: until then its own history may be the one that is given up. A
// primary knows it of every row that it does not have, even of one ahead of all its rows, once
// its newest row is confirmed like the answer to a write.
func (f *Feed) Wait(ctx context.Context, c Cursor) Place {
	for {
		changed := f.repo.node.Changed()
		primary := f.repo.node.Role().State == litefs.Primary
		f.mu.Lock()
		pos, moved, started := f.pos, f.moved, f.started
		recent := primary && f.term == changed && pos.Seq >= c.Seq && f.recent.has(c)
		follows := f.follows && f.term == changed
		f.mu.Unlock()
		// In the term of a primary the history only grows, so what its feed has read in it stays. primary is of that
		// term only if changed is still open.
		if c.Zero() || pos == c || recent && !isClosed(changed) {
			return Here
		}
		if started && pos.Seq >= c.Seq {
			// The place can be Ahead although the position is past it: the history was cut
			// short a moment ago, and the feed is about to find that.
			switch place, newest, err := f.locate(ctx, c); {
			case err != nil:
			case place == Here:
				return Here
			case place == Elsewhere && (follows || primary && f.repo.isConfirmed(ctx, newest, changed)):
				return Elsewhere
			}
		}
		var ask <-chan time.Time
		if primary {
			ask = time.After(checkRowAfter)
		}
		select {
		case <-moved:
		case <-changed:
		case <-ask:
			place, newest, err := f.locate(ctx, c)
			if err == nil && place != Here && f.repo.isConfirmed(ctx, newest, changed) {
				return Elsewhere
			}
		case <-ctx.Done():
			return Ahead
		case <-f.ended:
			return Ahead
		}
	}
}

// locate returns where c stands in this node's copy, Here, Elsewhere or Ahead, and the newest
// row of the copy. A row that was pruned is Here.
func (f *Feed) locate(ctx context.Context, c Cursor) (place Place, newest Cursor, err error) {
	err = f.repo.ViewReserved(ctx, func(rd Reader) error {
		if newest, err = Newest(ctx, rd); err != nil {
			return err
		}
		place, err = Locate(ctx, rd, c)
		return err
	})
	if place == Forgotten {
		place = Here
	}
	return place, newest, err
}

// How soon a failed read is tried again. If no event comes, a database that was locked would
// otherwise stay unread.
const (
	rereadFirst = 100 * time.Millisecond
	rereadLast  = 5 * time.Second
)

func (f *Feed) run(ctx context.Context) {
	defer close(f.ended)
	wake, cancel := f.repo.node.Subscribe()
	defer cancel()
	pauses := backoff.New(rereadFirst, rereadLast)
	for {
		changed := f.repo.node.Changed()
		more, err := f.step(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		if more {
			continue
		}
		var again <-chan time.Time
		switch {
		case err == nil && f.repair(ctx):
			pauses.Reset()
		case err == nil: // a tail cannot be reset
			again = time.After(pauses.Next())
		case apperr.HasReason(err, apperr.NoDatabase): // an event comes when it arrives
		default:
			if apperr.From(err).Code != apperr.Unavailable {
				f.repo.log.Error("read the change feed", "err", err)
			}
			again = time.After(pauses.Next())
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-changed:
		case <-again:
		}
	}
}

// stepRows is how many rows are read at a time: a read must be short.
const stepRows = 500

// step reads the rows after the feed's position and notifies the tails. The same transaction
// checks that the row at the position is still the same. term is the node's Changed from before
// the read. step reports whether the next step should follow at once.
func (f *Feed) step(ctx context.Context, term <-chan struct{}) (more bool, err error) {
	replica := f.repo.node.Role().State == litefs.Replica
	pos, started := f.Position(), f.isStarted()
	var rows []Row
	var newest Cursor
	var at time.Time // of newest
	rewritten := false
	err = f.repo.ViewReserved(ctx, func(rd Reader) error {
		var last head
		last, err = newestRow(ctx, rd)
		if newest, at = last.cursor, last.at; err != nil || newest == pos || !started {
			return err
		}
		place, lerr := Locate(ctx, rd, pos)
		if lerr != nil {
			return lerr
		}
		// A new snapshot may lack the row at pos, because it was pruned: then the rows
		// in between cannot be listed either.
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
	if isClosed(term) { // the rows may be of the term before or of this one: they are read again
		return true, nil
	}
	f.noteRead(term, replica && (rewritten || len(rows) > 0), !started || rewritten)
	f.repo.dated(at, rewritten || slices.ContainsFunc(rows, Row.isRedated))
	switch {
	case !started && newest.Zero():
		f.moveTo(ctx, newest, func(Tail) {}) // nothing has happened yet
	case !started, rewritten:
		if rewritten {
			f.repo.log.Warn("the history of writes was rewritten", "had", pos.Seq, "now", newest.Seq)
			f.repo.db.DiscardHistory()
		}
		// A tail that was attached before the start has missed everything until now.
		f.moveTo(ctx, newest, func(t Tail) { t.Reset(ctx, newest) })
	case len(rows) > 0:
		f.addRecent(rows) // first: a caller that is woken by the move asks for them
		f.moveTo(ctx, rows[len(rows)-1].Cursor, func(t Tail) { t.Rows(ctx, rows) })
	}
	return len(rows) == stepRows, nil
}

// noteRead records a read under the role of term; received says that this node, as a replica,
// has found something new in it. What the first read under a role finds may be this node's own
// write: a row that it committed as primary is there before its next role begins. rewritten says that the rows before
// are of another history: none of them is recent under term.
func (f *Feed) noteRead(term <-chan struct{}, received, rewritten bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.follows = f.term == term && (f.follows || received)
	f.term = term
	if rewritten {
		f.recent = recentRows{}
	}
}

func (f *Feed) isStarted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// recentRows are cursors of the rows that tails were notified of last, each at the remainder of its sequence number.
// With them the callers that wait for rows of one batch need no read transaction each.
type recentRows [512]Cursor

func (r *recentRows) has(c Cursor) bool {
	return c.Seq > 0 && r[c.Seq%int64(len(r))] == c
}

func (f *Feed) addRecent(rows []Row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range rows {
		f.recent[row.Cursor.Seq%int64(len(f.recent))] = row.Cursor
	}
}

// moveTo notifies all tails and then sets the position to to. A tail that is attached
// meanwhile got the old position, so it is notified as well.
func (f *Feed) moveTo(ctx context.Context, to Cursor, notify func(Tail)) {
	notified := map[*attached]bool{}
	for {
		f.mu.Lock()
		next := slices.IndexFunc(f.tails, func(a *attached) bool { return !notified[a] })
		if next < 0 {
			f.pos, f.started = to, true
			close(f.moved)
			f.moved = make(chan struct{})
			f.mu.Unlock()
			return
		}
		t := f.tails[next]
		f.mu.Unlock()
		notified[t] = true
		f.notify(ctx, t, to, notify)
	}
}

// notify notifies one tail. A tail that panics has lost a notification, so it is reset to the
// position to instead. A tail that has panicked and has not been reset yet gets no rows: it lacks
// those before them.
func (f *Feed) notify(ctx context.Context, t *attached, to Cursor, notify func(Tail)) {
	if !t.broken {
		t.broken = !f.notifySafely(t.Tail, notify)
	}
	if t.broken {
		t.broken = !f.notifySafely(t.Tail, func(t Tail) { t.Reset(ctx, to) })
	}
}

// repair resets the tails that have panicked and could not be reset yet. It reports whether no
// such tail is left.
func (f *Feed) repair(ctx context.Context) bool {
	f.mu.Lock()
	tails, at := slices.Clone(f.tails), f.pos
	f.mu.Unlock()
	whole := true
	for _, t := range tails {
		if t.broken {
			t.broken = !f.notifySafely(t.Tail, func(t Tail) { t.Reset(ctx, at) })
		}
		whole = whole && !t.broken
	}
	return whole
}

// notifySafely calls notify and reports whether it has returned without a panic: one page that
// cannot be rendered must not end the process, again and again, at the same row.
func (f *Feed) notifySafely(t Tail, notify func(Tail)) (whole bool) {
	defer func() {
		if p := recover(); p != nil {
			f.repo.log.Error("a tail of the change feed panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	notify(t)
	return true
}
