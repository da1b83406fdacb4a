package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// lead is one term of this node as primary. Cluster.mu guards it. It acts only while it is
// Cluster.lead, which it is until its role is over, somebody ends it, or another begins.
type lead struct {
	c     *Cluster
	self  litefs.Member
	term  string
	over  <-chan struct{} // closed when the role ends
	since time.Time
	set   litefs.SyncSet // as Consul has it, as far as is known

	// need are the nodes, by id, without whose report nothing is acknowledged: all
	// other members of the set, and of any set that it may be by now.
	need map[string]bool
	// doubt says that the outcome of a change is not known: Consul is asked before
	// anything else. tried are then the members that it would have made.
	doubt bool
	tried []litefs.Member
	// unsure says that somebody may have been elected whom this term does not wait for: this
	// process was stopped for so long that the lease may be over, or Consul has a set that
	// this term did not write. Nothing is acknowledged before Consul says otherwise. pulse is when it last ran for
	// certain, awake when it last began to run again.
	unsure       bool
	pulse, awake time.Time
	// questioned is the newest moment at which an answer began to wait that may need Consul's
	// word (a replay or a refusal, or of a primary that is alone any answer), and held that of the newest question to Consul whose answer was that the lease
	// is still held: such an answer needs one that was asked after it.
	questioned, held time.Time
	verified         time.Time // when Consul was asked last
	// broken says that this term cannot go on; only a new one can.
	broken bool
	// before is the id of the primary before this node, and told when its last word came.
	before string
	told   time.Time
	join   *joining

	own    map[int64]repo.Mark // rows of this history: the newest when the term began, and all since
	newest repo.Cursor
	// behind is since when a needed node's copy has not moved although there is more.
	behind  map[string]time.Time
	covered map[string]int64 // by id: up to which seq its copy is this history

	run  context.Context // what acts for this term ends with it
	stop context.CancelFunc
	work *sync.WaitGroup
}

var _ repo.Term = (*lead)(nil)

// joining is a standby that is about to come into the set: what is acknowledged
// meanwhile waits for it already.
type joining struct {
	id     string
	target int64 // the newest write when it began
	until  time.Time
}

// Lead implements repo.Durability: it fails unless the LiteFS node holds the lease
// and is in the sync set. A term that has not been ended is ended first.
func (c *Cluster) Lead(ctx context.Context, over <-chan struct{}) (repo.Term, error) {
	select {
	case <-c.attached:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.beginning.Lock()
	defer c.beginning.Unlock()
	c.endAny()
	standing, err := c.o.Control.Standing(ctx)
	switch {
	case err != nil:
		return nil, err
	case !standing.Primary:
		return nil, errors.New("the lease is not held")
	case !standing.Set.Has(standing.Self.ID):
		return nil, errors.Join(fmt.Errorf("outside the sync set %s", c.names(standing.Set)), c.o.Control.Demote(ctx, litefs.Giving{Term: standing.Term}))
	}
	from := c.recognize(&standing)
	// The copy stays as it is from the election on: the change below is refused if another
	// has been primary since.
	head, next, err := c.begin(ctx, &from)
	if err != nil {
		return nil, c.refuse(ctx, standing.Term, err)
	}
	// The set is written once more with the same members: a change that this node has asked
	// for in the same term, before its role was lost from sight, can then not be carried out
	// any more.
	next.Term = standing.Term
	set, err := c.o.Control.Change(ctx, next)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	l := &lead{
		c: c, self: standing.Self, term: standing.Term, over: over, since: now, pulse: now, awake: now, set: set,
		own: map[int64]repo.Mark{}, behind: map[string]time.Time{}, covered: map[string]int64{},
	}
	l.settle()
	c.start(l, head)
	c.log.Info("this node leads", "term", l.term, "sync_set", c.names(&l.set), "seq", head.Seq)
	return l, nil
}

// start makes l this node's term, whose newest row is head, and has it act. It acts until
// its role is over, at the latest.
func (c *Cluster) start(l *lead, head repo.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.run, l.stop = context.WithCancel(c.run)
	l.work = new(sync.WaitGroup)
	l.before, l.told = c.primary.From, c.told
	c.primary = Word{}
	for id, at := range c.left {
		if l.since.Sub(at) > leftFor {
			delete(c.left, id)
		}
	}
	c.lead, c.last = l, l
	c.terms++
	c.registerLocked(l, head)
	c.at = head
	c.changedLocked()
	l.work.Go(func() { c.beat(l.run, l) })
	l.work.Go(func() { c.keep(l.run, l) })
	l.work.Go(func() {
		select {
		case <-l.over:
		case <-l.run.Done():
		}
		l.leave()
	})
}

// recognize returns the set from which a new term goes on. That is Consul's, unless this node
// has led under the same holding of the lease and Consul's set is none that it wrote then.
func (c *Cluster) recognize(s *litefs.Standing) litefs.SyncSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.last
	if l == nil || l.term != s.Term {
		return *s.Set
	}
	from, foreign := l.recognize(*s.Set)
	if foreign {
		c.warnForeignLocked(l, s.Set)
	}
	if l.tried == nil { // Lead is about to write it
		l.tried = from.Members
	}
	return from
}

