package repotest

import (
	"sync"

	"blog/internal/litefs"
	"blog/internal/repo"
)

var _ repo.Node = (*Seat)(nil)

// Seat is a node whose role the test moves.
type Seat struct {
	*litefs.Static // what seats beside each other share: it wakes them all, as replication would

	mu      sync.Mutex
	role    litefs.Role
	changed chan struct{}
}

// NewSeat returns a seat on its own: nothing wakes it but what is written there, and Notify.
func NewSeat(role litefs.Role) *Seat { return newSeat(litefs.OpenStatic(), role) }

// Beside returns another seat: what is written on one of them wakes the other at once.
func (s *Seat) Beside(role litefs.Role) *Seat { return newSeat(s.Static, role) }

func newSeat(wakes *litefs.Static, role litefs.Role) *Seat {
	return &Seat{Static: wakes, role: role, changed: make(chan struct{})}
}

// Role implements repo.Node.
func (s *Seat) Role() litefs.Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.role
}

// Changed implements repo.Node.
func (s *Seat) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Set moves the role, and wakes who waits for a change.
func (s *Seat) Set(role litefs.Role) {
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
