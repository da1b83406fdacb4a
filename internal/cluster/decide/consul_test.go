package decide_test

import (
	"fmt"
	"slices"
	"strings"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// consul is one lock and one set, and what is on its way to them.
type consul struct {
	holder    string // "" while nobody holds the lock
	lease     int    // a number for each holding
	confirmed bool   // the set has been written under this holding
	set       *litefs.SyncSet
	index     uint64
	written   []litefs.SyncSet // under this holding
	restored  bool             // the set is one from before, and has not been written since
	seen      bool             // which its holder has seen
	restores  int              // under this holding
	known     uint64           // the newest index that its holder has got an answer about
	late      []late
}

// late is a change whose sender has given up waiting.
type late struct {
	node   *node
	change litefs.SyncChange
}

func (c *consul) members() string {
	if c.set == nil {
		return "[]"
	}
	var ids []string
	for _, m := range c.set.Members {
		ids = append(ids, m.ID)
	}
	return "[" + strings.Join(ids, " ") + "]"
}

func (c *consul) name() string { return fmt.Sprint(c.lease) }

// elect gives the lock to a node, if it is free and the node may have it.
func (w *world) elect(n *node) bool {
	c := &w.consul
	if c.holder != "" || c.restored || n.state == nil || n.stopped || n.cut || c.set != nil && !c.set.Has(n.id) {
		return false
	}
	if n.lacking != nil && slices.Equal(n.lacking, n.copy) {
		return false
	}
	if c.set == nil {
		c.index++
		c.set = &litefs.SyncSet{Members: []litefs.Member{{ID: n.id, Name: n.id}}, Index: c.index}
	}
	w.hand(n)
	w.counts["elections"]++
	return true
}

// hand makes a node the holder of the lock, anew.
func (w *world) hand(n *node) {
	c := &w.consul
	c.holder, c.confirmed, c.written, c.restores = n.id, false, nil, 0
	c.lease++
	w.record("%s holds the lease %d with the set %s", n.id, c.lease, c.members())
	n.setRole(litefs.Unknown, "")
	n.setRole(litefs.Primary, "")
}

// expire ends the lease.
func (w *world) expire() {
	w.forgive()
	w.record("the lease %d ends", w.consul.lease)
	w.consul.holder = ""
}

// forgive undoes that Consul was restored: what was acknowledged cannot be defended where the holder dies before it
// has seen it (DESIGN.md).
func (w *world) forgive() {
	c := &w.consul
	if c.restored {
		c.restored = false
		c.set = &c.written[len(c.written)-1]
		w.record("Consul has the set %s of index %d", c.members(), c.set.Index)
	}
}

// restore puts an earlier set of the same holding back.
func (w *world) restore(set litefs.SyncSet) {
	c := &w.consul
	w.record("Consul is restored: the set of index %d in the place of %d", set.Index, c.set.Index)
	c.restored, c.seen = c.restored || set.Index != c.set.Index, false
	c.set = &set
	w.counts["restored"]++
}

// change makes a change of the set, if it may be made.
func (w *world) change(n *node, ch litefs.SyncChange) (litefs.SyncSet, error) {
	c := &w.consul
	switch {
	case c.holder != n.id || c.name() != ch.Term:
		return litefs.SyncSet{}, litefs.ErrNotHeld
	case c.set.Index != ch.Index:
		return litefs.SyncSet{}, litefs.ErrSetChanged
	}
	before, after := c.set.Required, ch.Required
	if b, a := position(before), position(after); a.Seq < b.Seq && !c.restored {
		w.violated("%s makes the set require row %d after row %d", n.id, a.Seq, b.Seq)
	}
	c.index++
	c.set = &litefs.SyncSet{
		Members: ch.Members, Seq: ch.Seq, Positions: ch.Positions, Required: ch.Required, Index: c.index,
	}
	c.confirmed = true
	c.written = append(c.written, *c.set)
	w.record("%s writes the set %s at index %d", n.id, c.members(), c.index)
	w.counts["sets of "+fmt.Sprint(len(ch.Members))]++
	w.noteSafe()
	w.checkMembers()
	return *c.set, nil
}

func position(p string) repo.Cursor {
	row, err := repo.ParseCursor(p)
	if err != nil {
		return repo.Cursor{}
	}
	return row
}

func (w *world) standing(n *node) litefs.Standing {
	s := litefs.Standing{Self: litefs.Member{ID: n.id, Name: n.id}, Candidate: true, Primary: w.consul.holder == n.id}
	if w.consul.set != nil {
		set := *w.consul.set
		s.Set = &set
	}
	if s.Primary {
		s.Term = w.consul.name()
	}
	return s
}

// do has Consul do what a term has asked for. The answer is then on its way.
func (w *world) do(n *node) {
	k := n.call
	if k == nil || k.event != nil || n.cut || n.stopped {
		return
	}
	switch e := k.effect.(type) {
	case decide.ReadStanding:
		k.restored = w.consul.restored
		k.event = decide.StandingRead{Term: k.term, Standing: w.standing(n)}
	case decide.WriteSet:
		set, err := w.change(n, e.Change)
		if err == nil {
			w.consul.restored = false
		}
		k.event = decide.SetWritten{Term: k.term, Set: set, Err: err}
	case decide.GiveUpLease:
		w.giveUp(n, e.Giving)
		k.event = decide.LeaseGivenUp{Term: k.term}
	}
}

func (w *world) giveUp(n *node, giving litefs.Giving) {
	w.record("%s gives the lease %s up, lacking %q", n.id, giving.Term, giving.Lacking)
	if giving.Lacking != "" {
		n.lacking = slices.Clone(n.copy)
	}
	if w.consul.holder == n.id && w.consul.name() == giving.Term {
		w.expire()
	}
}

// answer gives the term the answer that is on its way, or says that there is none.
func (w *world) answer(n *node) {
	k := n.call
	if k == nil || n.state == nil || n.stopped {
		return
	}
	n.call = nil
	if _, read := k.event.(decide.StandingRead); read && k.restored && w.consul.restored && w.consul.holder == n.id {
		w.consul.seen = true
	}
	switch e := k.event.(type) {
	case nil:
		w.lose(n, k)
		return
	case decide.StandingRead:
		w.consul.known = e.Standing.Set.Index
	case decide.SetWritten:
		w.consul.known = max(w.consul.known, e.Set.Index)
	}
	n.on(k.event)
}

// lose says that Consul did not answer. A change that it has not got may still reach it.
func (w *world) lose(n *node, k *call) {
	w.counts["without an answer"]++
	switch e := k.effect.(type) {
	case decide.ReadStanding:
		n.on(decide.StandingRead{Term: k.term, Err: litefs.ErrNoAnswer})
	case decide.WriteSet:
		if k.event == nil {
			w.consul.late = append(w.consul.late, late{n, e.Change})
		}
		n.on(decide.SetWritten{Term: k.term, Err: litefs.ErrNoAnswer})
	case decide.GiveUpLease:
		n.on(decide.LeaseGivenUp{Term: k.term, Err: litefs.ErrNoAnswer})
	}
}

// arrive has a change reach Consul whose sender has given up waiting.
func (w *world) arrive(i int) {
	l := w.consul.late[i]
	w.consul.late = slices.Delete(w.consul.late, i, i+1)
	written := slices.Clone(w.consul.written)
	if _, err := w.change(l.node, l.change); err == nil {
		if w.consul.restored {
			w.consul.written = written // it changes a set that is not the holder's
		}
		w.record("which came late")
		w.counts["changes that came late"]++
	}
}

// dropCall leaves what the term has asked for to itself: the term is over. An answer may still come.
func (n *node) dropCall() {
	if n.call == nil {
		return
	}
	if n.call.event != nil {
		n.stale = append(n.stale, n.call.event)
	}
	if e, is := n.call.effect.(decide.WriteSet); is && n.call.event == nil {
		n.w.consul.late = append(n.w.consul.late, late{n, e.Change})
	}
	n.call = nil
}

// open takes the next step of beginning a term.
func (n *node) open() {
	w := n.w
	if n.state == nil || n.role != litefs.Primary || n.stopped {
		return
	}
	n.endOverdue()
	if n.opening == nil && n.state.Term() != 0 {
		return
	}
	if n.opening == nil || n.opening.epoch != n.epoch {
		n.opening = &opening{epoch: n.epoch}
	}
	o := n.opening
	switch o.step {
	case 0:
		if n.cut {
			return
		}
		o.now = w.standing(n)
		now := o.now
		n.note(func(s *decide.State) { _, _, _ = s.Elected(now) })
		from, effects, err := n.state.Elected(now)
		n.carryOut(effects)
		if o.from = from; err != nil {
			n.refuse(err)
			return
		}
	case 1:
		held := decide.Copy{Absent: len(n.copy) == 0, Newest: n.newest(), Places: map[string]repo.Place{}}
		for p, row := range decide.Positions(o.from) {
			held.Places[p] = n.locate(row)
		}
		next, err := decide.Opening(o.now.Term, o.from, held)
		if o.next, o.newest = next, held.Newest; err != nil {
			n.refuse(err)
			return
		}
	case 2:
		if n.cut {
			return
		}
		answered := w.scene || w.rand.IntN(8) > 0
		if !answered && w.rand.IntN(2) == 0 {
			w.consul.late = append(w.consul.late, late{n, o.next})
			n.opening = nil
			return
		}
		set, err := w.change(n, o.next)
		if err == nil {
			w.consul.restored = false
		}
		if err != nil || !answered {
			n.opening = nil
			return
		}
		n.begin(o, set)
		return
	}
	o.step++
}

// begin begins the term whose set has been written.
func (n *node) begin(o *opening, set litefs.SyncSet) {
	w := n.w
	n.opening = nil
	n.dropCall()
	for _, row := range w.acknowledged {
		if !n.has(row) {
			w.violated("%s begins a term and lacks row %d, which was acknowledged", n.id, row.Seq)
			break
		}
	}
	n.on(decide.TermBegun{Self: o.now.Self, Lease: o.now.Term, Epoch: n.epoch, Set: set, Newest: o.newest, Asked: n.at})
	w.begun = begun{n, n.state.Term()}
	w.record("%s begins term %d with %d rows", n.id, n.state.Term(), len(n.copy))
	w.counts["terms"]++
}

func (n *node) refuse(err error) {
	n.opening = nil
	var refused *decide.RefusedError
	if asRefused(err, &refused) && refused.GiveUp != nil {
		n.w.giveUp(n, *refused.GiveUp)
	}
}

func (n *node) locate(row repo.Cursor) repo.Place {
	switch {
	case n.has(row):
		return repo.Here
	case int(row.Seq) > len(n.copy):
		return repo.Ahead
	default:
		return repo.Elsewhere
	}
}
