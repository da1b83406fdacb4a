package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// Fault is one thing that goes wrong, and what must happen then.
type Fault struct {
	Name string
	do   func(f *spell)
}

// Faults returns the faults of a run, in their order.
func Faults() []Fault {
	return append([]Fault{
		{"a. none", none},
		{"b. kill -9 of the primary's container", killed},
		{"c. kill -9 of blog serve", func(f *spell) { processKilled(f, "serve") }},
		{"c. kill -9 of blog mount", func(f *spell) { processKilled(f, "mount") }},
		{"d. SIGTERM to the primary", stopped},
		{"e. the primary cut off from all", primaryCutOff},
		{"e. the primary unplugged from its network", primaryUnplugged},
		{"f. a replica cut off from all", func(f *spell) {
			f.long = 2 * Lease
			bystanders(f.Node(Nrt1),
				cutOff(f.Node(Nrt1))).only(f)
		}},
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
		{"p. kill -9 of Consul's leader", func(f *spell) { f.consulFault(killOfLeader) }},
		{"p. Consul's leader cut off from the other servers", func(f *spell) { f.consulFault(leaderFromServers) }},
		{"q. Consul restored from a snapshot", consulRestored},
	}, moreFaults()...)
}

// Run waits until the cluster is whole, runs one fault, waits until the cluster is whole again, and runs all checks.
func (s *Storm) Run(tb testing.TB, fault Fault) {
	tb.Helper()
	l := newLaps()
	s.begin("before " + fault.Name)
	s.Go()
	s.Whole(tb)
	l.end("before it")
	s.begin(fault.Name)
	f := s.spell(tb)
	fault.do(f)
	l.end("the fault")
	s.after(f, fault.Name, l)
}

// none checks, without a fault, that a post written on any node is seen on every node.
func none(f *spell) {
	f.survive = f.Nodes
	f.struck = f.from
	f.until = f.from
	for _, n := range f.Nodes {
		w := f.Writers[n.Name]
		write := Write{Key: n.Name + "seen", Kind: Create, Post: n.Name + "seen"}
		answer := w.Ask(f.tb.Context(), write, patient)
		if answer.Outcome != OK {
			f.tb.Fatalf("a write on %s: %s", n.Name, answer.Message)
		}
		for _, other := range f.Nodes {
			cluster.Poll(f.tb, ackLimit, "a post written on "+n.Name+" is seen on "+other.Name, func(ctx context.Context) error {
				body, err := fetch(ctx, other.Public+"/posts/"+answer.Slug)
				if err == nil && !slices.Contains(ShownIn(string(body)), Shown{write.Post, 1, write.Key}) {
					err = errors.New("the page does not show it")
				}
				return err
			})
		}
	}
}

// killed kills the primary's container.
func killed(f *spell) {
	primary, _ := f.Primary(f.tb)
	dies(f, primary, &injection{name: "kill", inject: primary.Kill, undo: primary.Start})
}

// dies ends the primary by the injection b, and checks that the standby becomes primary in time.
func dies(f *spell, primary *Node, b *injection) {
	_, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	dead := f.strike(b.inject)
	f.becomes(standby)
	f.limit("no writer after a "+b.name, f.AwaitAcks(f.tb, dead, f.survive...)-dead, 2*Lease)
	f.heal(b.undo)
}

// processKilled kills the process of the primary with this name. The node starts it again by itself, and stays primary
// or not.
func processKilled(f *spell, name string) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	dead := f.strike(func(ctx context.Context) error { return primary.KillProcess(ctx, name) })
	f.limit("no writer after a kill of "+name, f.AwaitAcks(f.tb, dead, f.survive...)-dead, 2*Lease)
	f.heal(func(context.Context) error { return nil })
	f.staysOrMoves(primary, standby)
}

// leaving is how long a node may take to end, and handOff how long no write may be acknowledged meanwhile.
const (
	leaving = 8 * time.Second
	handOff = 2 * time.Second
)

// stopped sends SIGTERM to the primary, which hands its role to the standby before it ends.
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

// primaryCutOff cuts the primary off from all other nodes and from Consul. It steps down, and acknowledges nothing.
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

// primaryUnplugged disconnects the primary's container from its network. Nobody can reach its ports then, so a write is
// asked for inside the container, by the command line.
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

// refusesWithin checks that a write that is asked for inside a node's container is not acknowledged.
func (f *spell) refusesWithin(n *Node) {
	f.tb.Helper()
	name := fmt.Sprintf("inside%d", len(f.Ledger.Asks()))
	answer, code := f.Blog(f.tb, n, Write{Key: name, Kind: Create, Post: name}, 2*Lease)
	if code != 3 || answer.Outcome == OK {
		f.tb.Fatalf("%s: a write on %s ended with %d: %+v", f.now(), n.Name, code, answer)
	}
}

// pairCut cuts the connection between the primary and the standby. The primary goes on alone.
func pairCut(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Hold(standby)
	cut := f.strike(func(ctx context.Context) error { return primary.CutFrom(ctx, standby) })
	f.alone()
	f.AwaitAcks(f.tb, cut, f.survive...)
	f.heal(primary.Heal)
	f.staysPrimary(primary)
}

// consulCut cuts the primary off from Consul, so that it loses its lease. The other nodes still reach it.
func consulCut(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	cut := f.strike(func(ctx context.Context) error { return primary.CutFrom(ctx, f.Node(Consul)) })
	f.limit("a primary without Consul steps down", f.stepsDown(primary)-cut, Lease)
	f.Hold(primary) // only from here on: it does not learn which node is primary now, and rows do not reach it
	// It may acknowledge until it steps down, since it is primary and can be reached.
	f.AwaitAcks(f.tb, f.becomes(standby), f.survive...)
	f.limit("no writer meanwhile", f.silence(cut), 3*Lease)
	f.heal(primary.Heal)
}

