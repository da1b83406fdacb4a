package repo

import (
	"context"
	"sync/atomic"
	"time"
)

// Assurance says how many copies an answer rests on.
type Assurance string

// The assurances.
const (
	Two   Assurance = "two"   // a standby in the sync set has the row as well
	Alone Assurance = "alone" // the primary is the only member of the sync set: nobody else can be elected
	Local Assurance = "local" // the primary's disk: nothing else was asked for
)

// Durability decides who may write here and when an answer may be given. It is the one
// place that knows when a row is durable. Package cluster has the one for nodes that fail
// over; without any, a commit is enough.
type Durability interface {
	// BeginTerm begins a term when this node has become primary. It is called before the
	// writing connection is opened and the schema brought up, and an error keeps both
	// from happening; it is called again as long as the role lasts. over is closed when
	// the role ends, and then the term acts no more. The caller ends the term that it
	// was given; a further BeginTerm ends it as well.
	BeginTerm(ctx context.Context, over <-chan struct{}) (Term, error)
}

// Term is what Durability.BeginTerm began.
type Term interface {
	// Await returns when the row at row, and with it all before it, will last whatever one node
	// does next, and how many copies that rests on. row was written in this term. Await fails
	// at the end of the term, or of its role, and at the end of ctx.
	Await(ctx context.Context, row Cursor) (Assurance, error)
	// Confirm does the same for an answer without a row of its own, such as a replay or a
	// refusal, which rests on newest, the newest row that its transaction saw; the zero
	// Cursor when there was none. Such an answer has to be true at a moment since the
	// call: Confirm returns only when no other node had begun a term at such a moment.
	Confirm(ctx context.Context, newest Cursor) (Assurance, error)
	// End ends the term: when it returns, nothing acts for the term any more. A term
	// that has ended may be ended again.
	End()
}

// maxWaiting is how many calls a primary works on at once: those that wait for the committer,
// and those that wait for a standby. Further ones are refused at once.
const maxWaiting = 1000

// overloadedFor is when to come back to a primary that is overloaded.
const overloadedFor = 2 * time.Second

// admit counts a call, and returns a function that ends the count. It fails with Overloaded
// when maxWaiting calls are counted.
func admit(waiting *atomic.Int64) (func(), error) {
	if waiting.Add(1) > maxWaiting {
		waiting.Add(-1)
		return nil, fail(atStart, errTooMany, "")
	}
	return func() { waiting.Add(-1) }, nil
}

// acknowledge returns when the answer to a call of the term t may be given: when the row seen is
// durable, since an answer may only rest on what will last. seen is the call's row, if hasRow is
// true; for a replay or a refusal it is the newest row that the transaction found. It fails as
// OutcomeUnknown when that is not known in time. The writing connection is free meanwhile.
func (r *Repo) acknowledge(ctx context.Context, call *Call, t *term, seen Cursor, hasRow bool) error {
	if t.durability == nil {
		call.Reply.Assurance = Local
		return nil
	}
	wait := t.durability.Confirm
	if hasRow {
		wait = t.durability.Await
	}
	assurance, err := wait(ctx, seen)
	if err == nil {
		call.Reply.Assurance = assurance
		return nil
	}
	call.Reply = Reply{} // no answer rests on a row that may be lost
	return fail(atConfirm, err, call.Key)
}

// isConfirmed reports whether a row that is not in this primary's copy is in no copy that lasts.
// newest is the newest row of the copy, read under the role whose end closes over. isConfirmed has
// newest confirmed like the answer to a write: this node must still have been the primary, and not
// one that was replaced and does not know it yet.
func (r *Repo) isConfirmed(ctx context.Context, newest Cursor, over <-chan struct{}) bool {
	if r.durability != nil {
		if newest.Zero() { // nothing is confirmed by it
			return false
		}
		t, err := r.primary.currentTerm()
		if err != nil || t.over != over {
			return false
		}
		if _, err = t.durability.Confirm(ctx, newest); err != nil {
			return false
		}
	}
	return !isClosed(over)
}
