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

// Whole waits until the cluster is as before a fault: every node serves, one is primary, writes are
// acknowledged on all nodes and are on two, no node is behind, and Consul's three servers agree. It
// returns when all but the last was so: the blog needs two servers, and how long the third takes is
// a matter of Consul's.
func (s *Storm) Whole(tb testing.TB) time.Duration {
	tb.Helper()
	s.Board.Schedule(false) // scheduled posts are released before the writers stop
	s.awaitReady(tb)
	s.Primary(tb)
	since := s.Ledger.Now()
	s.AwaitAcks(tb, since, s.Nodes...)
	cluster.Poll(tb, upLimit, "writes are on two nodes", func(context.Context) error {
		if newest := newestAssurance(s.Ledger.Asks(), since); newest != repo.Two {
			return fmt.Errorf("the newest acknowledgement rests on %q", newest)
		}
		return nil
	})
	s.awaitRows(tb)
	whole := s.Ledger.Now()
	s.awaitConsul(tb)
	s.forgive()
	return whole
}

// newestAssurance returns what the newest acknowledgement rests on, of those that were asked for
// after a moment, or "" where there is none. The answer to an upload does not say what it rests on,
// so it does not count.
func newestAssurance(asks []Ask, since time.Duration) repo.Assurance {
	var newest Ask
	for _, a := range asks {
		if a.Outcome == OK && a.Assurance != "" && a.Start > since && a.End >= newest.End {
			newest = a
		}
	}
	return newest.Assurance
}

// awaitRows waits until every node has what is acknowledged by now. The answer to a write does not
// wait for the node's own copy without a limit.
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

// arrived returns an error that names a node which is not known to have the acknowledged row
// newest. The row's number proves nothing, because an old primary may have rows at the same numbers
// that are given up. Marks form a chain, so a node that has been at an acknowledged cursor has
// everything before it. been has the cursors at which each node was seen, because an answer may
// come after the row.
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

// AwaitIdle stops the writers, asks once more for unknown outcomes, waits until all copies are
// equal, and runs all checks.
func (s *Storm) AwaitIdle(tb testing.TB) {
	tb.Helper()
	s.hush(tb)
	start := s.Ledger.Now()
	s.check(tb, s.awaitCopies(tb), start)
}

// hush stops all who write, and asks once more for unknown outcomes.
func (s *Storm) hush(tb testing.TB) {
	tb.Helper()
	var hush sync.WaitGroup
	hush.Go(func() { s.forms.set(false) })
	for _, w := range s.Writers {
		hush.Go(w.Hush)
	}
	hush.Wait()
	for write, ok := s.Board.Open(); ok; write, ok = s.Board.Open() {
		w := s.Writers[s.Nodes[s.rng.IntN(len(s.Nodes))].Name]
		s.Board.NoteAnswer(write, w.Ask(tb.Context(), write, patient))
	}
}

// awaitCopies waits until every scheduled post is released, since a release is a write, and until
// all copies are equal. It returns the copies.
func (s *Storm) awaitCopies(tb testing.TB) []*Copy {
	tb.Helper()
	var copies []*Copy
	cluster.Poll(tb, idleLimit, "all copies are equal, and no post is scheduled", func(ctx context.Context) error {
		if err := s.equal(ctx); err != nil {
			return err
		}
		copies = nil
		for _, n := range s.Nodes {
			c, err := n.Copy(ctx)
			if err != nil {
				return err
			}
			copies = append(copies, c)
		}
		return copies[0].CheckDue(time.Now().Add(dueWithin))
	})
	return copies
}

// equal fails when the databases of two nodes are at different positions.
func (s *Storm) equal(ctx context.Context) error {
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
}

