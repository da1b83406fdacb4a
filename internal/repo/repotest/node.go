package repotest

import (
	"sync"

	"blog/internal/litefs"
	"blog/internal/repo"
)

var _ repo.Node = (*Node)(nil)

// Node is a node whose role the test moves.
type Node struct {
	*litefs.Static // what nodes beside each other share: it wakes them all, as replication would

	mu      sync.Mutex
	role    litefs.Role
	changed chan struct{}
}

// NewNode returns a node by itself: only its own writes, and Notify, wake it.
func NewNode(role litefs.Role) *Node { return newNode(litefs.OpenStatic(), role) }

// Beside returns another node: a write on one of the two wakes the other at once.
func (s *Node) Beside(role litefs.Role) *Node { return newNode(s.Static, role) }

func newNode(wakes *litefs.Static, role litefs.Role) *Node {
	return &Node{Static: wakes, role: role, changed: make(chan struct{})}
}

// Role implements repo.Node.
func (s *Node) Role() litefs.Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.role
}

// Changed implements repo.Node.
func (s *Node) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Set moves the role, and wakes who waits for a change.
func (s *Node) Set(role litefs.Role) {
	s.mu.Lock()
	s.role = role
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	s.Notify()
}

// Primary is the role of who may write.
func Primary() litefs.Role { return litefs.Role{State: litefs.Primary} }

// Replica is the role of who sends its writes to the private listener at url.
func Replica(url string) litefs.Role {
	return litefs.Role{State: litefs.Replica, Host: url, URL: url}
}

// Unknown is the role of who knows no primary.
func Unknown() litefs.Role { return litefs.Role{} }
