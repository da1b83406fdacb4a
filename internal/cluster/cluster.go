package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"blog/internal/clock"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// Control is what is asked of the LiteFS node: see litefs.Control.
type Control interface {
	Standing(ctx context.Context) (litefs.Standing, error)
	Change(ctx context.Context, change litefs.SyncChange) (litefs.SyncSet, error)
	Promote(ctx context.Context) error
	Demote(ctx context.Context, giving litefs.Giving) error
}

// Node is this node's role.
type Node interface {
	Role() litefs.Role
	Changed() <-chan struct{}
}

// Policy says what an acknowledgement rests on.
type Policy string

// The policies.
const (
	Two    Policy = "two"    // two nodes; the primary alone when the standby is lost
	Strict Policy = "strict" // two nodes, always: no standby, no acknowledgement
	Local  Policy = "local"  // the primary's disk: a plain file, or a static lease
)

// Times. A heartbeat is a quarter of what a standby may be silent for.
const (
	heartbeat = 500 * time.Millisecond
	lostAfter = 2 * time.Second // without a report a standby is not there

	// DefaultWait is how long a standby may be silent before the primary goes on
	// alone, and DefaultStall how long a standby that reports may stand still while
	// writes wait for it.
	DefaultWait  = 5 * time.Second
	DefaultStall = 20 * time.Second
)

// Options are what New needs. Control is nil where there is no sync set: then
// uplinks are kept, for status, and nothing else.
type Options struct {
	Node    Node
	Control Control
	Policy  Policy
	// Wait is how long after a standby's last report, or after becoming primary if
	// that is later, the primary takes it out of the sync set and goes on alone. The
	// words of the primary before count as its reports.
	Wait time.Duration
	// Stall is the same for a standby that reports, but whose copy stands still while
	// writes wait for it.
	Stall time.Duration
	// Header authenticates this node at another's private listener.
	Header http.Header
	// Info says how this node is. It may take its time: it is asked once a second, and
	// reports do not wait for it.
	Info func(ctx context.Context) Info
	// Clock is this node's. It is told those of the others. Nil: one of its own.
	Clock  *clock.Clock
	Logger *slog.Logger
}

// Cluster is this node among the others. It is repo.Durability.
type Cluster struct {
	o   Options
	log *slog.Logger

	run   context.Context // ends with Close
	stop  context.CancelFunc
	works sync.WaitGroup

	attached chan struct{} // closed by Attach, which sets view
	view     func(ctx context.Context, fn func(rd repo.Reader) error) error

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change of what is below
	self     Info          // as of the last look
	at       repo.Cursor   // newest row of this node's own copy
	leaving  bool
	uplinked int  // uplinks of this node
	said     bool // over one of them, that this node leaves
	primary  Word // what the primary said last, while this node is none
	told     time.Time
	failing  time.Time // since when no uplink of this node's has come up; zero where none fails

	// forgotten is by id whom an operator had forgotten here, as primary; nil: nobody yet.
	forgotten map[string]time.Time

	nodes map[string]*peer     // by id: who has an uplink to this node, or had one
	left  map[string]time.Time // who said that it leaves
	lead  *lead                // the term of this node; nil unless it leads
	last  *lead                // the newest term of this node, over or not

	words uint64 // number of the newest Word that this process has sent
	terms uint64 // that this node has begun

	beginning sync.Mutex // held by Lead: one term begins at a time
}

var _ repo.Durability = (*Cluster)(nil)

