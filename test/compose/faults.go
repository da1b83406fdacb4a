package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/test/cluster"
)

// Fault is one thing that goes wrong: how, and what must happen then.
type Fault struct {
	Name string
	do   func(f *spell)
}

// Faults are all that a run goes through, in this order.
func Faults() []Fault {
	return []Fault{
		{"a. none", none},
		{"b. kill -9 of the primary's container", killed},
		{"c. kill -9 of blog serve", func(f *spell) { processKilled(f, "serve") }},
		{"c. kill -9 of blog mount", func(f *spell) { processKilled(f, "mount") }},
		{"d. SIGTERM to the primary", stopped},
		{"e. the primary cut off from all", primaryCutOff},
		{"e. the primary unplugged from its network", primaryUnplugged},
		{"f. a replica cut off from all", func(f *spell) { f.long = 2 * Lease; bystanders(f.Node(Nrt1), cutOff(f.Node(Nrt1))).only(f) }},
		{"g. the way between fra1 and fra2 cut", pairCut},
		{"h. the primary cut off from Consul", consulCut},
		{"i. the primary paused for 30 s", func(f *spell) { f.long = 30 * time.Second; paused(f) }},
		{"j. Consul paused, stopped and started", consulAway},
		{"k. all nodes down and up", allDown},
		{"l. standby down, primary down, standby up, primary up", standbyFirst},
		{"m. standby wiped, primary killed before its copy is whole", wiped},
		{"n. the primary's disk full", func(f *spell) { f.long = 2 * Lease; diskFull(f, noSpare) }},
		{"n. the primary's disk full at a commit", func(f *spell) { f.long = 2 * Lease; diskFull(f, someSpare) }},
		{"o. a wrong secret on one node", wrongSecret},
	}
}

// Run runs one fault on a cluster that is whole, and leaves it whole and checked.
func (s *Storm) Run(tb testing.TB, fault Fault) {
	tb.Helper()
	s.begin("before " + fault.Name)
	s.Go()
	s.Whole(tb)
	s.begin(fault.Name)
	f := s.spell(tb)
	fault.do(f)
	s.begin("after " + fault.Name)
	f.whole()
	s.awaitChanges(tb)
	s.Quiet(tb)
}

func none(f *spell) {
	f.survive = f.Nodes
	f.strike(func(context.Context) error { return nil })
	f.heal(func(context.Context) error { return nil })
	for _, n := range f.Nodes {
		w := f.Writers[n.Name]
		write := Write{Key: n.Name + "seen", Kind: Create, Post: n.Name + "seen"}
		told := w.Ask(f.tb.Context(), write, patient)
		if told.Outcome != OK {
			f.tb.Fatalf("a write on %s: %s", n.Name, told.Message)
		}
		for _, other := range f.Nodes {
			cluster.Poll(f.tb, ackLimit, "a post written on "+n.Name+" is seen on "+other.Name, func(ctx context.Context) error {
				body, err := fetch(ctx, other.Public+"/posts/"+told.Slug)
				if err == nil && !slices.Contains(ShownIn(string(body)), Shown{write.Post, 1, write.Key}) {
					err = errors.New("the page does not show it")
				}
				return err
			})
		}
	}
}

func killed(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	dead := f.strike(primary.Kill)
	f.becomes(standby)
	f.limit("no writer after a kill", f.AwaitAcks(f.tb, dead, f.survive...)-dead, 2*Lease)
	f.heal(primary.Start)
}

// processKilled kills one process of the primary's. The node comes back by itself,
// with or without its role.
func processKilled(f *spell, name string) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	dead := f.strike(func(ctx context.Context) error { return primary.KillProcess(ctx, name) })
	f.limit("no writer after a kill of "+name, f.AwaitAcks(f.tb, dead, f.survive...)-dead, 2*Lease)
	f.heal(func(context.Context) error { return nil })
	f.keepsOrMoves(primary, standby)
}

// leaving is how long a node may take to end, and handOff how long nobody may be
// there to write meanwhile.
const (
	leaving = 8 * time.Second
	handOff = 2 * time.Second
)

func stopped(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	down := f.strike(primary.Leave)
	f.becomes(standby)
	f.AwaitAcks(f.tb, down, f.survive...)
	f.hasLeft()
	f.limit("no writer while the role is handed over", f.silence(f.from), handOff)
	f.heal(primary.Start)
}

