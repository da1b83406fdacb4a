package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/app"
	"blog/test/cluster"
)

// A case is a schedule of events that a storm meets only by luck. There are no other writers in it.

// printed is what `blog post new --json` prints.
type printed struct {
	Seq      int64
	Cursor   string
	Replayed bool
	Post     struct {
		ID       int64
		Slug     string
		Revision int64
	}
	Error *struct{ Reason, Message, Key string }
}

// Blog runs `blog post new` on a node. It returns the answer, which it notes in the ledger, and the
// exit code.
func (s *Storm) Blog(tb testing.TB, n *Node, w Write, limit time.Duration) (Answer, int) {
	tb.Helper()
	note := s.Ledger.Begin(Ask{Fault: s.now(), Node: n.Name, Key: w.Key, Kind: w.Kind, Post: w.Post, Limit: limit})
	text := Title(w.Post, 1, w.Key)
	const script = `printf %s "$1" |
		blog post new --title "$1" --key "$2" --timeout "$3" --slug "$4" --tag "$5" --json -; echo "$?"`
	out, err := n.Exec(tb.Context(), "bash", "-c", script, "-", text, w.Key, limit.String(), w.Post, Tag(w.Key))
	if err != nil {
		tb.Fatal(err)
	}
	first, status, _ := strings.Cut(strings.TrimSpace(out), "\n")
	code, err := strconv.Atoi(strings.TrimSpace(status))
	var p printed
	if err = errors.Join(err, json.Unmarshal([]byte(first), &p)); err != nil {
		tb.Fatalf("blog on %s printed %q: %v", n.Name, out, err)
	}
	answer := Answer{Outcome: OK, PostID: p.Post.ID, Slug: p.Post.Slug, Revision: p.Post.Revision, Cursor: p.Cursor,
		Seq: p.Seq, Replayed: p.Replayed}
	if p.Error != nil {
		answer = Answer{Outcome: Refused, Reason: p.Error.Reason, Message: p.Error.Message}
		if code == 3 {
			answer.Outcome = Unknown
		}
	}
	s.Ledger.End(note, answer)
	return answer, code
}

