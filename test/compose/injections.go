package compose

import (
	"context"
	"fmt"
	"slices"
)

// injection is one thing that chaos can do to nodes or to Consul, and undo.
type injection struct {
	name    string
	victims []*Node // no second injection may strike them at the same time
	// silent says that the victims need not answer readers.
	silent bool
	// refuses says that the victims must acknowledge nothing, although they are asked: no other node can confirm what
	// they have.
	refuses bool
	// wipes says that the victim's data is removed, so that another node must have all of it. Such an injection is never
	// the second one, because after the first the victim may be the only node that has it.
	wipes bool
	// apart says that no other injection may strike at the same time: with two, acknowledged writes could be lost.
	apart bool
	// partial says that only a part of Consul is struck, and that Consul goes on without it.
	partial bool
	// stuck says that the victim may stay primary although it can commit nothing.
	stuck bool
	// holds are nodes that rows may neither reach nor leave. blind are nodes that do not find a new primary. Rows do
	// reach them, unless a second injection makes another node primary.
	holds, blind []*Node
	inject, undo func(ctx context.Context) error
	// only runs the injection as a fault of its own, when nothing else is wrong. It is known then what must happen: which
	// node becomes primary, where writes are acknowledged, and in what time.
	only func(f *spell)
	// meanwhile checks more during the fault that bystanders makes of it; nil checks nothing.
	meanwhile func(f *spell)
}

func (b *injection) String() string {
	switch len(b.victims) {
	case 1:
		return b.name + " of " + b.victims[0].Name
	case 2: // the candidates
		return b.name + " of both"
	}
	return b.name + " of all nodes"
}

// strikes reports whether b and the other injection have a victim in common.
func (b *injection) strikes(other *injection) bool {
	return slices.ContainsFunc(b.victims, func(n *Node) bool { return slices.Contains(other.victims, n) })
}

func nothing(context.Context) error { return nil }

// injections returns all that chaos can inject. Their number and order do not depend on which node is primary, so that
// a seed draws the same ones again.
func (s *Storm) injections(primary, standby *Node) []*injection {
	var all []*injection
	for _, n := range s.Nodes {
		all = append(all, nodeInjections(n, n == primary)...)
	}
	for _, n := range []*Node{s.Node(Fra1), s.Node(Fra2)} {
		all = append(all, s.consulCut(n, n == primary))
	}
	consul := s.Node(Consul)
	return append(append(
		append(all, s.consulInjections()...),
		bystanders(standby, &injection{
			name:    "cut off from the standby",
			victims: []*Node{primary},
			holds:   []*Node{standby},
			inject:  cut(primary, standby),
			undo:    primary.Heal,
		}),
		bystanders(standby, &injection{
			name:    "replication held",
			victims: []*Node{standby},
			holds:   []*Node{standby},
			inject:  standby.HoldReplication,
			undo:    standby.Heal,
		}),
		bystanders(standby, &injection{
			name:    "kill and an empty volume",
			victims: []*Node{standby},
			silent:  true,
			wipes:   true,
			inject:  standby.lose,
			undo:    standby.Start,
		}),
		&injection{
			name:    "full disk",
			victims: []*Node{primary},
			silent:  true,
			stuck:   true,
			inject:  func(context.Context) error { return primary.Fill(noSpare) },
			undo:    func(context.Context) error { return primary.Empty() },
			only:    func(f *spell) { diskFull(f, noSpare) },
		},
		&injection{
			name:    "kill -9 of the containers",
			victims: s.Nodes,
			silent:  true,
			inject:  onEach(s.Nodes, (*Node).Kill),
			undo:    onEach(s.Nodes, (*Node).Start),
			only:    allDown,
		},
		&injection{name: "pause", victims: []*Node{consul}, inject: consul.Pause, undo: consul.Unpause, only: consulPaused},
		&injection{
			name:    "kill -9 of the container",
			victims: []*Node{consul},
			inject:  consul.Kill,
			undo:    consul.Start,
			only:    func(f *spell) { consulGone(f, consul.Kill, consul.Start, 3*Lease) },
		},
	), s.moreInjections(primary, standby)...)
}

