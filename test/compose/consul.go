package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"blog/test/cluster"
)

// What is done to one of Consul's servers, as the name of an injection says it before "of consul".
const (
	killOfLeader      = "kill -9 of the leader"
	leaderFromServers = "cut off from the other servers of the leader"
	leaderFromAll     = "cut off from all of the leader"
)

// consulInjections returns the injections into a part of Consul, or into what it stores. Each fails
// when its probe shows that it has not struck: another server must lead in a later term, or the
// test's own key must have the value of the snapshot.
func (s *Storm) consulInjections() []*injection {
	consul := []*Node{s.Node(Consul)}
	leader := func(name string, inject, undo func(ctx context.Context, leader *Node) error) *injection {
		b := &injection{name: name, victims: consul, partial: true}
		var struck *Node
		b.inject = func(ctx context.Context) error {
			old, term, err := s.consulLeader(ctx, nil)
			if err != nil {
				return err
			}
			struck = old
			return errors.Join(inject(ctx, old), s.succeeds(ctx, old, term))
		}
		b.undo = func(ctx context.Context) error { return undo(ctx, struck) }
		b.only = func(f *spell) { consulLeaderLost(f, b) }
		return b
	}
	kill := func(ctx context.Context, leader *Node) error { return leader.Kill(ctx) }
	start := func(ctx context.Context, leader *Node) error { return leader.Start(ctx) }
	return []*injection{
		leader(killOfLeader, kill, start),
		leader(leaderFromServers, s.cutServer, s.healServer),
		leader(leaderFromAll, func(ctx context.Context, leader *Node) error { return leader.CutOff(ctx) }, s.healServer),
		{name: "restored snapshot", victims: consul, apart: true, inject: nothing, undo: nothing, only: consulRestored},
	}
}

// consulFault runs the injection of consulInjections with this name alone.
func (f *spell) consulFault(name string) {
	f.tb.Helper()
	all := f.consulInjections()
	all[slices.IndexFunc(all, func(b *injection) bool { return b.name == name })].only(f)
}

// electionLimit is how long Consul's servers may take to elect another leader on a shared machine.
// With raft_multiplier 1 an election takes one to three seconds.
const electionLimit = 30 * time.Second

// succeeds is the probe for the loss of a leader. It fails unless another server leads in a later
// term.
func (s *Storm) succeeds(ctx context.Context, old *Node, term uint64) error {
	return cluster.Await(ctx, electionLimit, func(ctx context.Context) error {
		leader, now, err := s.consulLeader(ctx, old)
		if err == nil && now <= term {
			err = fmt.Errorf("%s leads in term %d, after %s in term %d", leader.Name, now, old.Name, term)
		}
		return err
	})
}

// cutServer cuts a server off from the other servers. Nodes still reach it, but it answers nothing
// that needs a leader.
func (s *Storm) cutServer(ctx context.Context, server *Node) error {
	var errs []error
	for _, other := range s.consul.servers {
		if other != server {
			errs = append(errs, server.CutFrom(ctx, other))
		}
	}
	return errors.Join(errs...)
}

// healServer ends a server's cuts and makes it join the others at once, as an operator would. By
// itself it tries once in half a minute.
func (s *Storm) healServer(ctx context.Context, server *Node) error {
	if err := server.Heal(ctx); err != nil {
		return err
	}
	join := []string{"consul", "join"}
	for _, other := range s.consul.servers {
		if other != server {
			join = append(join, other.Name)
		}
	}
	// A packet from before may still be under way, so a join that fails is tried again.
	return cluster.Await(ctx, electionLimit, func(ctx context.Context) error {
		_, err := server.Exec(ctx, join...)
		return err
	})
}

// leaderless is for how long Consul may be without a leader while the primary certainly retains its
// lease. The last renewal was sent at most half a session ago, a session lasts four fifths of the
// lease and is given up for its last twentieth, and one call may have been lost just before that.
const leaderless = Lease*4/5*9/20 - Lease/10

// consulLeaderLost is the loss of Consul's leader, which makes Consul unavailable until the other
// servers have a new one. A primary whose lease lasts longer retains its role. A primary whose
// lease ends says so in its log, and a candidate is elected as after any loss of Consul.
func consulLeaderLost(f *spell, b *injection) {
	primary, standby := f.Primary(f.tb)
	before, begun := f.processes(), time.Now()
	f.survive, f.recovery = f.Nodes, both
	f.hit(b)
	away := f.struck - f.from // with the time that injection and probe needed
	f.AwaitAcks(f.tb, f.struck, f.Nodes...)
	f.limit("no writer while Consul elects a leader", f.silence(f.from), 2*Lease)
	over := f.leaseOver(primary, begun)
	f.tb.Logf("%s: Consul had another leader after %s; the lease of %s is over: %t",
		f.now(), away.Round(10*time.Millisecond), primary.Name, over)
	if over {
		f.staysOrMoves(primary, standby)
		if away < leaderless {
			f.tb.Errorf("%s: the lease was over within %s, and lasts for %s", f.now(), away, leaderless)
		}
	} else {
		f.staysPrimary(primary)
		if when, other := f.Roles.Since(standby.Name, true, f.from); other {
			f.tb.Errorf("%s: %s was primary at %s, under the lease of %s", f.now(), standby.Name, when, primary.Name)
		}
	}
	f.heal(b.undo)
	if after := f.processes(); !slices.Equal(before, after) {
		f.tb.Errorf("%s: processes were %v and are %v", f.now(), before, after)
	}
}

