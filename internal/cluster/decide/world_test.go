package decide_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// world is nodes, the network between them, a Consul and their replication, all in one loop. The same
// seed gives the same world.
type world struct {
	rand   *rand.Rand
	config decide.Config
	consul consul
	nodes  []*node
	lines  []*line
	rows   uint64 // that have been written, for their marks
	scene  bool   // a schedule is played

	acknowledged []repo.Cursor
	begun        begun // the newest term that any node has begun
	violations   []string
	counts       map[string]int // of what has happened
	story        []string       // the newest steps, for who reads a failure
}

// begun names a term of a node.
type begun struct {
	node *node
	term uint64
}

// node is a machine with a copy of the database, and the state of its program while that runs.
type node struct {
	w     *world
	id    string
	at    decide.Instant // its monotonic clock
	copy  []repo.Cursor  // its rows, in order
	state *decide.State  // nil: the program does not run

	role      litefs.State
	following string // the id of the primary, as a replica
	epoch     int    // of its role

	opening *opening       // the term that is about to begin
	overdue bool           // its term is one of a role that is over, and has not been ended
	stale   []decide.Event // answers of Consul to terms that are over, which are still on their way
	call    *call          // what its term asks of Consul
	line    *line          // its uplink
	read    int            // rows of its copy that the feed has read
	reset   bool           // the feed has another history to read
	feed    []batch        // what it has read, and not delivered yet
	reread  bool           // the position is to be read from the database
	report  bool           // a report is due
	acquire bool           // the primary has asked it to become primary
	wake    decide.Instant
	due     map[string]bool // heartbeats, by id
	waiters map[uint64]*waiter
	asked   uint64
	given   map[uint64]string // what came of the answers that do not wait any more
	region  string

	seen     []func(s *decide.State) // all that its state has seen, in scenes
	leftOver *node                   // with a term that has not been ended
	leaving  bool
	lacking  []repo.Cursor // the copy with which it is not elected; nil: any may be

	// Faults.
	stopped bool // its process does not run
	cut     bool // it does not reach Consul
	held    bool // replication does not reach it
	silent  bool // its uplink does not reach the primary
}

// waiter is an answer that waits, and what is true of it.
type waiter struct {
	row    repo.Cursor
	write  bool
	newest bool // no other node had begun a later term when it was asked for
	safe   bool // at a moment since, all members of the set had the row
}

// opening is a term that is about to begin, as far as it has come.
type opening struct {
	step   int
	epoch  int
	now    litefs.Standing
	from   litefs.SyncSet
	next   litefs.SyncChange
	newest repo.Cursor
}

// batch is what the feed has read at once.
type batch struct {
	reset bool
	rows  []repo.Cursor // with reset: the newest one
	epoch int
}

// call is something asked of Consul.
type call struct {
	term   uint64
	effect decide.Effect
	event  decide.Event // the answer, which is on its way; nil: Consul has not done it yet
	// restored says that Consul had a restored set when it answered.
	restored bool
}

// line is an uplink. Each end finds out by itself that it is gone.
type line struct {
	id         string // of from, when it was opened
	from, to   *node
	epoch      int // of the role of to
	reports    []decide.Report
	heartbeats []decide.Heartbeat
	fromOpen   bool
	toOpen     bool
}

// begins is the Instant at which a node begins.
const begins = 365 * 24 * time.Hour

func newWorld(seed uint64, c decide.Config, ids ...string) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1)), config: c, counts: map[string]int{}}
	for _, id := range ids {
		n := &node{w: w, id: id, at: begins, region: "fra", given: map[uint64]string{}}
		w.nodes = append(w.nodes, n)
		n.start()
	}
	return w
}

// config of most worlds.
func usual() decide.Config {
	return decide.Config{SyncSet: true, Policy: decide.Two, Wait: 5 * time.Second, Stall: 20 * time.Second}
}

func (w *world) record(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
	if len(w.story) > 400 {
		w.story = w.story[200:]
	}
}

// violated notes that a claim does not hold.
func (w *world) violated(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
	w.record("VIOLATED: "+format, args...)
}

// node returns the one with that id.
func (w *world) node(id string) *node {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// start runs the node's program.
func (n *node) start() {
	if n.w.consul.holder == n.id { // its LiteFS node has ended with it
		n.w.expire()
	}
	n.state = decide.New(n.w.config)
	n.seen = nil
	n.waiters, n.due = map[uint64]*waiter{}, map[string]bool{}
	n.read, n.feed, n.reset, n.report, n.reread = len(n.copy), nil, false, false, false
	n.acquire, n.leaving, n.stopped, n.overdue, n.stale = false, false, false, false, nil
	n.setRole(litefs.Unknown, "")
	n.on(decide.InfoRead{Info: n.info()})
	n.on(decide.PositionRead{Before: n.state.Position(), Position: n.newest()})
	n.w.record("%s starts with %d rows", n.id, len(n.copy))
}

func (n *node) info() decide.Info {
	return decide.Info{ID: n.id, Node: n.id, Region: n.region, Candidate: true}
}

// crash ends the node's program at once.
func (n *node) crash() {
	n.w.record("%s dies", n.id)
	for id := range n.waiters {
		n.given[id] = unknown
	}
	if n.w.consul.holder == n.id {
		n.w.forgive()
	}
	n.dropCall()
	n.state, n.opening = nil, nil
	n.epoch++
	n.waiters = nil
	for _, l := range n.w.lines {
		if l.from == n {
			l.fromOpen = false
		}
		if l.to == n {
			l.toOpen = false
		}
	}
	n.line = nil
}

// loseDisk makes a node that does not run another one.
func (n *node) loseDisk(id string) {
	n.w.record("%s loses its disk and is %s", n.id, id)
	n.id, n.copy, n.lacking = id, nil, nil
}

func (n *node) newest() repo.Cursor {
	if len(n.copy) == 0 {
		return repo.Cursor{}
	}
	return n.copy[len(n.copy)-1]
}

// has reports whether the node's copy has a row.
func (n *node) has(row repo.Cursor) bool {
	return row.Zero() || int(row.Seq) <= len(n.copy) && n.copy[row.Seq-1] == row
}

// on gives the node's state an event and carries out what follows.
func (n *node) on(e decide.Event) {
	if n.state == nil {
		return
	}
	at := n.at
	n.note(func(s *decide.State) { s.On(at, e) })
	n.carryOut(n.state.On(at, e))
}

// note notes what the state sees.
func (n *node) note(f func(s *decide.State)) {
	if n.w.scene {
		n.seen = append(n.seen, f)
	}
}

// hear is on, for what a term that is left over hears as well.
func (n *node) hear(e decide.Event) {
	n.on(e)
	if n.leftOver != nil {
		n.leftOver.on(e)
	}
}

func (n *node) carryOut(effects []decide.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case decide.SendHeartbeat:
			n.due[e.To] = true
		case decide.SendReport:
			n.report = true
		case decide.ReadPosition:
			n.reread = true
		case decide.AcquireLease:
			n.acquire = true
		case decide.Wake:
			n.wake = n.at + e.After
		case decide.GiveAnswer:
			n.answered(e)
		case decide.RefuseAnswer:
			n.w.counts["answers that nobody knows"]++
			delete(n.waiters, e.Waiter)
			n.given[e.Waiter] = unknown
		case decide.ReadStanding, decide.WriteSet, decide.GiveUpLease:
			if n.call != nil {
				n.w.violated("%s asks Consul for two things at a time", n.id)
			}
			n.call = &call{term: n.state.Term(), effect: effect}
		}
	}
}
