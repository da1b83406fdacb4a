package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/test/cluster"
)

// Whole waits until the cluster is as it was before a fault: every node serves,
// one is primary, writes go on everywhere and are on two nodes, and no node is behind.
func (s *Storm) Whole(tb testing.TB) {
	tb.Helper()
	s.awaitReady(tb)
	s.Primary(tb)
	since := s.Ledger.Now()
	s.AwaitAcks(tb, since, s.Nodes...)
	cluster.Poll(tb, upLimit, "writes are on two nodes", func(context.Context) error {
		var last Ask
		for _, a := range s.Ledger.Asks() {
			if a.Outcome == OK && a.Start > since && a.End >= last.End {
				last = a
			}
		}
		if last.Assurance == repo.Alone {
			return errors.New("the primary is alone")
		}
		return nil
	})
	s.awaitRows(tb)
	s.forgive()
}

// awaitRows waits until every node has what is acknowledged by now: an answer to a
// write does not wait for the node's own copy for ever.
func (s *Storm) awaitRows(tb testing.TB) {
	tb.Helper()
	var newest int64
	for _, a := range s.Ledger.Asks() {
		if a.Outcome == OK {
			newest = max(newest, a.Seq)
		}
	}
	been := map[string][]string{}
	cluster.Poll(tb, upLimit, "every node has what is acknowledged", func(ctx context.Context) error {
		return s.arrived(ctx, newest, been)
	})
}

// arrived says which node is not known to have the acknowledged row newest. A number
// alone does not say it: an old primary may have rows that are given up at the same
// numbers. Marks form a chain, so a node that has been at an acknowledged cursor has all
// before it; been has the cursors at which each node was seen, since an answer may come
// after the row.
func (s *Storm) arrived(ctx context.Context, newest int64, been map[string][]string) error {
	for _, n := range s.Nodes {
		var st app.Status
		if err := s.transport.Ask(ctx, n.Private, app.PathStatus, &st); err != nil {
			return err
		}
		if st.Seq >= newest && !slices.Contains(been[n.Name], st.Mark) {
			been[n.Name] = append(been[n.Name], st.Mark)
		}
	}
	acked := map[string]bool{}
	for _, a := range s.Ledger.Asks() {
		acked[a.Cursor] = acked[a.Cursor] || a.Outcome == OK
	}
	for _, n := range s.Nodes {
		if !slices.ContainsFunc(been[n.Name], func(cursor string) bool { return acked[cursor] }) {
			return fmt.Errorf("row %d is not known to be on %s, which was at %v", newest, n.Name, been[n.Name])
		}
	}
	return nil
}

// Quiet stops the writers, asks once more for what is unknown, waits until all
// copies are equal, and checks everything.
func (s *Storm) Quiet(tb testing.TB) {
	tb.Helper()
	var hush sync.WaitGroup
	for _, w := range s.Writers {
		hush.Go(w.Hush)
	}
	hush.Wait()
	for write, ok := s.Board.Open(); ok; write, ok = s.Board.Open() {
		w := s.Writers[s.Nodes[s.rng.IntN(len(s.Nodes))].Name]
		s.Board.Told(write, w.Ask(tb.Context(), write, patient))
	}
	start := s.Ledger.Now()
	s.awaitEqual(tb)
	var copies []*Copy
	for _, n := range s.Nodes {
		c, err := n.Copy(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		copies = append(copies, c)
	}
	s.check(tb, copies, start)
}

func (s *Storm) awaitEqual(tb testing.TB) {
	tb.Helper()
	cluster.Poll(tb, quietLimit, "all copies are at one position", func(ctx context.Context) error {
		first := ""
		for _, n := range s.Nodes {
			pos, err := n.Position(ctx)
			if err != nil {
				return err
			}
			if first == "" {
				first = pos
			}
			if pos != first {
				return fmt.Errorf("%s is at %s, %s at %s", s.Nodes[0].Name, first, n.Name, pos)
			}
		}
		return nil
	})
}

// check asks every question there is.
func (s *Storm) check(tb testing.TB, copies []*Copy, start time.Duration) {
	tb.Helper()
	asks := s.Ledger.Asks()
	ops, err := Merge(asks)
	if err != nil {
		tb.Fatal(err)
	}
	all := s.Sights() // what was seen before an earlier fault must not be unseen now
	sights := all[s.checked:]
	s.checked = len(all)
	errs := []error{s.onePrimary(), CheckCopies(copies), CheckAnswers(asks), CheckSights(all, ops)}
	for _, c := range copies {
		errs = append(errs, CheckCopy(c, ops))
	}
	errs = append(errs, CheckRegisters(ops, copies[0].Looks(start, s.Ledger.Now()), checkLimit))
	for i, n := range s.Nodes {
		errs = append(errs, s.socketEqual(tb, s.Sockets[n.Name], copies[i]))
	}
	errs = append(errs, s.unheard(asks))
	if err := errors.Join(errs...); err != nil {
		s.keepSights(tb)
		tb.Fatalf("after %s:\n%v", s.now(), err)
	}
	for i := range sights {
		if v := &sights[i]; v.late() {
			tb.Log(v.lateness())
		}
	}
	tb.Logf("%s: %s", s.now(), s.sum(ops, asks, sights))
	s.rested, s.heardBy = s.Ledger.Now(), s.hear()
}

// hear is what each node's socket had by now.
func (s *Storm) hear() map[string]heard {
	all := map[string]heard{}
	for name, k := range s.Sockets {
		all[name] = k.heard()
	}
	return all
}

// unheard finds the sockets to which nothing has come since all was at rest, although
// there was something to tell. After a fault it may be a new page instead of changes: too
// much was missed, or the history was rewritten.
func (s *Storm) unheard(asks []Ask) error {
	if !slices.ContainsFunc(asks, func(a Ask) bool { return a.Outcome == OK && !a.Replayed && a.Start > s.rested }) {
		return nil
	}
	var wrong []string
	for name, now := range s.hear() {
		if now == s.heardBy[name] {
			wrong = append(wrong, fmt.Sprintf("the socket on %s has got neither a change nor a new page, and posts were written", name))
		}
	}
	return problems("sockets", wrong)
}

// awaitChanges waits until each node's socket has been told of a change. A new page
// in the place of each would leave it with the same state, and is not what it is for: once
// nothing is wrong, and somebody writes, changes must come.
func (s *Storm) awaitChanges(tb testing.TB) {
	tb.Helper()
	before := s.hear()
	cluster.Poll(tb, upLimit, "each socket is told of a change", func(context.Context) error { return s.untold(before) })
}

// untold finds the sockets that have been told of no change since.
func (s *Storm) untold(before map[string]heard) error {
	var wrong []string
	for name, now := range s.hear() {
		if was := before[name]; now.frames == was.frames {
			wrong = append(wrong, fmt.Sprintf("the socket on %s is told of no change, and got %d new pages", name, now.loads-was.loads))
		}
	}
	return problems("sockets", wrong)
}

func (s *Storm) onePrimary() error {
	if both := s.Roles.Both(); both > twoPrimaries {
		return fmt.Errorf("two nodes were primary at once for %s", both)
	}
	return nil
}

// socketEqual waits for the last frame, and returns how the node's copy, its page and
// its socket differ then.
func (s *Storm) socketEqual(tb testing.TB, socket *Socket, c *Copy) error {
	tb.Helper()
	var err error
	limit := time.Now().Add(quietLimit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = socket.Equal(tb.Context(), c); err == nil || time.Now().After(limit) {
			return err
		}
		<-tick.C
	}
}