// leaseOver reports whether the primary's log has said since the given moment that its lease is
// over.
func (f *spell) leaseOver(primary *Node, since time.Time) (over bool) {
	f.tb.Helper()
	f.try("read the log of "+primary.Name, func(ctx context.Context) error {
		log, err := primary.logs(ctx, since)
		over = strings.Contains(log, "the lease is over") || strings.Contains(log, "the lease has run out")
		return err
	})
	return over
}

// snapshot is the path of Consul's snapshot in a server's container.
const snapshot = "/tmp/storm.snap"

// consulRestored restores a snapshot of Consul from before the primary went on alone, within the
// same term. By the snapshot's set the standby could be elected, which lacks what was acknowledged
// since. The primary writes its own set over it before it acknowledges anything else, so no node is
// elected when the primary dies then.
func consulRestored(f *spell) {
	primary, standby := f.Primary(f.tb)
	server := f.consul.servers[0]
	f.survive, f.cutOff = f.others(standby), []*Node{standby}
	f.Hold(standby)
	f.Excuse(primary, standby) // the primary from its kill on
	f.probe(server, "saved")
	saved := f.set(server, primary, standby)
	f.try("save a snapshot", func(ctx context.Context) error {
		_, err := server.Exec(ctx, "consul", "snapshot", "save", snapshot)
		return err
	})
	f.probe(server, "changed")
	f.strike(func(ctx context.Context) error { return primary.CutFrom(ctx, standby) })
	f.alone()
	alone := f.set(server, primary)
	if alone <= saved {
		f.tb.Fatalf("%s: the set was at %d when it was saved, and is at %d: nothing to restore", f.now(), saved, alone)
	}
	f.restore(server, primary)
	f.AwaitAcks(f.tb, f.Ledger.Now(), f.survive...)
	if again := f.set(server, primary); again <= alone {
		f.tb.Errorf("%s: the set was at %d before Consul was restored, and is at %d", f.now(), alone, again)
	}
	f.try("kill the primary", primary.Kill) // the end of the container ends the cut
	f.comesBack(primary, standby)
}

// restore restores the snapshot. Its probe is that the test's own key has the value and the index
// of the snapshot.
func (f *spell) restore(server, primary *Node) {
	f.tb.Helper()
	changed, begun := f.probed(server, "changed"), time.Now()
	f.try("restore", func(ctx context.Context) error {
		_, err := server.Exec(ctx, "consul", "snapshot", "restore", snapshot)
		return err
	})
	if now := f.probed(server, "saved"); now >= changed {
		f.tb.Fatalf("%s: the probe was at %d before Consul was restored, and is at %d", f.now(), changed, now)
	}
	// The primary's log shows that it has read an older set as well.
	f.try("the primary sees it", func(ctx context.Context) error {
		return cluster.Await(ctx, ackLimit, func(ctx context.Context) error {
			log, err := primary.logs(ctx, begun)
			if err == nil && !strings.Contains(log, "not the sync set of this term") {
				err = errors.New("its log does not say so")
			}
			return err
		})
	})
}

// probe sets the test's own key to a value.
func (f *spell) probe(server *Node, value string) {
	f.tb.Helper()
	f.try("put the probe", func(ctx context.Context) error {
		_, err := server.Exec(ctx, "consul", "kv", "put", probeKey, value)
		return err
	})
}

// probed checks the value of the test's own key, and returns the key's index.
func (f *spell) probed(server *Node, value string) uint64 {
	f.tb.Helper()
	var e entry
	f.try("read the probe", func(ctx context.Context) error {
		return cluster.Await(ctx, electionLimit, func(ctx context.Context) (err error) {
			e, err = server.consulKey(ctx, probeKey)
			return err
		})
	})
	if !bytes.Equal(e.Value, []byte(value)) {
		f.tb.Fatalf("%s: the probe is %q, want %q", f.now(), e.Value, value)
	}
	return e.Index
}

// set waits until the sync set has these members, and returns its index.
func (f *spell) set(server *Node, want ...*Node) (index uint64) {
	f.tb.Helper()
	f.try("read the sync set", func(ctx context.Context) error {
		return cluster.Await(ctx, ackLimit, func(ctx context.Context) error {
			members, at, err := server.syncSet(ctx)
			slices.Sort(members)
			if all := slices.Sorted(slices.Values(names(want))); err == nil && !slices.Equal(members, all) {
				err = fmt.Errorf("it is %v, want %v", members, all)
			}
			index = at
			return err
		})
	})
	return index
}

// logs returns what the container has printed since the given moment.
func (n *Node) logs(ctx context.Context, since time.Time) (string, error) {
	moment := since.Format(time.RFC3339Nano)
	cmd := exec.CommandContext(ctx, "docker", "logs", "--since", moment, n.id) // #nosec G204 -- of this project
	out, err := cmd.CombinedOutput()                                           // both streams, in one order
	return string(out), err
}