// paused freezes the primary for longer than its lease. Once it runs again it must say that it is not primary.
func paused(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	frozen := f.strike(primary.Pause)
	f.becomes(standby)
	f.limit("the other writes", f.AwaitAcks(f.tb, frozen, f.survive...)-frozen, 3*Lease)
	f.heal(primary.Unpause)
	f.denies(primary, f.Ledger.Now())
}

// consulAway pauses Consul, and then stops it and starts it again.
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

// consulGone makes Consul unavailable. Once the lease is over no node is primary, so no write is acknowledged. Readers
// are served as before, and no process ends.
func consulGone(f *spell, inject, undo func(ctx context.Context) error, limit time.Duration) {
	before, addresses := f.processes(), f.consulAddresses()
	f.cutOff, f.recovery = f.Nodes, longer
	f.strike(inject)
	f.lasts(f.struck, f.long)
	if f.long >= 2*Lease {
		f.headless(time.Second)
	}
	f.heal(undo)
	f.limitOfStart("writes after Consul was away", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, limit)
	if after := f.processes(); !slices.Equal(before, after) {
		f.tb.Errorf("%s: processes were %v and are %v", f.now(), before, after)
	}
	if after := f.consulAddresses(); !slices.Equal(addresses, after) {
		f.tb.Errorf("%s: the addresses of Consul's servers were %v and are %v", f.now(), addresses, after)
	}
}

// consulAddresses returns the addresses of Consul's servers. They are fixed (freeSubnet).
func (f *spell) consulAddresses() []string {
	f.tb.Helper()
	var all []string
	for _, server := range f.consul.servers {
		f.try("look up an address", func(ctx context.Context) error {
			addr, err := server.inspect(ctx, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
			all = append(all, addr)
			return err
		})
	}
	return all
}

// processes returns the processes of the blog on all nodes. There must be two on each.
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

// allDown kills the containers of all nodes, and starts them again.
func allDown(f *spell) {
	downAndUp(f, &injection{
		victims: f.Nodes, inject: onEach(f.Nodes, (*Node).Kill), undo: onEach(f.Nodes, (*Node).Start),
	})
}

// downAndUp ends both candidates by the injection b. No write can be acknowledged until one has started again.
func downAndUp(f *spell, b *injection) {
	f.cutOff, f.recovery = f.Nodes, longer
	f.Excuse(b.victims...)
	f.strike(b.inject)
	f.heal(b.undo)
	f.limitOfStart("writes after all were down", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, 4*Lease)
}

// atOnce calls do for all nodes at the same time, and returns all errors.
func atOnce(nodes []*Node, do func(n *Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// standbyFirst kills the standby, then the primary, and starts the standby first. It must not become primary, because
// it lacks what the primary has acknowledged alone meanwhile.
func standbyFirst(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Excuse(primary, standby)
	f.strike(standby.Kill)
	f.alone()
	f.AwaitAcks(f.tb, f.from, f.survive...)
	f.try("kill the primary", primary.Kill)
	f.try("start the standby", standby.Start)
	f.comesBack(primary, standby)
}

// wiped kills the standby and removes its data, and kills the primary while the standby receives its copy. The standby
// must not become primary with a part of the copy.
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
	f.struckAll() // before the kill, which ends the rule that holds the copy
	f.try("kill the primary", primary.Kill)
	if pos, err := standby.Position(f.tb.Context()); err == nil {
		f.tb.Fatalf("%s: the copy is whole already, at %s: nothing was tried", f.now(), pos)
	}
	f.comesBack(primary, standby)
}

// How much room is left on a disk that is full, in pages. With noSpare there is room for hardly anything. With
// someSpare, some more writes are committed, and the last one that begins has room for its journal and none for
// LiteFS's file of the transaction, so that it fails at its commit.
const (
	noSpare   = 2
	someSpare = 64
)

// diskFull fills the primary's disk, except for spare pages. Writers must be told that the disk is full.
func diskFull(f *spell, spare uint64) {
	primary, standby := f.Primary(f.tb)
	f.cutOff, f.recovery = f.Nodes, longer
	f.Excuse(primary)
	full := f.strike(func(context.Context) error { return primary.Fill(spare) })
	f.awaitReason(full, apperr.DiskFull, f.Nodes...)
	f.heal(func(context.Context) error { return primary.Empty() })
	f.limit("writes after the disk has room again", f.AwaitAcks(f.tb, f.until, f.Nodes...)-f.until, 4*Lease)
	f.staysOrMoves(primary, standby)
}

// wrongSecret starts a replica with another secret than the other nodes have. It must acknowledge nothing.
func wrongSecret(f *spell) {
	primary, _ := f.Primary(f.tb)
	odd := f.Node(Nrt1)
	f.survive, f.cutOff, f.recovery = f.others(odd), []*Node{odd}, longer
	f.Excuse(odd)
	f.Avoid(odd) // other nodes do not accept the cookies that it signs
	const wrong = "another-secret-another-secret-another"
	transport := transport.NewClient(wrong)
	defer transport.Close()
	begun := f.strike(func(ctx context.Context) error { return f.Recreate(ctx, odd.Name, "NRT1_SECRET="+wrong) })
	f.Writers[odd.Name].Use(repo.NewClient(odd.Private, transport))
	f.awaitReason(begun, apperr.BadSecret, odd)
	f.heal(func(ctx context.Context) error { return f.Recreate(ctx, odd.Name) })
	f.Writers[odd.Name].Use(repo.NewClient(odd.Private, f.transport))
	f.noAcks(begun, odd)
	f.staysPrimary(primary)
}