// HeldBack is the case of a write that the primary has and the standby has not: it is not
// acknowledged. Asked for again with the same key, it is acknowledged once the standby has it. The
// cluster needs DURABILITY=strict.
func (s *Storm) HeldBack(tb testing.TB) {
	tb.Helper()
	s.begin("case 1")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	w := Write{Key: "held", Kind: Create, Post: "held"}
	s.Hold(standby)
	f.try("hold replication", standby.HoldReplication)
	answer, code := s.Blog(tb, s.Node(Nrt1), w, 12*time.Second)
	if code != 3 || answer.Outcome != Unknown {
		tb.Fatalf("case 1: exit %d, %+v, want 3 and unknown", code, answer)
	}
	c, err := primary.Copy(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if !slices.ContainsFunc(c.Writes, func(r WriteRow) bool { return r.Key == w.Key }) {
		tb.Fatalf("case 1: %s has no row of the key: nothing was tried", primary.Name)
	}
	// Only replication is held: the standby's blog runs and reports.
	var st app.Status
	if err := s.transport.Ask(tb.Context(), primary.Private, app.PathStatus, &st); err != nil {
		tb.Fatal(err)
	}
	const lost = 2000 // ms without a report
	reports := false
	for _, n := range st.Nodes {
		reports = reports || n.Node == standby.Name && n.Heard < lost
	}
	if !reports {
		tb.Fatalf("case 1: %s does not report: %+v", standby.Name, st.Nodes)
	}
	if now, _ := s.Primary(tb); now != primary {
		tb.Fatalf("case 1: the role went from %s to %s", primary.Name, now.Name)
	}
	f.struckAll()
	f.try("release it", standby.Heal)
	answer, code = s.Blog(tb, s.Node(Nrt1), w, patient)
	if code != 0 || !answer.Replayed {
		tb.Fatalf("case 1: after the release exit %d, %+v, want 0 and replayed", code, answer)
	}
	s.AwaitIdle(tb)
}

// Discarded is the case of two writes that the standby has not when the primary dies. They are
// asked for again in the other order, after a third one. The old primary comes back with rows that
// are discarded. With seen, the nodes that may not become primary have these rows too and have
// shown them: they go in one step to a history with as many other rows in their place, so the last
// write is asked for only after that is checked.
func (s *Storm) Discarded(tb testing.TB, name string, seen bool) {
	tb.Helper()
	s.begin(name)
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	losers := []*Node{primary}
	if seen {
		losers = s.others(standby)
	}
	resyncs := map[string]int{}
	for _, n := range losers {
		resyncs[n.Name] = s.Sockets[n.Name].Resyncs()
	}
	s.Hold(s.others(primary)...)
	f.try("hold the standby's replication", standby.HoldReplication)
	if !seen {
		f.try("hold the stream", primary.HoldStream)
	}
	var k [3]Write
	for i := range k {
		key := fmt.Sprintf("%sk%d", strings.ReplaceAll(name, " ", ""), i+1) // letters and digits, since titles are parsed
		k[i] = Write{Key: key, Kind: Create, Post: key}
	}
	f.unknown(primary, k[0], k[1])
	replicas := s.others(primary, standby)
	if seen {
		f.have(replicas, k[0], k[1])
		f.try("hold the replicas' replication", func(ctx context.Context) error {
			return atOnce(replicas, func(n *Node) error { return n.HoldReplication(ctx) })
		})
	}
	f.struckAll()
	s.Excuse(primary)
	f.try("kill", primary.Kill)
	if seen {
		f.try("release the standby", standby.Heal)
	}
	f.becomes(standby)
	f.fresh(standby, k[2], k[1])
	if !seen {
		f.fresh(standby, k[0])
		f.try("release the standby", standby.Heal)
	}
	f.try("release the replicas", func(ctx context.Context) error {
		return atOnce(replicas, func(n *Node) error { return n.Heal(ctx) })
	})
	f.try("start", primary.Start)
	s.awaitReady(tb)
	s.AwaitIdle(tb) // idle first, since a further write could repair what is wrong now
	f.beganAgain(losers, resyncs)
	if seen {
		f.fresh(standby, k[0])
	}
	s.awaitTwo(tb)
	s.AwaitIdle(tb)
	s.forgive()
}

// beganAgain waits until the socket on each of the nodes was told to begin again, more often than before.
func (f *spell) beganAgain(nodes []*Node, before map[string]int) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, "the sockets where rows were given up are told to begin again",
		func(context.Context) error {
			for _, n := range nodes {
				if f.Sockets[n.Name].Resyncs() == before[n.Name] {
					return fmt.Errorf("that on %s is not", n.Name)
				}
			}
			return nil
		})
}

// unknown asks for writes on a node at the same time. None of them is acknowledged.
func (f *spell) unknown(n *Node, writes ...Write) {
	f.tb.Helper()
	var asks sync.WaitGroup
	outcomes := make([]Answer, len(writes))
	for i, w := range writes {
		asks.Go(func() { outcomes[i] = f.Writers[n.Name].Ask(f.tb.Context(), w, 2*time.Second) })
	}
	asks.Wait()
	for i, answer := range outcomes {
		if answer.Outcome != Unknown {
			f.tb.Fatalf("%s: %s is told as %s: %s", f.now(), writes[i].Key, answer.Outcome, answer.Message)
		}
	}
}

// have waits until each of the nodes has the writes. Few writes may come meanwhile: Copy copies the whole file.
func (f *spell) have(nodes []*Node, writes ...Write) {
	f.tb.Helper()
	for _, n := range nodes {
		cluster.Poll(f.tb, ackLimit, n.Name+" has the writes", func(ctx context.Context) error {
			c, err := n.Copy(ctx)
			if err != nil {
				return err
			}
			for _, w := range writes {
				if !slices.ContainsFunc(c.Writes, func(r WriteRow) bool { return r.Key == w.Key }) {
					return fmt.Errorf("%s is not there", w.Key)
				}
			}
			return nil
		})
	}
}

