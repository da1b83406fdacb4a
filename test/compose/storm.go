package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/transport"
	"blog/test/cluster"
)

// Limits of waits. They are generous, since durations are checked elsewhere (see spell).
const (
	upLimit    = 3 * time.Minute // until the cluster is whole
	ackLimit   = time.Minute     // until writes are acknowledged
	idleLimit  = time.Minute     // until all copies are equal when nobody writes
	checkLimit = time.Minute     // of the checker of histories
)

const (
	email    = "ada@example.org"
	password = "correct horse battery staple"
)

// Storm is a project with a writer, two readers and a socket on every node.
type Storm struct {
	*Project
	Ledger  *Ledger
	Log     *Log
	Board   *Board
	Roles   *Roles
	Writers map[string]*Writer
	Sockets map[string]*Socket
	// Seed is the seed of rng.
	Seed uint64
	// Only is a regular expression of the names of what chaos draws; "" means all.
	Only string

	rng       *rand.Rand
	transport *transport.Client
	readers   []*Reader
	visitor   *Visitor
	disks     *Disks
	forms     gate   // open while readers may write
	checked   int    // observations up to here are counted
	large     bool   // the database is (enlarge)
	losses    uint64 // of power so far
	speed     speed  // the machine's, zero where a test has no containers
	// When all was idle the last time, and what each node's socket had by then.
	idleSince time.Duration
	heardBy   map[string]heard

	mu      sync.Mutex
	name    string // of the fault that is in effect
	excuses map[string]bool
	avoid   map[string]bool
	holds   map[string]bool
}

// Start starts a project, makes an author, starts the storm's writers, readers and sockets, and measures the machine's
// speed.
func Start(tb testing.TB, seed uint64, env ...string) *Storm {
	tb.Helper()
	folder := filepath.Join(cluster.Root(tb), ".cache", "test", "chaos",
		fmt.Sprintf("%d-%s", seed, time.Now().UTC().Format("20060102T150405")))
	s := &Storm{
		Log: &Log{}, Writers: map[string]*Writer{}, Sockets: map[string]*Socket{}, Seed: seed,
		rng:     rand.New(rand.NewPCG(seed, 1)), // #nosec G404 -- reproducible by its seed
		excuses: map[string]bool{}, avoid: map[string]bool{}, holds: map[string]bool{},
	}
	s.openLedger(tb, folder)
	s.Board, s.Roles = NewBoard(rand.New(rand.NewPCG(seed, 2))), NewRoles(s.Ledger.Now) // #nosec G404 -- by its seed
	s.Project = Up(tb, folder, env...)
	s.transport = transport.NewClient(s.Secret)
	tb.Cleanup(s.transport.Close)
	s.people(tb)
	s.measureWrites(tb)
	return s
}

// openLedger opens the ledger. It stores the ledger's file when the test fails.
func (s *Storm) openLedger(tb testing.TB, folder string) {
	tb.Helper()
	if err := os.MkdirAll(folder, 0o750); err != nil {
		tb.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, "ledger.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	s.Ledger = NewLedger(f)
	tb.Cleanup(func() {
		if err := errors.Join(s.Ledger.Err(), f.Close()); err != nil {
			tb.Errorf("ledger: %v", err)
		}
		if tb.Failed() {
			tb.Logf("seed %d: ledger and logs are in %s", s.Seed, folder)
			return
		}
		if err := os.RemoveAll(folder); err != nil {
			tb.Error(err)
		}
	})
}

// people makes the author, and starts writers, readers and sockets.
func (s *Storm) people(tb testing.TB) {
	tb.Helper()
	s.awaitReady(tb)
	s.measureStart(tb)
	cluster.Poll(tb, upLimit, "an author is made", func(ctx context.Context) error {
		return s.addAuthor(ctx)
	})
	s.start(tb)
}

// start starts writers, readers and sockets until the test ends.
func (s *Storm) start(tb testing.TB) {
	tb.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(tb.Context()))
	var all sync.WaitGroup
	tb.Cleanup(func() { end(); all.Wait() })
	s.disks = &Disks{Nodes: []*Node{s.Node(Fra1), s.Node(Fra2)}}
	s.visitor = NewVisitor(s)
	all.Go(func() { s.visitor.Run(ctx) })
	for _, n := range s.Nodes {
		all.Go(func() { s.Roles.Run(ctx, n) })
		w := NewWriter(n, s.transport, s.Ledger, s.Board, s.now)
		s.Writers[n.Name] = w
		w.Acknowledged = s.disks.acknowledged
		w.stopped.Store(true)
		plain := NewReader("reader of "+n.Name, n, s)
		author := NewReader("author on "+n.Name, n, s)
		cluster.Poll(tb, upLimit, "an author is signed in on "+n.Name, func(ctx context.Context) error {
			return author.SignIn(ctx, email, password, s.Nodes)
		})
		s.readers = append(s.readers, plain, author)
		socket := NewSocket(n)
		s.Sockets[n.Name] = socket
		all.Go(func() { w.Run(ctx) })
		all.Go(func() { plain.Run(ctx) })
		all.Go(func() { author.Run(ctx) })
		all.Go(func() { socket.Run(ctx) })
	}
}

func (s *Storm) addAuthor(ctx context.Context) error {
	var errs []error
	for _, n := range s.Nodes[:1] {
		out, err := run(ctx, nil, "docker", "exec", n.id, "bash", "-c",
			"blog user add "+email+" --name Ada --json --password-file - <<<'"+password+"'")
		if err != nil && !strings.Contains(out, "email") { // the author exists already
			errs = append(errs, fmt.Errorf("%w: %s", err, out))
		}
	}
	return errors.Join(errs...)
}

