package compose

import "sync"

// gate admits callers while it is open, several at a time. The zero gate is closed.
type gate struct {
	mu   sync.RWMutex // held for reading by each caller that was admitted
	open bool
}

// enter reports whether the caller was admitted, and then has to leave. It does not wait.
func (g *gate) enter() bool {
	if !g.mu.TryRLock() {
		return false
	}
	if !g.open {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

// set opens the gate, or closes it after every admitted caller has left.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}
