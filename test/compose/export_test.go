package compose

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"blog/internal/repo"
)

// NewStorm returns a storm of nobody, without a project.
func NewStorm() *Storm {
	s := &Storm{
		Ledger: NewLedger(io.Discard), Log: &Log{}, Board: NewBoard(rand.New(rand.NewPCG(1, 2))),
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
