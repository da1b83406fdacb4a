package compose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"blog/internal/app"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/cluster"
)

// Faults of the nodes' clocks. A node reads the file with the faults of its clock each time that it reads the clock.

const (
	faultClock = "/tmp/fault-clock"
	tenYears   = 10 * 365 * 24 * time.Hour
	// standsStill stops both clocks, as in a virtual machine that its host suspends.
	standsStill = "stop mono\nstop wall\n"
	// asleep is for how long a machine was suspended, by a clock that counts that time.
	asleep = 3 * Lease
)

// near is by how much a metric of a clock may differ from what was set, since it is read later.
const near = 10 * time.Second

// setClock sets the node's wall clock ahead, or behind for a negative duration. Its probe is that the node has noticed.
func (n *Node) setClock(ctx context.Context, ahead time.Duration) error {
	n.expect(fmt.Sprintf("clock ahead by %s of %s", ahead, n.Name), func(ctx context.Context) error {
		apart, err := n.metric(ctx, "blog_clock_apart_seconds")
		if off := time.Duration(apart*float64(time.Second)) - ahead; err == nil && off.Abs() > near {
			err = fmt.Errorf("its clock is %g s ahead of the time that it goes by", apart)
		}
		return err
	})
	return n.write(ctx, faultClock, fmt.Sprintf("wall %s\n", ahead))
}

// expect leaves a probe with the node's project.
func (n *Node) expect(name string, moved func(ctx context.Context) error) {
	n.project.expect(name, moved)
}

// mendClock ends the faults of the node's clocks.
func (n *Node) mendClock(ctx context.Context) error { return n.write(ctx, faultClock, "") }

// clocksApart sets the clocks of three nodes wrong by minutes, each by another duration, and makes the primary hand its
// role over. Writes, due posts and sessions must go on as with right clocks.
func clocksApart(f *spell) {
	primary, standby := f.Primary(f.tb)
	odd := map[*Node]time.Duration{
		primary: 4 * time.Minute, standby: -3 * time.Minute, f.Node(Iad1): 9 * time.Minute,
	}
	f.survive = f.others(primary)
	f.Excuse(primary)
	f.strike(func(ctx context.Context) error {
		return atOnce(keysOf(f.Nodes, odd), func(n *Node) error { return n.setClock(ctx, odd[n]) })
	})
	f.struckAll()
	f.try("leave", primary.Leave)
	f.becomes(standby)
	f.try("start", primary.Start)
	f.AwaitAcks(f.tb, f.Ledger.Now(), f.Nodes...)
	f.scheduled(standby)
	f.signedIn()
	f.heal(func(ctx context.Context) error {
		return atOnce(f.Nodes, func(n *Node) error { return n.mendClock(ctx) })
	})
	f.believed()
}

