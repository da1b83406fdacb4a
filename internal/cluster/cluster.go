package cluster

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"blog/internal/clock"
	"blog/internal/cluster/decide"
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
type Policy = decide.Policy

// The policies.
const (
	Two    = decide.Two
	Strict = decide.Strict
	Local  = decide.Local
)

// Info is how a node is.
type Info = decide.Info

// Report is a message to the primary over an uplink.
type Report = decide.Report

// Heartbeat is a message of the primary over an uplink.
type Heartbeat = decide.Heartbeat

// Forgotten is a node that is in no status any more.
type Forgotten = decide.Forgotten

// DefaultWait is how long a standby may be silent before the primary goes on alone, and
// DefaultStall how long a standby that reports may stand still while writes wait for it.
const (
	DefaultWait  = 5 * time.Second
	DefaultStall = 20 * time.Second
)

// Options are what New needs. Control is nil where there is no sync set: then uplinks are
// kept, for status, and nothing else.
type Options struct {
	Node    Node
	Control Control
	Policy  Policy
	// Wait is how long after a standby's last report, or after becoming primary if that is
	// later, the primary removes it from the sync set and goes on alone. The heartbeats of the
	// primary before count as its reports.
	Wait time.Duration
	// Stall is the same for a standby that reports, but whose copy stands still while writes
	// wait for it.
	Stall time.Duration
	// Header authenticates this node at another's private listener.
	Header http.Header
	// Info says how this node is. It may block: it is asked once a second, and reports do not
	// wait for it.
	Info func(ctx context.Context) Info
	// Clock is this node's, and is compared with those of the others. Nil: a new one.
	Clock *clock.Clock
	// Elapsed is what events are dated by, so that what this node believes of the others grows old while its machine is
	// suspended: see clock.Source.Elapsed. Nil: the machine's.
	Elapsed func() time.Duration
	// Boot dates the lines of the log about what this node may do. Nil: clock.Boot.
	Boot   func() time.Duration
	Logger *slog.Logger
}

// Cluster is this node among the others. It is repo.Durability.
type Cluster struct {
	o     Options
	log   *slog.Logger // of late
	late  *lateLog
	began time.Duration // when this process began: Options.Elapsed

	run   context.Context // ends with Close
	stop  context.CancelFunc
	works sync.WaitGroup

	attached chan struct{} // closed by Attach, which sets view
	view     func(ctx context.Context, fn func(rd repo.Reader) error) error

	beginning sync.Mutex // held by BeginTerm: one term begins at a time

	mu      sync.Mutex
	state   *decide.State
	changed chan struct{}         // closed and replaced after each event
	reports chan struct{}         // has room for one: a report is due now
	senders map[*sender]struct{}  // of this node's uplinks from others
	term    *term                 // nil unless this node is in one
	waiters map[uint64]chan reply // by number: the answers that wait
	asked   uint64                // number of the newest of them
	failing time.Time             // since when no uplink of this node's has come up; zero where none fails
	belief  belief

	acquiring atomic.Bool // the LiteFS node is being asked to become primary
}

// reply is what has been decided about an answer that waits.
type reply struct {
	assurance repo.Assurance
	err       error
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
	if o.Elapsed == nil {
		o.Elapsed = clock.Machine().Elapsed
	}
	if o.Boot == nil {
		o.Boot = clock.Boot
	}
	c := &Cluster{
		o: o, began: o.Elapsed(), attached: make(chan struct{}), changed: make(chan struct{}),
		reports: make(chan struct{}, 1), senders: map[*sender]struct{}{}, waiters: map[uint64]chan reply{},
		state: decide.New(decide.Config{SyncSet: o.Control != nil, Policy: o.Policy, Wait: o.Wait, Stall: o.Stall}),
	}
	c.run, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.late, c.log = newLateLog(ctx, o.Logger)
	return c
}

