package compose

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"blog/internal/repo"
)

// NewStorm returns a storm of nobody, without a project.
func NewStorm() *Storm {
	s := &Storm{
		Ledger: NewLedger(io.Discard), Log: &Log{}, Board: NewBoard(rand.New(rand.NewPCG(1, 2))),
		Sockets: map[string]*Socket{},
		excuses: map[string]bool{}, avoid: map[string]bool{}, holds: map[string]bool{},
	}
	s.Roles = NewRoles(s.Ledger.Now)
	return s
}

// Forgive is what the storm does when the cluster is whole.
func (s *Storm) Forgive() { s.forgive() }

// Note notes a node's answer to whether it is primary, given in an instant.
func (r *Roles) Note(node string, at time.Duration, primary bool, err error) {
	r.note(roleSeen{node: node, start: at, end: at, primary: primary, err: err})
}

// Sum is what is printed of sights.
func (s *Storm) Sum(sights []Sight) string { return s.sum(nil, nil, sights) }

// Ask makes nodes of it that are asked with transport.
func (s *Storm) Ask(transport *repo.Transport, nodes ...*Node) {
	s.Project, s.transport = &Project{Nodes: nodes}, transport
}

// Arrived says which node is not known to have an acknowledged row.
func (s *Storm) Arrived(ctx context.Context, newest int64, been map[string][]string) error {
	return s.arrived(ctx, newest, been)
}

// Have makes a storm have nodes and Consul, without containers.
func (s *Storm) Have(consul *Node, nodes ...*Node) {
	s.Project = &Project{Nodes: nodes, consul: consul}
}

// Draw says what is drawn.
func Draw(seed uint64, number, blows int) string {
	return fmt.Sprintf("%+v", draw(seed, number, blows))
}

// Drawn are the places of the blows that are drawn.
func Drawn(seed uint64, number, blows int) (all []int) {
	for _, d := range draw(seed, number, blows).strikes {
		all = append(all, d.blow)
	}
	return all
}

// Blows are the names of all blows, in their order.
func (s *Storm) Blows(primary, standby *Node) (all []string) {
	for _, b := range s.blows(primary, standby) {
		if b.only == nil || b.inject == nil || b.undo == nil {
			panic(b.String() + " cannot be run")
		}
		all = append(all, b.String())
	}
	return all
}

// Chosen is how many of two blows strike.
func (s *Storm) Chosen(primary, standby *Node, first, second int) int {
	return len(plan{strikes: []drawn{{blow: first}, {blow: second}}}.of(s.blows(primary, standby)))
}

// Surviving are the names of the nodes on which writes must be acknowledged under two blows.
func (s *Storm) Surviving(primary, standby *Node, first, second int) []string {
	all := s.blows(primary, standby)
	return names(s.surviving([]*blow{all[first], all[second]}))
}

// Groundless are the keys that were acknowledged on nodes that are cut off meanwhile.
func Groundless(asks []Ask, cut, until time.Duration, nodes ...*Node) (keys []string) {
	for _, a := range groundless(asks, cut, until, nodes...) {
		keys = append(keys, a.Key)
	}
	return keys
}

// Waiting says which of the writes nobody waits for on which of the nodes.
func Waiting(asks []Ask, nodes []*Node, writes ...Write) error {
	return waiting(asks, nodes, writes...)
}

// Bystand takes a node away that is not primary.
func (s *Storm) Bystand(tb testing.TB, away *Node, refuses bool, inject, undo func(ctx context.Context) error) {
	tb.Helper()
	bystanders(away, &blow{name: "nothing", victims: []*Node{away}, refuses: refuses, inject: inject, undo: undo}).only(s.spell(tb))
}

// Heard is how many changes a socket was told of, and how many pages it has begun with.
func (s *Socket) Heard() (changes, pages int) {
	h := s.heard()
	return h.frames, h.loads
}

// Rest is what the storm does when all is at rest.
func (s *Storm) Rest() { s.rested, s.heardBy = s.Ledger.Now(), s.hear() }

// Unheard says to whose socket nothing has come since then.
func (s *Storm) Unheard() error { return s.unheard(s.Ledger.Asks()) }

// Untold says whose socket has been told of no change since then.
func (s *Storm) Untold() error { return s.untold(s.heardBy) }