// hasLeft checks how long a node took to end.
func (f *spell) hasLeft() {
	f.tb.Helper()
	f.limit("from SIGTERM to the end", f.struck-f.from, leaving)
}

func primaryCutOff(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Hold(primary)
	cut := f.strike(primary.CutOff)
	f.limit("a primary that is cut off steps down", f.stepsDown(primary)-cut, Lease)
	f.becomes(standby)
	f.limit("the other side writes again", f.AwaitAcks(f.tb, cut, f.survive...)-cut, 3*Lease)
	f.heal(primary.Heal)
	f.noAcks(cut, primary)
}

// primaryUnplugged is the same with the tools of an operator, who also asks for a
// write there, from within.
func primaryUnplugged(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive = f.others(primary)
	f.Excuse(primary)
	cut := f.strike(primary.Unplug)
	f.refusesWithin(primary)
	f.becomes(standby)
	f.limit("the other side writes again", f.AwaitAcks(f.tb, cut, f.survive...)-cut, 3*Lease)
	f.heal(primary.Plug)
}

// refusesWithin asks for a write on a node from within: its ports are gone.
func (f *spell) refusesWithin(n *Node) {
	f.tb.Helper()
	name := fmt.Sprintf("inside%d", len(f.Ledger.Asks()))
	told, code := f.Blog(f.tb, n, Write{Key: name, Kind: Create, Post: name}, 2*Lease)
	if code != 3 || told.Outcome == OK {
		f.tb.Fatalf("%s: a write on %s ended with %d: %+v", f.now(), n.Name, code, told)
	}
}

func pairCut(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Hold(standby)
	cut := f.strike(func(ctx context.Context) error { return primary.CutFrom(ctx, standby) })
	f.alone()
	f.AwaitAcks(f.tb, cut, f.survive...)
	f.heal(primary.Heal)
	f.keeps(primary)
}

func consulCut(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	cut := f.strike(func(ctx context.Context) error { return primary.CutFrom(ctx, f.Node(Consul)) })
	f.limit("a primary without Consul steps down", f.stepsDown(primary)-cut, Lease)
	f.Hold(primary) // it does not learn who is primary now; until here its rows were sent
	// Until it steps down it is primary and reachable: it may acknowledge.
	f.AwaitAcks(f.tb, f.becomes(standby), f.survive...)
	f.limit("no writer meanwhile", f.silence(cut), 3*Lease)
	f.heal(primary.Heal)
}

func paused(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	frozen := f.strike(primary.Pause)
	f.becomes(standby)
	f.limit("the other writes", f.AwaitAcks(f.tb, frozen, f.survive...)-frozen, 3*Lease)
	f.heal(primary.Unpause)
	thawed := f.Ledger.Now()
	cluster.Poll(f.tb, upLimit, "the old primary knows that it is not", func(context.Context) error {
		if !f.Roles.Deny(thawed, primary.Name) {
			return errors.New("not yet")
		}
		return nil
	})
}

func consulAway(f *spell) {
	consul := f.Node(Consul)
	f.long = 20 * time.Second
	consulPaused(f)
	f.long = 2 * Lease
	consulGone(f, func(ctx context.Context) error { _, err := consul.Stop(ctx); return err }, consul.Start, 3*Lease)
}

func consulPaused(f *spell) {
	consul := f.Node(Consul)
	consulGone(f, consul.Pause, consul.Unpause, 2*Lease)
}

// consulGone: no writes once the lease is over, but no reader notices and no process ends.
func consulGone(f *spell, inject, undo func(ctx context.Context) error, limit time.Duration) {
	before := f.processes()
	f.cutOff, f.recovery = f.Nodes, longer
	f.strike(inject)
	f.lasts(f.struck, f.long)
	if f.long >= 2*Lease {
		f.headless(time.Second)
	}
	f.heal(undo)
	f.limit("writes after Consul was away", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, limit)
	if after := f.processes(); !slices.Equal(before, after) {
		f.tb.Errorf("%s: processes were %v and are %v", f.now(), before, after)
	}
}