// Attach gives the cluster the repository whose positions it reports, and starts it. It must
// be the feed's first tail: what others wait for is reported first.
func (c *Cluster) Attach(r *repo.Repo) {
	c.view = r.ViewReserved
	c.on(decide.PositionRead{Position: r.Feed().Attach(tail{c, r.Feed()})})
	c.refreshInfo()
	close(c.attached)
	c.works.Go(c.refresh)
	c.works.Go(c.uplinks)
}

// Close ends the uplinks, in both directions, and the term.
func (c *Cluster) Close() error {
	c.stop()
	c.endTerm()
	c.works.Wait()
	c.late.flush()
	return nil
}

// processBegan is the Instant at which a process begins: everything that was never counts as
// long ago.
const processBegan = 365 * 24 * time.Hour

// nowLocked returns the present Instant. The lock is held from here until the event of that
// moment has been handled, so that no event comes after one of a later moment.
func (c *Cluster) nowLocked() decide.Instant { return processBegan + c.o.Elapsed() - c.began }

// on has the state handle an event of this moment, and carries out what follows.
func (c *Cluster) on(e decide.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onLocked(e)
}

func (c *Cluster) onLocked(e decide.Event) {
	c.belief.run(c.o.Boot(), c.state.Asked())
	effects := c.state.On(c.nowLocked(), e)
	c.noteBeliefLocked()
	c.carryOutLocked(effects)
	close(c.changed)
	c.changed = make(chan struct{})
}

// carryOutLocked carries effects out. It waits for nobody, nor for who reads the log.
func (c *Cluster) carryOutLocked(effects []decide.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case decide.Log:
			c.log.Log(c.run, e.Level, e.Text, e.Attrs...)
		case decide.SendHeartbeat:
			for s := range c.senders {
				if s.to == e.To {
					signal(s.due)
				}
			}
		case decide.SendReport:
			signal(c.reports)
		case decide.ReadPosition:
			if c.run.Err() == nil {
				c.works.Go(c.readUntilRead)
			}
		case decide.ConfirmClock:
			c.o.Clock.Confirm(e.Time)
		case decide.FollowClock:
			c.o.Clock.Refer(e.Time)
		case decide.AcquireLease:
			if c.run.Err() == nil {
				c.works.Go(c.acquireLease)
			}
		case decide.GiveAnswer:
			c.replyLocked(e.Waiter, reply{assurance: e.Assurance})
		case decide.RefuseAnswer:
			c.replyLocked(e.Waiter, reply{err: errTermOver})
		default: // the term's
			c.term.requests <- effect
		}
	}
}

// replyLocked has whoever waits for an answer go on.
func (c *Cluster) replyLocked(waiter uint64, r reply) {
	if to, waits := c.waiters[waiter]; waits {
		to <- r // it has room for one, and there is one
		delete(c.waiters, waiter)
	}
}

// signal wakes who receives from a channel that has room for one.
func signal(due chan<- struct{}) {
	select {
	case due <- struct{}{}:
	default: // it is about to wake
	}
}

// refreshEvery is how often Info is asked.
const refreshEvery = time.Second

// refresh asks for Info, and has nodes forgotten, until Close.
func (c *Cluster) refresh() {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.refreshInfo()
			c.on(decide.Cleaned{Primary: c.o.Node.Role().State == litefs.Primary})
		case <-c.run.Done():
			return
		}
	}
}

func (c *Cluster) refreshInfo() { c.on(decide.InfoRead{Info: c.o.Info(c.run)}) }

// acquireLease asks the LiteFS node to become primary, as the primary wants it. The primary wants it again every half
// second until it is, and the LiteFS node is asked once at a time.
func (c *Cluster) acquireLease() {
	if !c.acquiring.CompareAndSwap(false, true) {
		return
	}
	defer c.acquiring.Store(false)
	if err := c.o.Control.Promote(c.run); err != nil {
		c.log.Warn("the primary asks this node to become primary, but", "err", err)
	}
}