// check runs all checks.
func (s *Storm) check(tb testing.TB, copies []*Copy, start time.Duration) {
	tb.Helper()
	asks := s.Ledger.Asks()
	ops, err := Merge(asks)
	if err != nil {
		tb.Fatal(err)
	}
	all := s.Observations() // what was seen before an earlier fault must not be unseen now
	observations := all[s.checked:]
	s.checked = len(all)
	end := s.Ledger.Now()
	ops = copies[0].WithStates(ops)
	releases, rerr := copies[0].Releases(ops, end)
	errs := []error{
		s.onePrimary(), CheckCopies(copies), CheckAnswers(asks), CheckKeys(asks), CheckObservations(all, ops),
		CheckReadYourWrites(all, ops), CheckEarly(all, ops), rerr,
		s.disks.Err(), s.visitor.Check(copies, start, end, checkLimit),
	}
	for _, c := range copies {
		errs = append(errs, CheckCopy(c, ops), CheckTags(c), CheckPictures(c, ops))
	}
	errs = append(errs, CheckRegisters(append(ops, releases...), copies[0].FinalStates(ops, start, end), checkLimit))
	errs = append(errs, CheckDates(copies[0], ops, s.Ledger.begun))
	for i, n := range s.Nodes {
		errs = append(errs, s.socketEqual(tb, s.Sockets[n.Name], copies[i]))
	}
	errs = append(errs, s.unheard(asks))
	if err := errors.Join(errs...); err != nil {
		s.writeObservations(tb)
		tb.Fatalf("after %s:\n%v", s.now(), err)
	}
	for i := range observations {
		if v := &observations[i]; v.late() {
			tb.Log(v.lateness())
		}
	}
	tb.Logf("%s: %s", s.now(), s.sum(ops, asks, observations))
	s.idleSince, s.heardBy = s.Ledger.Now(), s.hear()
}

// hear returns what each node's socket has received by now.
func (s *Storm) hear() map[string]heard {
	all := map[string]heard{}
	for name, k := range s.Sockets {
		all[name] = k.heard()
	}
	return all
}

// unheard returns an error for sockets that have received nothing since the cluster was last idle,
// although something was written. After a fault that may be a new page instead of changes: too much
// was missed, or the history was rewritten.
func (s *Storm) unheard(asks []Ask) error {
	if !slices.ContainsFunc(asks, func(a Ask) bool { return a.Outcome == OK && !a.Replayed && a.Start > s.idleSince }) {
		return nil
	}
	var wrong []string
	for name, now := range s.hear() {
		if now == s.heardBy[name] {
			wrong = append(wrong, fmt.Sprintf(
				"the socket on %s has got neither a change nor a new page, and posts were written", name))
		}
	}
	return problems("sockets", wrong)
}

// awaitChanges waits until each node's socket has received a change. A new page in the place of
// each change would leave the socket with the same state, but is not its purpose: once nothing is
// wrong, and there are writes, changes must come.
func (s *Storm) awaitChanges(tb testing.TB) {
	tb.Helper()
	before := s.hear()
	cluster.Poll(tb, upLimit, "each socket is told of a change", func(context.Context) error {
		return s.unnotified(before)
	})
}

// unnotified returns an error for sockets that have received no change since before.
func (s *Storm) unnotified(before map[string]heard) error {
	var wrong []string
	for name, now := range s.hear() {
		if was := before[name]; now.frames == was.frames {
			wrong = append(wrong, fmt.Sprintf("the socket on %s is told of no change, and got %d new pages", name,
				now.loads-was.loads))
		}
	}
	return problems("sockets", wrong)
}

func (s *Storm) onePrimary() error {
	if overlap := s.Roles.Both(); overlap > twoPrimaries {
		return fmt.Errorf("two nodes were primary at once for %s", overlap)
	}
	return nil
}

// socketEqual waits for the last frame, and returns how the node's copy, its page and its socket
// differ then.
func (s *Storm) socketEqual(tb testing.TB, socket *Socket, c *Copy) error {
	tb.Helper()
	var err error
	limit := time.Now().Add(idleLimit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = socket.Equal(tb.Context(), c); err == nil || time.Now().After(limit) {
			return err
		}
		<-tick.C
	}
}
