package compose

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"blog/internal/repo"
)

// Pace of a writer: so many asks a second, and so many at a time, since some
// wait for an election.
const (
	writeEvery = 350 * time.Millisecond
	maxAsks    = 6
)

// The limits of a caller's patience. The short one is shorter than an election,
// so that some outcomes are unknown.
const (
	impatient = 3 * time.Second
	patient   = repo.DefaultDeadline
)

// Writer asks for writes through one node's private listener.
type Writer struct {
	node   *Node
	client atomic.Pointer[repo.Client]
	ledger *Ledger
	board  *Board
	fault  func() string // what goes on

	asks    chan struct{} // one for each ask on its way
	work    sync.WaitGroup
	stopped atomic.Bool
}

// NewWriter returns the writer of a node.
func NewWriter(n *Node, t *repo.Transport, l *Ledger, b *Board, fault func() string) *Writer {
	w := &Writer{node: n, ledger: l, board: b, fault: fault, asks: make(chan struct{}, maxAsks)}
	w.Use(repo.NewClient(n.Private, t))
	return w
}

// Use makes it ask through c from now on.
func (w *Writer) Use(c *repo.Client) { w.client.Store(c) }

// Run asks at the pace until ctx ends, but for the time of a Hush.
func (w *Writer) Run(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	defer w.work.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.stopped.Load() {
			continue
		}
		select {
		case w.asks <- struct{}{}:
		default: // all are waiting
			continue
		}
		limit := patient
		if rand.IntN(3) == 0 { // #nosec G404 -- no secret
			limit = impatient
		}
		write := w.board.Draw(w.node.Name)
		w.work.Go(func() {
			defer func() { <-w.asks }()
			w.board.Told(write, w.Ask(ctx, write, limit))
		})
	}
}

// Ask asks for one write and notes it and the answer.
func (w *Writer) Ask(ctx context.Context, write Write, limit time.Duration) Told {
	note := w.ledger.Begin(Ask{Fault: w.fault(), Node: w.node.Name, Key: write.Key, Kind: write.Kind, Post: write.Post, Expected: write.Expected, Limit: limit})
	// The end of the test ends no ask: what was told must be known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	ref, receipt, err := repo.Do(repo.As(ctx, repo.Actor{Name: repo.Operator}), w.client.Load(), write.command(), repo.WithKey(write.Key))
	told := Told{
		Outcome: OK, PostID: ref.ID, Slug: ref.Slug, Revision: ref.Revision,
		Cursor: receipt.Cursor.String(), Seq: receipt.Seq, Replayed: receipt.Replayed, Assurance: receipt.Assurance,
	}
	if err != nil {
		told = TellError(err)
	}
	w.ledger.End(note, told)
	return told
}

// Hush keeps the writer from asking for more, and waits until all is answered.
func (w *Writer) Hush() {
	w.stopped.Store(true)
	for range maxAsks {
		w.asks <- struct{}{}
	}
	for range maxAsks {
		<-w.asks
	}
}

// Go lets it ask again.
func (w *Writer) Go() { w.stopped.Store(false) }
