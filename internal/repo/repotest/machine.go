package repotest

import (
	"sync"
	"time"

	"blog/internal/clock"
)

// Machine has the clocks of a machine, which the test moves. It begins with the real time.
type Machine struct {
	mu    sync.Mutex
	truth time.Time
	wall  time.Duration // ahead of the truth
	mono  time.Duration
}

// NewMachine returns a machine whose wall clock is ahead of the truth by off.
func NewMachine(off time.Duration) *Machine {
	return &Machine{truth: time.Now().UTC().Truncate(time.Second), wall: off}
}

// Read is a clock.Source.
func (m *Machine) Read() clock.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clock.Reading{Wall: m.truth.Add(m.wall), Mono: m.mono}
}

// Truth is the true time.
func (m *Machine) Truth() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.truth
}

// Pass lets time pass, which both clocks count.
func (m *Machine) Pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.truth, m.mono = m.truth.Add(d), m.mono+d
}

// Set makes the wall clock be ahead of the truth by off.
func (m *Machine) Set(off time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall = off
}