// now returns the name of the fault that is in effect.
func (s *Storm) now() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name
}

func (s *Storm) begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
}

// excused reports whether a node is meant not to answer readers now.
func (s *Storm) excused(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.excuses[node]
}

// Excuse allows that the named nodes do not answer readers until the cluster is whole again.
func (s *Storm) Excuse(nodes ...*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range nodes {
		s.excuses[n.Name] = true
	}
}

// Avoid sends no readers with a cookie to the named nodes until the cluster is whole again.
func (s *Storm) Avoid(nodes ...*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range nodes {
		s.avoid[n.Name] = true
	}
}

func (s *Storm) avoided(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.avoid[node]
}

func (s *Storm) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.excuses)
	clear(s.avoid)
	clear(s.holds)
}

func (s *Storm) awaitReady(tb testing.TB) {
	tb.Helper()
	for _, n := range s.Nodes {
		cluster.Poll(tb, upLimit, n.Name+" is ready", func(ctx context.Context) error {
			_, err := fetch(ctx, n.Public+"/readyz")
			return err
		})
	}
}

// Primary returns the one node that says now that it is primary, and the other candidate.
func (s *Storm) Primary(tb testing.TB) (primary, standby *Node) {
	tb.Helper()
	since := s.Ledger.Now()
	cluster.Poll(tb, upLimit, "there is one primary", func(context.Context) error {
		names := s.Roles.Primaries(since)
		if len(names) != 1 {
			return fmt.Errorf("primary: %v", names)
		}
		primary = s.Node(names[0])
		return nil
	})
	standby = s.Node(Fra1)
	if primary == standby {
		standby = s.Node(Fra2)
	}
	return primary, standby
}

// AwaitAcks waits until each of the nodes has acknowledged a write that was asked for after since.
// It returns the time of the first acknowledgement.
func (s *Storm) AwaitAcks(tb testing.TB, since time.Duration, nodes ...*Node) time.Duration {
	tb.Helper()
	first := never
	cluster.Poll(tb, ackLimit, "writes are acknowledged", func(context.Context) error {
		have := map[string]int{}
		for _, a := range s.Ledger.Asks() {
			if a.Start > since && a.Outcome == OK && slices.ContainsFunc(nodes, func(n *Node) bool { return n.Name == a.Node }) {
				have[a.Node]++
				first = min(first, a.End)
			}
		}
		for _, n := range nodes {
			if have[n.Name] == 0 {
				return fmt.Errorf("none on %s: %v", n.Name, have)
			}
		}
		return nil
	})
	return first
}

// Go lets the writers and forms write.
func (s *Storm) Go() {
	for _, w := range s.Writers {
		w.Go()
	}
	s.forms.set(true)
}

func (s *Storm) writeObservations(tb testing.TB) {
	tb.Helper()
	var out bytes.Buffer
	for _, v := range s.Observations() {
		fmt.Fprintf(&out, "%s status %d %s cookie=%t stale=%d excused=%t held=%t unsteady=%t %+v\n", v.where(), v.Status,
			v.Err, v.Cookie, v.Stale, v.Excused, v.Held, v.Unsteady, v.Shown)
	}
	if err := os.WriteFile(filepath.Join(s.Folder, "observations.txt"), out.Bytes(), 0o600); err != nil {
		tb.Error(err)
	}
}

// sum returns a text that counts what was seen so far.
func (s *Storm) sum(ops []Op, asks []Ask, observations []Observation) string {
	outcomes := map[Outcome]int{}
	for _, op := range ops {
		outcomes[op.Outcome]++
	}
	replayed, excused, late := 0, 0, 0
	for _, a := range asks {
		if a.Replayed {
			replayed++
		}
	}
	for _, v := range observations {
		switch {
		case v.late():
			late++
		case v.Stale > 0:
			excused++
		}
	}
	resyncs := 0
	for _, k := range s.Sockets {
		resyncs += k.Resyncs()
	}
	return fmt.Sprintf("%d writes so far (%d done, %d in conflict, %d refused, %d unknown), %d answers replayed; "+
		"%d pages read, %d after a wait in vain (%d excused, %d late); %d resyncs",
		len(ops), outcomes[OK], outcomes[Conflict], outcomes[Refused], outcomes[Unknown], replayed,
		len(observations), excused+late, excused, late, resyncs)
}

// others returns all nodes except some.
func (s *Storm) others(but ...*Node) []*Node {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(n *Node) bool { return slices.Contains(but, n) })
}

// Counted checks that the run has tried what it is for: some outcome was unknown, and the answer to
// some such key, asked for again, was a replay.
func (s *Storm) Counted(tb testing.TB) {
	tb.Helper()
	unknown, replayed := CountReplays(s.Ledger.Asks())
	tb.Logf("%d answers were lost, %d replayed afterwards", unknown, replayed)
	compared, _ := s.disks.Seen()
	tb.Logf("%d acknowledgements were compared with the disks", compared)
	if compared == 0 {
		tb.Error("no acknowledgement was compared with the disks")
	}
	if unknown == 0 || replayed == 0 {
		tb.Errorf("%d outcomes were unknown and %d of their keys were replayed: this run has shown nothing", unknown,
			replayed)
	}
}