// New returns a cluster that does nothing before Attach.
func New(ctx context.Context, o Options) *Cluster {
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Stall <= 0 {
		o.Stall = DefaultStall
	}
	if o.Clock == nil {
		o.Clock = clock.OpenMember(clock.Machine(), o.Logger)
	}
	c := &Cluster{
		o: o, log: o.Logger, attached: make(chan struct{}), changed: make(chan struct{}),
		nodes: map[string]*peer{}, left: map[string]time.Time{},
	}
	c.run, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// Attach gives the cluster the repository whose positions it reports, and starts it.
// It must be the feed's first tail: what others wait for is told first.
func (c *Cluster) Attach(r *repo.Repo) {
	c.view = r.Look
	at := r.Feed().Attach(tail{c, r.Feed()})
	c.mu.Lock()
	c.at = at
	c.changedLocked()
	c.mu.Unlock()
	c.look()
	close(c.attached)
	c.works.Go(c.lookOften)
	c.works.Go(c.uplinks)
}

// Close ends the uplinks, in both directions, and what leading began.
func (c *Cluster) Close() error {
	c.stop()
	c.endAny()
	c.works.Wait()
	return nil
}

// changedLocked wakes all who wait for a change.
func (c *Cluster) changedLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// tail hears of this node's own copy.
type tail struct {
	c    *Cluster
	feed *repo.Feed
}

// Rows implements repo.Tail. Only rows that were read in the lead's own term are its own:
// the feed may have read them before another was primary, and tell of them afterwards.
func (t tail) Rows(_ context.Context, rows []repo.Row) {
	term := t.feed.Term()
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if l := t.c.lead; l != nil && l.over == term {
		for _, row := range rows {
			t.c.registerLocked(l, row.Cursor)
		}
	}
	// The database may have been read since the feed's look at it: never back to what it
	// was. Which of the two is right where they differ the database says.
	switch last := rows[len(rows)-1].Cursor; {
	case last == t.c.at:
	case last.Seq > t.c.at.Seq && !ended(term):
		t.c.at = last
	default:
		t.c.readAgainLocked()
	}
	t.c.changedLocked()
}

// Reset implements repo.Tail. A lead's newest row is its own, whatever the feed knew before.
func (t tail) Reset(_ context.Context, now repo.Cursor) {
	term := t.feed.Term()
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if ended(term) { // what was newest in it may be older than what has been read since
		t.c.readAgainLocked()
		return
	}
	if l := t.c.lead; l != nil && l.over == term {
		t.c.registerLocked(l, now)
	}
	t.c.at = now
	t.c.changedLocked()
}

// ended reports whether the term is over.
func ended(term <-chan struct{}) bool {
	select {
	case <-term:
		return true
	default:
		return false
	}
}

// lookEvery is how often Info is asked.
const lookEvery = time.Second

func (c *Cluster) lookOften() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.look()
			c.forgetOld()
		case <-c.run.Done():
			return
		}
	}
}

// read takes this node's position from its database. What the feed has told meanwhile
// may be newer than what was read: then it is read again.
func (c *Cluster) read(ctx context.Context) error {
	for {
		c.mu.Lock()
		before := c.at
		c.mu.Unlock()
		at, err := c.newest(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		same := c.at == before
		if same {
			c.at = at
			c.changedLocked()
		}
		c.mu.Unlock()
		if same {
			return nil
		}
	}
}

// readAgainLocked has this node's position read from its database, soon.
func (c *Cluster) readAgainLocked() {
	if c.run.Err() == nil {
		c.works.Go(c.readAgain)
	}
}

// readAgain is read until it succeeds.
func (c *Cluster) readAgain() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for c.read(c.run) != nil {
		select {
		case <-tick.C:
		case <-c.run.Done():
			return
		}
	}
}

func (c *Cluster) look() {
	info := c.o.Info(c.run)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.self = info
}

// farewell bounds the wait for the primary to be told that this node goes.
const farewell = 500 * time.Millisecond

// Leave says to the primary that this node goes, so that nobody waits for it. It returns
// when that has been said, or half a second later.
func (c *Cluster) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for first := true; ; first = false {
		c.mu.Lock()
		if first {
			c.leaving = true
			c.changedLocked()
		}
		done, changed := c.uplinked == 0 || c.said, c.changed
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

var errTermOver = errors.New("this term as primary is over")