// processes are the blog's on all nodes.
func (f *spell) processes() []Process {
	f.tb.Helper()
	var all []Process
	for _, n := range f.Nodes {
		f.try("list processes", func(ctx context.Context) error {
			list, err := n.Processes(ctx)
			all = append(all, list...)
			return err
		})
	}
	if len(all) != 2*len(f.Nodes) {
		f.tb.Fatalf("%s: processes: %v", f.now(), all)
	}
	return all
}

func allDown(f *spell) {
	f.cutOff, f.recovery = f.Nodes, longer
	f.Excuse(f.Nodes...)
	f.strike(onEach(f.Nodes, (*Node).Kill))
	f.heal(onEach(f.Nodes, (*Node).Start))
	f.limit("writes after all were down", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, 4*Lease)
}

func atOnce(nodes []*Node, do func(n *Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// standbyFirst: what the primary acknowledged alone only it has, so the standby
// that comes back by itself waits for it.
func standbyFirst(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Excuse(primary, standby)
	f.strike(standby.Kill)
	f.alone()
	f.AwaitAcks(f.tb, f.from, f.survive...)
	f.try("kill the primary", primary.Kill)
	f.try("start the standby", standby.Start)
	f.headless(3*Lease, standby.Name)
	f.survive, f.cutOff, f.recovery = nil, f.Nodes, longer
	f.heal(primary.Start)
	f.from = f.until // from here on it must be seen to lead, not before
	f.becomes(primary)
}

func wiped(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Excuse(primary, standby)
	f.strike(standby.lose)
	f.alone()
	f.AwaitAcks(f.tb, f.from, f.survive...)
	f.Hold(primary)
	f.try("hold the copy", primary.HoldCopies)
	f.try("start the standby", standby.Start)
	cluster.Poll(f.tb, upLimit, "the standby has joined the cluster", func(ctx context.Context) error {
		info, err := standby.Info(ctx)
		if err == nil && info.ClusterID == "" {
			err = errors.New("it has not")
		}
		return err
	})
	f.try("kill the primary", primary.Kill)
	if pos, err := standby.Position(f.tb.Context()); err == nil {
		f.tb.Fatalf("%s: the copy is whole already, at %s: nothing was tried", f.now(), pos)
	}
	f.headless(3*Lease, standby.Name)
	f.survive, f.cutOff, f.recovery = nil, f.Nodes, longer
	f.heal(primary.Start)
	f.from = f.until // from here on it must be seen to lead, not before
	f.becomes(primary)
}

// How much room is left on a disk that is full, in pages. Of the last write that begins
// there is room for the journal and not for LiteFS's own file, where each write before
// has taken as much as that file needs.
const (
	noSpare   = 2
	someSpare = 64
)

// diskFull: writers are told what it is, and nothing that was told is lost.
func diskFull(f *spell, spare uint64) {
	primary, standby := f.Primary(f.tb)
	f.cutOff, f.recovery = f.Nodes, longer
	f.Excuse(primary)
	full := f.strike(func(context.Context) error { return primary.Fill(spare) })
	f.tells(full, repo.DiskFull, f.Nodes...)
	f.heal(func(context.Context) error { return primary.Empty() })
	f.limit("writes after the disk has room again", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, 4*Lease)
	f.keepsOrMoves(primary, standby)
}

func wrongSecret(f *spell) {
	primary, _ := f.Primary(f.tb)
	odd := f.Node(Nrt1)
	f.survive, f.cutOff, f.recovery = f.others(odd), []*Node{odd}, longer
	f.Excuse(odd)
	f.Avoid(odd) // what it signs is nothing to the others
	const wrong = "another-secret-another-secret-another"
	transport := repo.NewTransport(wrong)
	defer transport.Close()
	begun := f.strike(func(ctx context.Context) error { return f.Recreate(ctx, odd.Name, "NRT1_SECRET="+wrong) })
	f.Writers[odd.Name].Use(repo.NewClient(odd.Private, transport))
	f.tells(begun, repo.BadSecret, odd)
	f.heal(func(ctx context.Context) error { return f.Recreate(ctx, odd.Name) })
	f.Writers[odd.Name].Use(repo.NewClient(odd.Private, f.transport))
	f.noAcks(begun, odd)
	f.keeps(primary)
}