// leave makes l act no more: from here on it is nobody's term.
func (l *lead) leave() {
	l.stop()
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if l.c.lead == l {
		l.c.lead = nil
		l.c.changedLocked()
	}
}

// End implements repo.Term.
func (l *lead) End() {
	l.leave()
	l.work.Wait()
}

// endAny ends the term that there is, if any.
func (c *Cluster) endAny() {
	c.mu.Lock()
	l := c.lead
	c.mu.Unlock()
	if l != nil {
		l.End()
	}
}

// leftFor is how long a node that said it leaves counts as gone for the next primary: a
// restart that takes longer is no part of the same upgrade.
const leftFor = 30 * time.Second

// newestLimit bounds a look that everybody waits for: where a rollback is due (a
// transaction of an earlier term is left) it is not this look that ends it.
const newestLimit = 2 * time.Second

// newest reads the newest row of this node's copy, the zero Cursor where there is no
// database yet.
func (c *Cluster) newest(ctx context.Context) (repo.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, newestLimit)
	defer cancel()
	var at repo.Cursor
	err := c.view(ctx, func(rd repo.Reader) error {
		var err error
		at, err = repo.Newest(ctx, rd)
		return err
	})
	if repo.HasReason(err, repo.NoDatabase) {
		return repo.Cursor{}, nil
	}
	return at, err
}

// assurance says what an acknowledgement rests on now.
func (l *lead) assurance() repo.Assurance {
	if len(l.set.Members) > 1 {
		return repo.Two
	}
	return repo.Alone
}

// settle makes need follow from the set.
func (l *lead) settle() {
	l.need = map[string]bool{}
	for _, m := range l.set.Members {
		if m.ID != l.self.ID {
			l.need[m.ID] = true
		}
	}
	if l.join != nil {
		l.need[l.join.id] = true
	}
}

// keepOwn is how many of this term's rows are remembered: a standby that is further
// behind is not about to be waited for.
const keepOwn = 20_000

// registerLocked notes a row of this node's own history and looks which standbys have
// it: their report may have come before the commit returned here.
func (c *Cluster) registerLocked(l *lead, at repo.Cursor) {
	if at.Zero() || l.own[at.Seq] == at.Mark {
		return
	}
	if mark, known := l.own[at.Seq]; known && mark != at.Mark {
		l.broken = true // cannot be: nobody rewrites the history of a term
		c.log.Error("the history was rewritten within a term", "seq", at.Seq)
		return
	}
	l.own[at.Seq] = at.Mark
	delete(l.own, at.Seq-keepOwn)
	if at.Seq > l.newest.Seq {
		l.newest = at
	}
	for id, p := range c.nodes {
		if p.over == l.over {
			c.coverLocked(l, id, p.cursor)
		}
	}
	c.changedLocked()
}

// coverLocked notes that the copy of the node with that id has reached at, if that is
// a row of this history.
func (c *Cluster) coverLocked(l *lead, id string, at repo.Cursor) {
	now := time.Now()
	mark, known := l.own[at.Seq]
	if known && mark == at.Mark && at.Seq > l.covered[id] {
		l.covered[id] = at.Seq
		delete(l.behind, id)
	}
	switch _, waited := l.behind[id]; {
	case l.covered[id] >= l.newest.Seq:
		delete(l.behind, id)
	case !waited:
		l.behind[id] = now
	}
}

// names returns the members' names for people.
func (c *Cluster) names(s *litefs.SyncSet) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "[" + strings.Join(c.namesLocked(s), " ") + "]"
}

// namesLocked calls nodes what they call themselves, as far as that is known.
func (c *Cluster) namesLocked(s *litefs.SyncSet) []string {
	var out []string
	if s == nil {
		return nil
	}
	for _, m := range s.Members {
		name := m.Name
		if p := c.nodes[m.ID]; p != nil && p.info.Node != "" {
			name = p.info.Node
		}
		if m.ID == c.self.ID {
			name = c.self.Node
		}
		out = append(out, name)
	}
	return out
}
