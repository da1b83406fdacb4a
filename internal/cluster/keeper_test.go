package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"blog/internal/litefs"
)

// keeper plays Consul and the LiteFS nodes in front of it: one lock and one set. What
// the real ones do is tested on them, in internal/litefs/mount and test/compose.
type keeper struct {
	mu     sync.Mutex
	holder string
	term   int
	set    *litefs.SyncSet
	index  uint64
	puts   []litefs.SyncSet // every set there was

	swallow int // so many changes are made, or not, without an answer
	late    []func()
	down    bool
	slow    chan struct{} // answers about the standing are on their way until it is closed
	asked   int
	told    []string // what was asked of the LiteFS nodes
}

// hand gives the lock to id.
func (k *keeper) hand(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holder = id
	k.term++
	if k.set == nil {
		k.putLocked(litefs.SyncChange{Members: []litefs.Member{{ID: id, Name: id}}})
	}
}

func (k *keeper) putLocked(ch litefs.SyncChange) {
	k.index++
	k.set = &litefs.SyncSet{Members: slices.Clone(ch.Members), Seq: ch.Seq, Positions: slices.Clone(ch.Positions), Required: ch.Required, Index: k.index}
	k.puts = append(k.puts, *k.set)
}

// current is the set.
func (k *keeper) current() litefs.SyncSet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return *k.set
}

func (k *keeper) members() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, m := range k.set.Members {
		out = append(out, m.ID)
	}
	return out
}

// control is the keeper as one node sees it.
type control struct {
	*keeper
	id string
}

func (c control) Standing(context.Context) (litefs.Standing, error) {
	s, slow, err := c.standing()
	if slow != nil {
		<-slow
	}
	return s, err
}

func (c control) standing() (litefs.Standing, chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.down {
		return litefs.Standing{}, nil, litefs.ErrNoAnswer
	}
	s := litefs.Standing{Self: litefs.Member{ID: c.id, Name: c.id}, Candidate: true, Primary: c.holder == c.id}
	if c.set != nil {
		set := *c.set
		s.Set = &set
	}
	if s.Primary {
		s.Term = fmt.Sprint(c.term)
	}
	return s, c.slow, nil
}

func (c control) Change(_ context.Context, ch litefs.SyncChange) (litefs.SyncSet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return litefs.SyncSet{}, litefs.ErrNoAnswer
	}
	if c.swallow > 0 {
		c.swallow--
		c.late = append(c.late, func() { _, _ = c.changeLocked(ch) })
		return litefs.SyncSet{}, litefs.ErrNoAnswer
	}
	return c.changeLocked(ch)
}

func (c control) changeLocked(ch litefs.SyncChange) (litefs.SyncSet, error) {
	switch {
	case c.holder != c.id || fmt.Sprint(c.term) != ch.Term:
		return litefs.SyncSet{}, litefs.ErrNotHeld
	case c.set.Index != ch.Index:
		return litefs.SyncSet{}, litefs.ErrSetChanged
	}
	c.putLocked(ch)
	return *c.set, nil
}

// restore puts the set back to what it was, as a restored snapshot of Consul's does, with its index; the lock is as
// it was then.
func (k *keeper) restore(set litefs.SyncSet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set = &set
}

// refuse lets that many changes get no answer. They are not made.
func (k *keeper) refuse(changes int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.swallow = changes
}

// refused reports whether all changes that refuse was told of have been asked for.
func (k *keeper) refused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.swallow == 0
}

// cut keeps the keeper from answering.
func (k *keeper) cut(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

// delay keeps the keeper's answers about the standing on their way until what it returns
// is called.
func (k *keeper) delay() (arrive func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	slow := make(chan struct{})
	k.slow = slow
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.slow = nil
		close(slow)
	}
}

// questions is how often the standing has been asked for.
func (k *keeper) questions() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// arrive lets what was swallowed reach the keeper at last.
func (k *keeper) arrive() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.late {
		f()
	}
	k.late = nil
}

func (c control) Promote(context.Context) error { return c.tell("promote") }

// Demote gives the lease up. The keeper hands it on when the test says so.
func (c control) Demote(_ context.Context, giving litefs.Giving) error {
	return c.tell(strings.TrimSpace("demote " + giving.Lacking))
}

func (c control) tell(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, what+" "+c.id)
	return nil
}
