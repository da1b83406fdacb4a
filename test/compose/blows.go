package compose

import (
	"context"
	"fmt"
	"slices"
)

// blow is one thing that chaos can do to nodes or to Consul, and undo.
type blow struct {
	name    string
	victims []*Node // no other blow strikes them meanwhile
	// silent: the victims are not expected to answer readers.
	silent bool
	// refuses: the victims have nobody on whose word they could acknowledge anything,
	// although they are asked.
	refuses bool
	// wipes: what the victim has is gone, so another must have all of it: it is no
	// second blow, since the first may have made the victim the only one.
	wipes bool
	// stuck: the victim may stay primary, and carry out nothing.
	stuck bool
	// holds are nodes that rows may not reach, or leave. blind are those that would not
	// find another primary; as long as no other blow makes one, rows do reach them.
	holds, blind []*Node
	inject, undo func(ctx context.Context) error
	// only runs it where nothing else is wrong, so that what must happen is known: which
	// node is primary then, where writes are acknowledged, and in what time.
	only func(f *spell)
	// meanwhile is what bystanders check once it has struck.
	meanwhile func(f *spell)
}

func (b *blow) String() string {
	if len(b.victims) > 1 {
		return b.name + " of all nodes"
	}
	return b.name + " of " + b.victims[0].Name
}

func (b *blow) strikes(other *blow) bool {
	return slices.ContainsFunc(b.victims, func(n *Node) bool { return slices.Contains(other.victims, n) })
}

func nothing(context.Context) error { return nil }

// blows are all that can be done. There are always as many, and the same place is the
// same blow, whoever is primary.
func (s *Storm) blows(primary, standby *Node) []*blow {
	var all []*blow
	for _, n := range s.Nodes {
		all = append(all, nodeBlows(n, n == primary)...)
	}
	for _, n := range []*Node{s.Node(Fra1), s.Node(Fra2)} {
		all = append(all, s.consulCut(n, n == primary))
	}
	consul := s.Node(Consul)
	return append(
		all,
		bystanders(standby, &blow{name: "cut off from the standby", victims: []*Node{primary}, holds: []*Node{standby}, inject: cut(primary, standby), undo: primary.Heal}),
		bystanders(standby, &blow{name: "replication held", victims: []*Node{standby}, holds: []*Node{standby}, inject: standby.HoldReplication, undo: standby.Heal}),
		bystanders(standby, &blow{name: "kill and an empty volume", victims: []*Node{standby}, silent: true, wipes: true, inject: standby.lose, undo: standby.Start}),
		&blow{name: "full disk", victims: []*Node{primary}, silent: true, stuck: true, inject: func(context.Context) error { return primary.Fill(noSpare) }, undo: func(context.Context) error { return primary.Empty() }, only: func(f *spell) { diskFull(f, noSpare) }},
		&blow{name: "kill -9 of the containers", victims: s.Nodes, silent: true, inject: onEach(s.Nodes, (*Node).Kill), undo: onEach(s.Nodes, (*Node).Start), only: allDown},
		&blow{name: "pause", victims: []*Node{consul}, inject: consul.Pause, undo: consul.Unpause, only: consulPaused},
		&blow{name: "kill -9 of the container", victims: []*Node{consul}, inject: consul.Kill, undo: consul.Start, only: func(f *spell) { consulGone(f, consul.Kill, consul.Start, 3*Lease) }},
	)
}

// nodeBlows are what can be done to a node alone. Its role decides what must happen.
func nodeBlows(n *Node, primary bool) []*blow {
	all := []*blow{
		{name: "kill -9 of the container", silent: true, inject: n.Kill, undo: n.Start, only: killed},
		{name: "kill -9 of blog serve", silent: true, inject: n.killer("serve"), undo: nothing, only: func(f *spell) { processKilled(f, "serve") }},
		{name: "kill -9 of blog mount", silent: true, inject: n.killer("mount"), undo: nothing, only: func(f *spell) { processKilled(f, "mount") }},
		{name: "SIGTERM", silent: true, inject: n.Leave, undo: n.Start, only: stopped, meanwhile: (*spell).hasLeft},
		cutOff(n),
		{name: "pause", silent: true, inject: n.Pause, undo: n.Unpause, only: paused},
		{name: "unplug", silent: true, inject: n.Unplug, undo: n.Plug, only: primaryUnplugged, meanwhile: func(f *spell) { f.refusesWithin(n) }},
	}
	for _, b := range all {
		if b.victims = []*Node{n}; !primary {
			bystanders(n, b)
		}
	}
	return all
}

func cutOff(n *Node) *blow {
	return &blow{name: "cut off from all", victims: []*Node{n}, refuses: true, holds: []*Node{n}, inject: n.CutOff, undo: n.Heal, only: primaryCutOff}
}

// consulCut: a standby's rows and words do not come by Consul, so it goes on.
func (s *Storm) consulCut(n *Node, primary bool) *blow {
	b := &blow{name: "cut off from Consul", victims: []*Node{n}, blind: []*Node{n}, inject: cut(n, s.Node(Consul)), undo: n.Heal, only: consulCut}
	if primary {
		return b
	}
	return bystanders(n, b)
}

// bystanders makes b one that takes a node away that is not primary: the role stays,
// and all others go on.
func bystanders(away *Node, b *blow) *blow {
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
		f.keeps(primary)
	}
	return b
}

// hit strikes with b.
func (f *spell) hit(b *blow) {
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

// lose kills the node and removes what it has.
func (n *Node) lose(ctx context.Context) error {
	if err := n.Kill(ctx); err != nil {
		return err
	}
	return n.Wipe()
}

// exitError is a node that did not leave in good order.
type exitError struct {
	node string
	code int
}

func (e *exitError) Error() string { return fmt.Sprintf("%s ended with %d", e.node, e.code) }

// Leave sends SIGTERM; an exit code other than 0 is an error.
func (n *Node) Leave(ctx context.Context) error {
	code, err := n.Stop(ctx)
	if err == nil && code != 0 {
		err = &exitError{n.Name, code}
	}
	return err
}
