package repo

import (
	"context"
	"sync"
	"time"
)

// Tail is told of each change of this node's own copy, in order and one at a
// time. What it is told of can be read here already.
type Tail interface {
	// Rows is called with new rows, oldest first.
	Rows(ctx context.Context, rows []Row)
	// Reset is called when the history up to the last row told was rewritten:
	// everything derived from it is void. now is the newest row of the new history.
	Reset(ctx context.Context, now Cursor)
}

// Feed tails the table writes of this node's copy. It polls nothing: LiteFS's
// events, or the write itself, wake it.
type Feed struct {
	repo *Repo

	mu      sync.Mutex
	pos     Cursor
	started bool
	moved   chan struct{} // closed and replaced at each change of pos
	tails   []Tail
}

func newFeed(r *Repo) *Feed { return &Feed{repo: r, moved: make(chan struct{})} }

// Attach adds a tail, which is told of everything after the returned position.
// Tails are told in the order in which they were attached.
func (f *Feed) Attach(t Tail) Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = append(f.tails, t)
	return f.pos
}

// Position is the newest row that all tails have been told of.
func (f *Feed) Position() Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos
}

// Wait waits until all tails have been told of the row at c, or of a row that
// shows that c is in another history, and reports Here or Elsewhere; when ctx
// ends before that it reports Ahead.
func (f *Feed) Wait(ctx context.Context, c Cursor) Place {
	for {
		f.mu.Lock()
		pos, moved, started := f.pos, f.moved, f.started
		f.mu.Unlock()
		if c.Zero() || pos == c {
			return Here
		}
		if started && pos.Seq >= c.Seq {
			return f.locate(ctx, c)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return Ahead
		}
	}
}

func (f *Feed) locate(ctx context.Context, c Cursor) Place {
	place := Ahead
	err := f.repo.View(ctx, func(rd Reader) error {
		var err error
		place, err = Locate(ctx, rd, c)
		return err
	})
	switch {
	case err != nil:
		return Ahead
	case place == Forgotten: // pruned, so long past
		return Here
	}
	return place
}

// rereadEvery is how soon a failed read of the tail is tried again: with no
// event to come, a database that was locked would else stay unread.
const rereadEvery = 100 * time.Millisecond

func (f *Feed) run(ctx context.Context) {
	wake, cancel := f.repo.node.Subscribe()
	defer cancel()
	var again <-chan time.Time
	for {
		more, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// Without a database there is nothing to try: its arrival is an event.
			if again = nil; !HasReason(err, "no_database") {
				again = time.After(rereadEvery)
			}
			if AsError(err).Code != Unavailable {
				f.repo.log.Error("read the change feed", "err", err)
			}
		case more:
			continue
		default:
			again = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-again:
		}
	}
}

// stepRows is how many rows are read at a time: a read must stay short.
const stepRows = 500

// step reads what is new, in the same transaction that checks that the last row
// told is still the same row.
func (f *Feed) step(ctx context.Context) (more bool, err error) {
	pos, started := f.Position(), f.isStarted()
	var rows []Row
	var newest Cursor
	rewritten := false
	err = f.repo.View(ctx, func(rd Reader) error {
		var err error
		if newest, err = Newest(ctx, rd); err != nil || newest == pos || !started {
			return err
		}
		place, err := Locate(ctx, rd, pos)
		if err != nil {
			return err
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
	switch {
	case err != nil:
		return false, err
	case !started:
		f.move(newest)
	case rewritten:
		f.repo.log.Warn("the history of writes was rewritten", "had", pos.Seq, "now", newest.Seq)
		for _, t := range f.attached() {
			t.Reset(ctx, newest)
		}
		f.move(newest)
	case len(rows) > 0:
		for _, t := range f.attached() {
			t.Rows(ctx, rows)
		}
		f.move(rows[len(rows)-1].Cursor)
	}
	return len(rows) == stepRows, nil
}

func (f *Feed) attached() []Tail {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tails
}

func (f *Feed) isStarted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

func (f *Feed) move(to Cursor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started && f.pos == to {
		return
	}
	f.pos, f.started = to, true
	close(f.moved)
	f.moved = make(chan struct{})
}