// fresh asks for writes on a node, one after the other. Each is carried out for the first time.
func (f *spell) fresh(n *Node, writes ...Write) {
	f.tb.Helper()
	for _, w := range writes {
		answer := f.Writers[n.Name].Ask(f.tb.Context(), w, patient)
		if answer.Outcome != OK || answer.Replayed {
			f.tb.Fatalf("%s: %s on the new primary is told as %s (replayed: %t): %s", f.now(), w.Key, answer.Outcome,
				answer.Replayed, answer.Message)
		}
	}
}

// AtOnce is the case of one key that is sent to two nodes at the same time while the primary dies:
// there is one row. Of the pairs that are sent earlier only the primary has a row. No node can have
// confirmed it, so both nodes still wait for their answer when the primary dies.
func (s *Storm) AtOnce(tb testing.TB) {
	tb.Helper()
	s.begin("case 4")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	s.Excuse(primary)
	s.Hold(s.others(primary)...)
	f.try("hold the stream", primary.HoldStream) // the end of the container ends it
	nodes := []*Node{s.Node(Iad1), s.Node(Nrt1)}
	const before, all = 2, 4
	var asks sync.WaitGroup
	var pairs [all]Write
	var here, there [all]Answer
	send := func(i int) {
		asks.Go(func() { here[i] = s.Writers[nodes[0].Name].Ask(tb.Context(), pairs[i], patient) })
		asks.Go(func() { there[i] = s.Writers[nodes[1].Name].Ask(tb.Context(), pairs[i], patient) })
	}
	for i := range pairs {
		name := fmt.Sprintf("pair%d", i)
		pairs[i] = Write{Key: name, Kind: Create, Post: name}
	}
	for i := range before {
		send(i)
	}
	f.have([]*Node{primary}, pairs[:before]...)
	cluster.Poll(tb, ackLimit, "both nodes wait for an answer", func(context.Context) error {
		return waiting(s.Ledger.Asks(), nodes, pairs[:before]...)
	})
	f.struckAll()
	f.try("kill", primary.Kill)
	for i := before; i < all; i++ {
		send(i)
	}
	asks.Wait()
	f.becomes(standby)
	for i, a := range here {
		b := there[i]
		if a.Outcome != OK || b.Outcome != OK || a.Cursor != b.Cursor {
			tb.Fatalf("case 4: one key on two nodes is told as %+v and %+v", a, b)
		}
	}
	f.try("start", primary.Start)
	s.awaitReady(tb)
	s.awaitTwo(tb)
	s.AwaitIdle(tb)
	s.forgive()
}

// waiting returns an error that names the writes that were not asked for on one of the nodes, or
// have been answered.
func waiting(asks []Ask, nodes []*Node, writes ...Write) error {
	var wrong []string
	for _, n := range nodes {
		for _, w := range writes {
			i := slices.IndexFunc(asks, func(a Ask) bool { return a.Node == n.Name && a.Key == w.Key })
			switch {
			case i < 0:
				wrong = append(wrong, fmt.Sprintf("%s is not asked for on %s", w.Key, n.Name))
			case asks[i].Outcome != Pending:
				wrong = append(wrong, fmt.Sprintf("%s is told as %s (%s)", w.Key, asks[i].Outcome, at(asks[i])))
			}
		}
	}
	return problems("waiting", wrong)
}

// awaitTwo waits until a write on each node is acknowledged by two nodes.
func (s *Storm) awaitTwo(tb testing.TB) {
	tb.Helper()
	cluster.Poll(tb, upLimit, "writes are on two nodes", func(ctx context.Context) error {
		for _, n := range s.Nodes {
			key := fmt.Sprintf("%swarm%d", n.Name, len(s.Ledger.Asks()))
			answer := s.Writers[n.Name].Ask(ctx, Write{Key: key, Kind: Create, Post: key}, patient)
			if answer.Outcome != OK || answer.Assurance != "two" {
				return fmt.Errorf("on %s it is %s with durability %q: %s", n.Name, answer.Outcome, answer.Assurance, answer.Message)
			}
		}
		return nil
	})
}
