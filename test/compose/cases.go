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
	if err := errors.Join(err, json.Unmarshal([]byte(answer), &p)); err != nil {
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

// Discarded is the case of two writes that only the primary has when it dies, asked
// again in the other order: the old primary comes back with rows that never were.
func (s *Storm) Discarded(tb testing.TB) {
	tb.Helper()
	s.begin("case 2")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	others := s.others(primary)
	resyncs := s.Sockets[primary.Name].Resyncs()
	s.Hold(others...)
	f.try("hold replication", func(ctx context.Context) error {
		return atOnce(others, func(n *Node) error { return n.HoldReplication(ctx) })
	})
	var asks sync.WaitGroup
	k := []Write{{Key: "k1", Kind: Create, Post: "k1"}, {Key: "k2", Kind: Create, Post: "k2"}, {Key: "k3", Kind: Create, Post: "k3"}}
	outcomes := make([]Told, 2)
	for i := range outcomes {
		asks.Go(func() { outcomes[i] = s.Writers[primary.Name].Ask(tb.Context(), k[i], 2*time.Second) })
	}
	asks.Wait()
	for i, told := range outcomes {
		if told.Outcome != Unknown {
			tb.Fatalf("case 2: %s is told as %s: %s", k[i].Key, told.Outcome, told.Message)
		}
	}
	s.Excuse(primary)
	f.try("kill", primary.Kill)
	f.try("release", func(ctx context.Context) error { return atOnce(others, func(n *Node) error { return n.Heal(ctx) }) })
	f.becomes(standby)
	for _, w := range []Write{k[2], k[1], k[0]} {
		told := s.Writers[standby.Name].Ask(tb.Context(), w, patient)
		if told.Outcome != OK || told.Replayed {
			tb.Fatalf("case 2: %s on the new primary is told as %s (replayed: %t): %s", w.Key, told.Outcome, told.Replayed, told.Message)
		}
	}
	f.try("start", primary.Start)
	s.awaitReady(tb)
	s.awaitTwo(tb)
	s.Quiet(tb)
	cluster.Poll(tb, ackLimit, "the socket on the old primary is told to begin again", func(context.Context) error {
		if s.Sockets[primary.Name].Resyncs() == resyncs {
			return errors.New("it is not")
		}
		return nil
	})
	s.forgive()
}

// AtOnce is the case of one key that is sent at once to two nodes while the primary
// dies: there is one row.
func (s *Storm) AtOnce(tb testing.TB) {
	tb.Helper()
	s.begin("case 3")
	s.awaitTwo(tb)
	primary, standby := s.Primary(tb)
	f := s.spell(tb)
	s.Excuse(primary)
	var asks sync.WaitGroup
	// Pairs with one key, some before and some after the primary is dead.
	var here, there [4]Told
	for i := range here {
		name := fmt.Sprintf("pair%d", i)
		w := Write{Key: name, Kind: Create, Post: name}
		if i == len(here)/2 {
			f.try("kill", primary.Kill)
		}
		asks.Go(func() { here[i] = s.Writers[Iad1].Ask(tb.Context(), w, patient) })
		asks.Go(func() { there[i] = s.Writers[Nrt1].Ask(tb.Context(), w, patient) })
	}
	asks.Wait()
	f.becomes(standby)
	for i, a := range here {
		b := there[i]
		if a.Outcome != OK || b.Outcome != OK || a.Cursor != b.Cursor {
			tb.Fatalf("case 3: one key on two nodes is told as %+v and %+v", a, b)
		}
	}
	f.try("start", primary.Start)
	s.awaitReady(tb)
	s.awaitTwo(tb)
	s.Quiet(tb)
	s.forgive()
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