// nodeInjections returns what can be injected into one node. What must happen then depends on its role.
func nodeInjections(n *Node, primary bool) []*injection {
	all := []*injection{
		{name: "kill -9 of the container", silent: true, inject: n.Kill, undo: n.Start, only: killed},
		{name: "kill -9 of blog serve", silent: true, inject: n.killer("serve"), undo: nothing,
			only: func(f *spell) { processKilled(f, "serve") }},
		{name: "kill -9 of blog mount", silent: true, inject: n.killer("mount"), undo: nothing,
			only: func(f *spell) { processKilled(f, "mount") }},
		{name: "SIGTERM", silent: true, inject: n.Leave, undo: n.Start, only: stopped, meanwhile: (*spell).hasLeft},
		cutOff(n),
		{name: "pause", silent: true, inject: n.Pause, undo: n.Unpause, only: paused},
		{name: "unplug", silent: true, inject: n.Unplug, undo: n.Plug, only: primaryUnplugged,
			meanwhile: func(f *spell) { f.refusesWithin(n) }},
	}
	for _, b := range all {
		if b.victims = []*Node{n}; !primary {
			bystanders(n, b)
		}
	}
	return all
}

func cutOff(n *Node) *injection {
	return &injection{
		name:    "cut off from all",
		victims: []*Node{n},
		refuses: true,
		holds:   []*Node{n},
		inject:  n.CutOff,
		undo:    n.Heal,
		only:    primaryCutOff,
	}
}

// consulCut returns the injection that cuts a candidate off from Consul. A standby follows the primary as before, since
// neither rows nor heartbeats come by way of Consul.
func (s *Storm) consulCut(n *Node, primary bool) *injection {
	b := &injection{
		name:    "cut off from Consul",
		victims: []*Node{n},
		blind:   []*Node{n},
		inject:  cut(n, s.Node(Consul)),
		undo:    n.Heal,
		only:    consulCut,
	}
	if primary {
		return b
	}
	return bystanders(n, b)
}

// bystanders makes b, which strikes the node away, an injection into a node that is not primary: run alone, it must
// leave the role where it is, and writes are acknowledged on all other nodes.
func bystanders(away *Node, b *injection) *injection {
	b.only = func(f *spell) {
		primary, _ := f.Primary(f.tb)
		f.survive, f.cutOff = f.others(away), []*Node{away}
		f.hit(b)
		if b.meanwhile != nil {
			b.meanwhile(f)
		}
		f.heal(b.undo)
		if b.refuses {
			f.noAcks(f.struck, b.victims...)
		}
		f.staysPrimary(primary)
	}
	return b
}

// hit injects b, and notes what readers may expect meanwhile.
func (f *spell) hit(b *injection) {
	f.tb.Helper()
	if b.silent {
		f.Excuse(b.victims...)
	}
	f.Hold(b.holds...)
	f.strike(b.inject)
}

func cut(n, other *Node) func(ctx context.Context) error {
	return func(ctx context.Context) error { return n.CutFrom(ctx, other) }
}

func onEach(nodes []*Node, do func(n *Node, ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error { return atOnce(nodes, func(n *Node) error { return do(n, ctx) }) }
}

func (n *Node) killer(process string) func(ctx context.Context) error {
	return func(ctx context.Context) error { return n.KillProcess(ctx, process) }
}

// lose kills the node and removes its data.
func (n *Node) lose(ctx context.Context) error {
	if err := n.Kill(ctx); err != nil {
		return err
	}
	return n.Wipe()
}

// exitError is the error of a node that ended with another exit code than 0.
type exitError struct {
	node string
	code int
}

func (e *exitError) Error() string { return fmt.Sprintf("%s ended with %d", e.node, e.code) }

// Leave sends SIGTERM, and waits until the node has ended. It fails for every exit code but 0.
func (n *Node) Leave(ctx context.Context) error {
	code, err := n.Stop(ctx)
	if err == nil && code != 0 {
		err = &exitError{n.Name, code}
	}
	return err
}
