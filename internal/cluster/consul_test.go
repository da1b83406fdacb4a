package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"blog/internal/litefs"
)

// consul plays Consul and the LiteFS nodes in front of it: one lock and one set. What
// the real ones do is tested on them, in internal/litefs/mount and test/compose.
type consul struct {
	mu     sync.Mutex
	holder string
	term   int
	set    *litefs.SyncSet
	index  uint64
	puts   []litefs.SyncSet // every set there was

	unanswered int // so many changes are made, or not, without an answer
	late       []func()
	down       bool
	slow       chan struct{} // answers about the standing are on their way until it is closed
	changed    func()        // is called once when a change has been made, before its answer arrives
	asked      int
	requests   []string // what was asked of the LiteFS nodes
}

// grant gives the lease to id.
func (k *consul) grant(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holder = id
	k.term++
	if k.set == nil {
		k.putLocked(litefs.SyncChange{Members: []litefs.Member{{ID: id, Name: id}}})
	}
}

func (k *consul) putLocked(ch litefs.SyncChange) {
	k.index++
	k.set = &litefs.SyncSet{Members: slices.Clone(ch.Members), Seq: ch.Seq, Positions: slices.Clone(ch.Positions),
		Required: ch.Required, Index: k.index}
	k.puts = append(k.puts, *k.set)
}

// current is the set.
func (k *consul) current() litefs.SyncSet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return *k.set
}

func (k *consul) members() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, m := range k.set.Members {
		out = append(out, m.ID)
	}
	return out
}

// control is Consul as one node sees it.
type control struct {
	*consul
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
	set, changed, err := c.change(ch)
	if changed != nil {
		changed()
	}
	return set, err
}

func (c control) change(ch litefs.SyncChange) (set litefs.SyncSet, changed func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if set, err = c.answerLocked(ch); err == nil {
		changed, c.changed = c.changed, nil
	}
	return set, changed, err
}

func (c control) answerLocked(ch litefs.SyncChange) (litefs.SyncSet, error) {
	if c.down {
		return litefs.SyncSet{}, litefs.ErrNoAnswer
	}
	if c.unanswered > 0 {
		c.unanswered--
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

// onChange has changed called, once.
func (k *consul) onChange(changed func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changed = changed
}

// restore puts the set back to what it was, as a restored snapshot of Consul's does, with its index; the lock is as
// it was then.
func (k *consul) restore(set litefs.SyncSet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set = &set
}

// refuse lets that many changes get no answer. They are not made.
func (k *consul) refuse(changes int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unanswered = changes
}

// refused reports whether all changes that refuse was given have been asked for.
func (k *consul) refused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unanswered == 0
}

// cut has Consul not answer.
func (k *consul) cut(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

// delay has Consul's answers about the standing be on their way until what it returns
// is called.
func (k *consul) delay() (arrive func()) {
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
func (k *consul) questions() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// arrive lets what got no answer reach Consul at last.
func (k *consul) arrive() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.late {
		f()
	}
	k.late = nil
}

func (c control) Promote(context.Context) error { return c.record("promote") }

// Demote gives the lease up. The consul hands it on when the test says so.
func (c control) Demote(_ context.Context, giving litefs.Giving) error {
	return c.record(strings.TrimSpace("demote " + giving.Lacking))
}

func (c control) record(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, what+" "+c.id)
	return nil
}
