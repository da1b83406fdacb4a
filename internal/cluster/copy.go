package cluster

import (
	"context"
	"time"

	"blog/internal/apperr"
	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// tail receives the rows of this node's own copy.
type tail struct {
	c    *Cluster
	feed *repo.Feed
}

// Rows implements repo.Tail.
func (t tail) Rows(_ context.Context, rows []repo.Row) {
	epoch := t.feed.Term()
	cursors := make([]repo.Cursor, 0, len(rows))
	for _, row := range rows {
		cursors = append(cursors, row.Cursor)
	}
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.onLocked(decide.RowsRead{Rows: cursors, Epoch: epoch, Over: ended(epoch)})
}

// Reset implements repo.Tail.
func (t tail) Reset(_ context.Context, now repo.Cursor) {
	epoch := t.feed.Term()
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.onLocked(decide.HistoryReset{Position: now, Epoch: epoch, Over: ended(epoch)})
}

// ended reports whether an epoch is over.
func ended(epoch <-chan struct{}) bool {
	select {
	case <-epoch:
		return true
	default:
		return false
	}
}

// readLimit bounds a read that everybody waits for: where a rollback is due (a transaction of
// an earlier term is left) it is not this read that ends it.
const readLimit = 2 * time.Second

// readNewest reads the newest row of this node's copy, the zero Cursor where there is no
// database yet. It fails where there is one that cannot be read.
func (c *Cluster) readNewest(ctx context.Context) (repo.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var newest repo.Cursor
	err := c.view(ctx, func(rd repo.Reader) error {
		var err error
		newest, err = repo.Newest(ctx, rd)
		return err
	})
	if apperr.HasReason(err, apperr.NoDatabase) {
		return repo.Cursor{}, nil
	}
	return newest, err
}

// readPosition makes this node's position what its database has. What the feed has delivered
// meanwhile may be newer than what was read: then it is read again.
func (c *Cluster) readPosition(ctx context.Context) error {
	for {
		c.mu.Lock()
		before := c.state.Position()
		c.mu.Unlock()
		newest, err := c.readNewest(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		same := c.state.Position() == before
		c.onLocked(decide.PositionRead{Before: before, Position: newest})
		c.mu.Unlock()
		if same {
			return nil
		}
	}
}

// readUntilRead is readPosition until it succeeds.
func (c *Cluster) readUntilRead() {
	tick := time.NewTicker(decide.HeartbeatEvery)
	defer tick.Stop()
	for c.readPosition(c.run) != nil {
		select {
		case <-tick.C:
		case <-c.run.Done():
			return
		}
	}
}

// readCopy reads what this node's copy says of a set, all at one moment. It fails where there
// is a database that cannot be read: then nothing may be concluded.
func (c *Cluster) readCopy(ctx context.Context, set litefs.SyncSet) (decide.Copy, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var held decide.Copy
	err := c.view(ctx, func(rd repo.Reader) error {
		var err error
		if held.Newest, err = repo.Newest(ctx, rd); err != nil {
			return err
		}
		held.Places, err = locate(ctx, rd, set)
		return err
	})
	if apperr.HasReason(err, apperr.NoDatabase) {
		return decide.Copy{Absent: true}, nil
	}
	return held, err
}

// locate says where the positions of a set are in the copy that rd reads.
func locate(ctx context.Context, rd repo.Reader, set litefs.SyncSet) (map[string]repo.Place, error) {
	places := map[string]repo.Place{}
	for position, row := range decide.Positions(set) {
		place, err := repo.Locate(ctx, rd, row)
		if err != nil {
			return nil, err
		}
		places[position] = place
	}
	return places, nil
}

// Shared is how far this node's copy is for certain the history of those in a sync set.
type Shared struct {
	Here repo.Cursor // the newest row of this node's copy
	// Last is the newest position of the sync set that this node's copy has: up to there
	// the two are the same. The zero Cursor says that it has none of them.
	Last repo.Cursor
	// Other is the seq of the oldest position in whose place this node's copy has another
	// row; 0 when there is none.
	Other int64
	// Newest is the seq of the newest position.
	Newest int64
}

// Shared compares this node's copy with the positions of a sync set, nil for none. Without a
// database there is nothing to compare. It fails where there is one that cannot be read.
func (c *Cluster) Shared(ctx context.Context, set *litefs.SyncSet) (Shared, error) {
	if set == nil {
		set = &litefs.SyncSet{}
	}
	var s Shared
	err := c.view(ctx, func(rd repo.Reader) error {
		s = Shared{}
		var err error
		if s.Here, err = repo.Newest(ctx, rd); err != nil {
			return err
		}
		places, err := locate(ctx, rd, *set)
		if err != nil {
			return err
		}
		for position, row := range decide.Positions(*set) {
			s.Newest = max(s.Newest, row.Seq)
			switch place := places[position]; {
			case place == repo.Here && row.Seq > s.Last.Seq:
				s.Last = row
			case place == repo.Elsewhere && (s.Other == 0 || row.Seq < s.Other):
				s.Other = row.Seq
			}
		}
		return nil
	})
	if apperr.HasReason(err, apperr.NoDatabase) {
		return Shared{}, nil
	}
	return s, err
}