// keysOf returns the nodes that are keys of a map, in the order of all.
func keysOf(all []*Node, of map[*Node]time.Duration) (nodes []*Node) {
	for _, n := range all {
		if _, ok := of[n]; ok {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// clockJumps makes a node's clock jump ten years ahead, and back.
func clockJumps(f *spell, n *Node) {
	primary, _ := f.Primary(f.tb)
	f.survive = f.Nodes
	f.strike(func(ctx context.Context) error { return n.setClock(ctx, tenYears) })
	f.struckAll()
	f.AwaitAcks(f.tb, f.Ledger.Now(), f.Nodes...)
	f.scheduled(n)
	f.signedIn()
	f.heal(n.mendClock)
	f.believed()
	f.staysPrimary(primary)
}

// believed waits until every node goes by the clock of its machine again.
func (f *spell) believed() {
	f.tb.Helper()
	cluster.Poll(f.tb, upLimit, "every node goes by its clock", func(ctx context.Context) error {
		for _, n := range f.Nodes {
			if yes, err := n.metric(ctx, "blog_clock_believed"); err != nil || yes != 1 {
				return errors.Join(err, fmt.Errorf("%s does not", n.Name))
			}
		}
		return nil
	})
}

// soon is after how long the post is due that must come out, and later after how long the one that must not.
const (
	soon  = 2 * time.Second
	later = 20 * time.Minute
)

// scheduled schedules two posts on a node, and checks that the one that is due soon comes out and the one that is due
// later does not. It deletes both.
func (f *spell) scheduled(n *Node) {
	f.tb.Helper()
	now := time.Now()
	first, second := f.schedule(n, now.Add(soon)), f.schedule(n, now.Add(later))
	cluster.Poll(f.tb, ackLimit, "the post that is due comes out", func(ctx context.Context) error {
		code, err := statusOf(ctx, n.Public+"/posts/"+first.Slug)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("status %d", code)
		}
		return err
	})
	for _, other := range f.Nodes {
		cluster.Poll(f.tb, ackLimit, other.Name+" answers", func(ctx context.Context) error {
			code, err := statusOf(ctx, other.Public+"/posts/"+second.Slug)
			if code == http.StatusOK {
				f.tb.Fatalf("%s: the post that is due in %s has come out on %s", f.now(), later, other.Name)
			}
			return err
		})
	}
	for _, ref := range []posts.Ref{first, second} {
		f.ask("delete a post", func(ctx context.Context, c repo.Writer) error {
			key := repo.WithKey(fmt.Sprintf("delete%d", ref.ID)) // its answer may be lost
			_, err := repo.Write(ctx, c, posts.Delete{Target: posts.Target{ID: ref.ID}}, key)
			return err
		}, n)
	}
}

// byFault is the beginning of the keys of posts that a fault writes and checks by itself, and that are not in the
// ledger.
const byFault = "fault-"

// schedule writes a post on a node that is due at a moment.
func (f *spell) schedule(n *Node, due time.Time) (ref posts.Ref) {
	f.tb.Helper()
	key := fmt.Sprintf("%s%d", byFault, due.UnixNano())
	f.ask("schedule a post", func(ctx context.Context, c repo.Writer) (err error) {
		post := posts.Create{Title: key, Body: key, Publish: true, PublishedAt: &due}
		ref, err = repo.Write(ctx, c, post, repo.WithKey(key))
		return err
	}, n)
	return ref
}

// ask writes something on a node as its operator. It tries again until that is acknowledged.
func (f *spell) ask(what string, do func(ctx context.Context, c repo.Writer) error, n *Node) {
	f.tb.Helper()
	cluster.Poll(f.tb, ackLimit, what, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(repo.As(ctx, repo.Actor{Name: repo.Operator}), patient)
		defer cancel()
		return do(ctx, f.Writers[n.Name].client.Load())
	})
}

// statusOf returns the status with which an address answers.
func statusOf(ctx context.Context, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// signedIn checks that every author is still signed in, on every node.
func (f *spell) signedIn() {
	f.tb.Helper()
	for _, r := range f.readers {
		if !r.cookie {
			continue
		}
		for _, n := range f.Nodes {
			cluster.Poll(f.tb, ackLimit, r.Name+" is answered on "+n.Name, func(ctx context.Context) error {
				got, err := r.get(ctx, n.Public+"/admin")
				switch {
				case err != nil:
					return err
				case got.status == http.StatusServiceUnavailable:
					return errors.New("not now")
				case got.status != http.StatusOK:
					f.tb.Fatalf("%s: the session of %s has ended on %s: status %d", f.now(), r.Name, n.Name, got.status)
				}
				return nil
			})
		}
	}
}

// suspended freezes the primary, with clocks that stand still as in a virtual machine, until another node is primary.
// When the old primary runs again, no clock shows it that its lease and its term are over. It must acknowledge nothing
// in that term all the same, because it lacks answers of other nodes to what it asked after it woke (belief.go).
func suspended(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive, f.cutOff = f.others(primary), []*Node{primary}
	f.Excuse(primary)
	f.try("stop its clocks", func(ctx context.Context) error { return primary.write(ctx, faultClock, standsStill) })
	frozen := f.strike(primary.Pause)
	f.becomes(standby)
	f.limit("the other writes", f.AwaitAcks(f.tb, frozen, f.survive...)-frozen, 3*Lease)
	f.heal(primary.Unpause)
	thawed, lost := f.Ledger.Now(), f.until-frozen
	f.try("let its clocks go", primary.mendClock)
	f.denies(primary, thawed)
	f.expect("clock of "+primary.Name+" that stands still", func(ctx context.Context) error {
		var st app.Status
		err := f.transport.Ask(ctx, primary.Private, app.PathStatus, &st)
		if behind := time.Since(st.Clock); err == nil && behind < lost {
			err = fmt.Errorf("it was stopped for %s and is only %s behind", lost, behind)
		}
		return err
	})
	f.struckAll()
	f.logOldTerm(primary, thawed)
	// The process does not recover the lost time. One that starts now has the machine's time.
	f.try("restart", func(ctx context.Context) error {
		err := primary.Leave(ctx)
		return errors.Join(err, primary.Start(ctx))
	})
	f.expected()
	f.until = f.Ledger.Now()
	f.believed()
}

// woken makes the primary's clock that counts suspensions jump by more than a lease, while the clock of its timers does
// not: that is how a machine wakes. Both processes must see at their next check, long before an earlier timer fires,
// that the lease has run out, and that this term may acknowledge no more.
func woken(f *spell) {
	primary, standby := f.Primary(f.tb)
	f.survive = f.Nodes
	f.Excuse(primary)
	f.strike(func(ctx context.Context) error {
		since := time.Now()
		for _, text := range []string{
			`msg="the lease has run out without a renewal"`, `msg="this node may acknowledge no more"`,
		} {
			f.expect("clock of "+primary.Name+" that jumps on: "+text, func(ctx context.Context) error {
				return primary.said(ctx, since, text)
			})
		}
		return primary.write(ctx, faultClock, fmt.Sprintf("mono %s\n", asleep))
	})
	f.struckAll()
	f.heal(primary.mendClock)
	f.staysOrMoves(primary, standby)
	f.believed()
}

// logOldTerm prints the writes that a node was asked for before it woke up and has acknowledged since. Either the old
// primary carried them out before it froze, and the standby has their rows, or the new primary did. Each is looked for
// in the copies of all nodes once nobody writes any more (AwaitIdle), as all that is acknowledged: a file that is
// written to cannot be copied.
func (f *spell) logOldTerm(n *Node, thawed time.Duration) {
	f.tb.Helper()
	for _, a := range f.Ledger.Asks() {
		if a.Node == n.Name && a.Outcome == OK && a.Start <= thawed && a.End >= thawed {
			f.tb.Logf("%s: key %s was asked for before %s woke up and is acknowledged (%s)", f.now(), a.Key, n.Name, at(a))
		}
	}
}
