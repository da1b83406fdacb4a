package compose

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"blog/internal/repo"
	"blog/internal/transport"
)

// Pace of a writer: how many asks per second, and how many at a time, since some wait for an
// election.
const (
	writeEvery = 350 * time.Millisecond
	maxAsks    = 6
)

// Limits of how long a caller waits. The short one is shorter than an election, so that some
// outcomes are unknown.
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
	// Acknowledged, if set, is called with each answer that a write is done, before the ledger has it.
	Acknowledged func(ctx context.Context, a Ask, t Answer)

	asks    chan struct{} // one for each ask without an answer
	work    sync.WaitGroup
	stopped atomic.Bool
}

// NewWriter returns the writer of a node.
func NewWriter(n *Node, t *transport.Client, l *Ledger, b *Board, fault func() string) *Writer {
	w := &Writer{node: n, ledger: l, board: b, fault: fault, asks: make(chan struct{}, maxAsks)}
	w.Use(repo.NewClient(n.Private, t))
	return w
}

// Use makes the writer ask through c from now on.
func (w *Writer) Use(c *repo.Client) { w.client.Store(c) }

// Run asks at the pace until ctx ends, except between Hush and Go.
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
			w.board.NoteAnswer(write, w.Ask(ctx, write, limit))
		})
	}
}

// Ask asks for one write, and notes it and its answer.
func (w *Writer) Ask(ctx context.Context, write Write, limit time.Duration) Answer {
	ask := write.ask()
	ask.Fault, ask.Node, ask.Limit = w.fault(), w.node.Name, limit
	note := w.ledger.Begin(ask)
	// The end of the test ends no ask: what was told must be known.
	ctx = context.WithoutCancel(ctx)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer := write.send(repo.As(limited, repo.Actor{Name: repo.Operator}), w.client.Load())
	answer.End = w.ledger.Now() // before the comparison, which reads files
	if answer.Outcome == OK && w.Acknowledged != nil {
		w.Acknowledged(ctx, ask, answer)
	}
	w.ledger.End(note, answer)
	return answer
}

// Hush stops further asks, and waits until all are answered.
func (w *Writer) Hush() {
	w.stopped.Store(true)
	for range maxAsks {
		w.asks <- struct{}{}
	}
	for range maxAsks {
		<-w.asks
	}
}

// Go lets the writer ask again.
func (w *Writer) Go() { w.stopped.Store(false) }
