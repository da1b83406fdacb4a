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

// A case is a schedule that a storm meets only by luck. Nobody else writes meanwhile.

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

// Blog runs `blog post new` on a node and returns its exit code and answer, noted in
// the ledger.
func (s *Storm) Blog(tb testing.TB, n *Node, w Write, limit time.Duration) (Told, int) {
	tb.Helper()
	note := s.Ledger.Begin(Ask{Fault: s.now(), Node: n.Name, Key: w.Key, Kind: w.Kind, Post: w.Post, Limit: limit})
	text := Title(w.Post, 1, w.Key)
	const script = `printf %s "$1" | blog post new --title "$1" --key "$2" --timeout "$3" --json -; echo "$?"`
	out, err := n.Exec(tb.Context(), "bash", "-c", script, "-", text, w.Key, limit.String())
	if err != nil {
		tb.Fatal(err)
	}
	answer, status, _ := strings.Cut(strings.TrimSpace(out), "\n")
	code, err := strconv.Atoi(strings.TrimSpace(status))
	var p printed
	if err = errors.Join(err, json.Unmarshal([]byte(answer), &p)); err != nil {
		tb.Fatalf("blog on %s printed %q: %v", n.Name, out, err)
	}
	told := Told{Outcome: OK, PostID: p.Post.ID, Slug: p.Post.Slug, Revision: p.Post.Revision, Cursor: p.Cursor, Seq: p.Seq, Replayed: p.Replayed}
	if p.Error != nil {
		told = Told{Outcome: Refused, Reason: p.Error.Reason, Message: p.Error.Message}
		if code == 3 {
			told.Outcome = Unknown
		}
	}
	s.Ledger.End(note, told)
	return told, code
}

// HeldBack is the case of a write that the primary has and the standby has not: it
// is not acknowledged, and with the same key it is once the standby has it. It
// takes a cluster with DURABILITY=strict.
func (s *Storm) HeldBack(tb testing.TB) {
	tb.Helper()
	s.begin("case 1")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	w := Write{Key: "held", Kind: Create, Post: "held"}
	s.Hold(standby)
	f.try("hold replication", standby.HoldReplication)
	told, code := s.Blog(tb, s.Node(Nrt1), w, 12*time.Second)
	if code != 3 || told.Outcome != Unknown {
		tb.Fatalf("case 1: exit %d, %+v, want 3 and unknown", code, told)
	}
	c, err := primary.Copy(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if !slices.ContainsFunc(c.Writes, func(r WriteRow) bool { return r.Key == w.Key }) {
		tb.Fatalf("case 1: %s has no row of the key: nothing was tried", primary.Name)
	}
	// Replication alone is held: the standby's blog lives, and reports.
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
	f.try("release it", standby.Heal)
	told, code = s.Blog(tb, s.Node(Nrt1), w, patient)
	if code != 0 || !told.Replayed {
		tb.Fatalf("case 1: after the release exit %d, %+v, want 0 and replayed", code, told)
	}
	s.Quiet(tb)
}

// Discarded is the case of two writes that the standby has not when the primary dies,
// asked again in the other order, after a third. The old primary comes back with rows that
// never were. Where seen, the nodes that may not lead have them as well: they have shown
// them, and go in one step to a history that has as many others in their place, so the
// last is asked again once that is checked.
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
		key := fmt.Sprintf("%sk%d", strings.ReplaceAll(name, " ", ""), i+1) // letters and digits, as a title is read
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
	s.Quiet(tb) // at rest: no further write makes up for what is wrong now
	cluster.Poll(tb, ackLimit, "the sockets where rows were given up are told to begin again", func(context.Context) error {
		for _, n := range losers {
			if s.Sockets[n.Name].Resyncs() == resyncs[n.Name] {
				return fmt.Errorf("that on %s is not", n.Name)
			}
		}
		return nil
	})
	if seen {
		f.fresh(standby, k[0])
	}
	s.awaitTwo(tb)
	s.Quiet(tb)
	s.forgive()
}

// unknown asks for writes on a node, at once: none of them is acknowledged.
func (f *spell) unknown(n *Node, writes ...Write) {
	f.tb.Helper()
	var asks sync.WaitGroup
	outcomes := make([]Told, len(writes))
	for i, w := range writes {
		asks.Go(func() { outcomes[i] = f.Writers[n.Name].Ask(f.tb.Context(), w, 2*time.Second) })
	}
	asks.Wait()
	for i, told := range outcomes {
		if told.Outcome != Unknown {
			f.tb.Fatalf("%s: %s is told as %s: %s", f.now(), writes[i].Key, told.Outcome, told.Message)
		}
	}
}

// have waits until the writes are on each of the nodes.
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

// fresh asks for writes on a node, one after the other: each is done there and then.
func (f *spell) fresh(n *Node, writes ...Write) {
	f.tb.Helper()
	for _, w := range writes {
		told := f.Writers[n.Name].Ask(f.tb.Context(), w, patient)
		if told.Outcome != OK || told.Replayed {
			f.tb.Fatalf("%s: %s on the new primary is told as %s (replayed: %t): %s", f.now(), w.Key, told.Outcome, told.Replayed, told.Message)
		}
	}
}

// AtOnce is the case of one key that is sent at once to two nodes while the primary
// dies: there is one row. Of the pairs that are sent before, the primary alone has a row:
// nobody can have confirmed it, so both nodes wait for their answer when it dies.
func (s *Storm) AtOnce(tb testing.TB) {
	tb.Helper()
	s.begin("case 4")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	s.Excuse(primary)
	s.Hold(s.others(primary)...)
	f.try("hold the stream", primary.HoldStream) // it goes with the container
	nodes := []*Node{s.Node(Iad1), s.Node(Nrt1)}
	const before, all = 2, 4
	var asks sync.WaitGroup
	var pairs [all]Write
	var here, there [all]Told
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
	s.Quiet(tb)
	s.forgive()
}

// waiting says which of the writes were not asked for on which of the nodes, or have been
// answered.
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

// awaitTwo waits until a write on each node is acknowledged on two nodes.
func (s *Storm) awaitTwo(tb testing.TB) {
	tb.Helper()
	cluster.Poll(tb, upLimit, "writes are on two nodes", func(ctx context.Context) error {
		for _, n := range s.Nodes {
			key := fmt.Sprintf("%swarm%d", n.Name, len(s.Ledger.Asks()))
			told := s.Writers[n.Name].Ask(ctx, Write{Key: key, Kind: Create, Post: key}, patient)
			if told.Outcome != OK || told.Assurance != "two" {
				return fmt.Errorf("on %s it is %s with durability %q: %s", n.Name, told.Outcome, told.Assurance, told.Message)
			}
		}
		return nil
	})
}
