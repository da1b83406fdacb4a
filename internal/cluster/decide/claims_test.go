package decide_test

import (
	"encoding/binary"
	"slices"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// answered checks an answer that is given.
func (n *node) answered(e decide.GiveAnswer) {
	w, wt := n.w, n.waiters[e.Waiter]
	delete(n.waiters, e.Waiter)
	if n.overdue { // package cluster checks the role after everything that an answer rests on
		w.counts["answers that nobody knows"]++
		n.given[e.Waiter] = unknown
		return
	}
	n.given[e.Waiter] = string(e.Assurance)
	w.noteSafe()
	wt.safe = wt.safe || w.safe(wt.row)
	w.record("%s answers for row %d: %s, write %t", n.id, wt.row.Seq, e.Assurance, wt.write)
	if !wt.safe {
		w.violated("%s answers for row %d, which a member of the set %s lacks", n.id, wt.row.Seq, w.consul.members())
	}
	if !wt.write && !wt.newest {
		w.violated("%s confirms row %d, and another node had begun a later term before it was asked", n.id, wt.row.Seq)
	}
	if !wt.write {
		w.counts["confirmed, "+string(e.Assurance)]++
		return
	}
	w.counts["acknowledged, "+string(e.Assurance)]++
	w.acknowledged = append(w.acknowledged, wt.row)
}

// safe reports whether all members of the set that still exist have a row. Where Consul was restored and the
// holder has not seen it yet that is the set which it wrote: what it acknowledges until then is lost if it dies
// before it sees it (DESIGN.md).
func (w *world) safe(row repo.Cursor) bool {
	c := &w.consul
	members := c.set.Members
	if c.restored && !c.seen {
		members = c.written[len(c.written)-1].Members
	}
	for _, m := range members {
		if n := w.node(m.ID); n != nil && !n.has(row) {
			return false
		}
	}
	return true
}

// noteSafe notes which of the rows that answers wait for all members have.
func (w *world) noteSafe() {
	for _, n := range w.nodes {
		for _, wt := range n.waiters {
			wt.safe = wt.safe || w.safe(wt.row)
		}
	}
}

// checkMembers checks the claim about the set: its members have everything that was acknowledged, and what
// it requires of a primary.
func (w *world) checkMembers() {
	if w.consul.set == nil || w.consul.restored {
		return
	}
	required, err := repo.ParseCursor(w.consul.set.Required)
	for _, m := range w.consul.set.Members {
		n := w.node(m.ID)
		if n == nil {
			continue
		}
		for _, row := range w.acknowledged {
			if !n.has(row) {
				w.violated("%s is in the set %s and lacks row %d, which was acknowledged", n.id, w.consul.members(), row.Seq)
				break
			}
		}
		if err == nil && !n.has(required) {
			w.violated("%s is in the set %s and lacks row %d, which that requires", n.id, w.consul.members(), required.Seq)
		}
	}
}

// write writes a row on a primary, whose caller waits for the answer. It returns that answer's number.
func (n *node) write() uint64 {
	if n.state == nil || n.state.Term() == 0 || n.leaving || n.overdue {
		return 0
	}
	return n.want(n.commit(), true)
}

// commit adds a row to the node's copy, whose commit has not returned yet.
func (n *node) commit() repo.Cursor {
	n.w.rows++
	row := repo.Cursor{Seq: int64(len(n.copy)) + 1}
	binary.BigEndian.PutUint64(row.Mark[:], n.w.rows)
	n.copy = append(n.copy, row)
	n.w.counts["written"]++
	return row
}

// What becomes of an answer, beside the assurances.
const (
	waiting = "waiting"
	unknown = "unknown"
)

// answer is what has become of an answer of this node's.
func (n *node) answer(number uint64) string {
	if given, is := n.given[number]; is {
		return given
	}
	return waiting
}

// want has an answer wait that rests on a row, and returns its number.
func (n *node) want(row repo.Cursor, write bool) uint64 {
	if n.state == nil || n.state.Term() == 0 {
		return 0
	}
	n.asked++
	n.waiters[n.asked] = &waiter{row: row, write: write, newest: n.w.begun == begun{n, n.state.Term()}}
	n.w.noteSafe()
	n.w.record("%s: an answer waits for row %d, write %t", n.id, row.Seq, write)
	n.on(decide.AnswerWanted{Term: n.state.Term(), Waiter: n.asked, Row: row, Write: write})
	return n.asked
}

// readFeed has the feed read what has come.
func (n *node) readFeed() {
	switch {
	case n.state == nil || n.stopped:
	case n.reset:
		n.reset, n.read = false, len(n.copy)
		n.feed = append(n.feed, batch{reset: true, rows: []repo.Cursor{n.newest()}, epoch: n.epoch})
	case n.read < len(n.copy):
		n.feed = append(n.feed, batch{rows: slices.Clone(n.copy[n.read:]), epoch: n.epoch})
		n.read = len(n.copy)
	}
}

// deliverFeed gives the state what the feed has read first.
func (n *node) deliverFeed() {
	if n.state == nil || n.stopped || len(n.feed) == 0 {
		return
	}
	b := n.feed[0]
	n.feed = n.feed[1:]
	if b.reset {
		n.on(decide.HistoryReset{Position: b.rows[0], Epoch: b.epoch, Over: b.epoch != n.epoch})
	} else {
		n.on(decide.RowsRead{Rows: b.rows, Epoch: b.epoch, Over: b.epoch != n.epoch})
	}
}

// replicate brings a replica's copy further: it gets what the primary has next, or the primary's copy in the
// place of its own. Only a primary whose term Consul has confirmed is followed (package mount).
func (n *node) replicate(rows int) {
	p := n.w.node(n.w.consul.holder)
	if p == nil || p == n || n.state == nil || n.held || n.role == litefs.Primary || !n.w.consul.confirmed || n.stopped {
		return
	}
	if n.has(p.newest()) && len(n.copy) == len(p.copy) {
		return
	}
	n.lacking = nil
	if len(p.copy) < len(n.copy) || !p.has(n.newest()) {
		n.w.record("%s takes the copy of %s: %d rows in the place of %d", n.id, p.id, len(p.copy), len(n.copy))
		n.w.counts["copies replaced"]++
		n.copy, n.reset = slices.Clone(p.copy), true
	} else {
		n.copy = append(n.copy, p.copy[len(n.copy):min(len(p.copy), len(n.copy)+rows)]...)
	}
	n.w.noteSafe()
	n.w.checkMembers()
}
