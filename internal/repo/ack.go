package repo

import (
	"context"
	"errors"
	"sync/atomic"
)

// Assurance says what an answer rests on.
type Assurance string

// The assurances.
const (
	Two   Assurance = "two"   // a standby in the sync set has the row as well
	Alone Assurance = "alone" // the primary is the only member of the sync set: nobody else can be elected
	Local Assurance = "local" // the primary's disk: nothing else was asked for
)

// Durability decides who may write here and when an answer may be given: the one
// place that knows what it takes for a row to last. Package cluster has the one
// for nodes that fail over; without any, a commit is enough.
type Durability interface {
	// Lead begins a term when this node has become primary. It is called before the
	// writing connection is opened and the schema brought up, and an error keeps both
	// from happening; it is called again as long as the role lasts. over is closed when
	// the role ends, and then the term acts no more. The caller ends the term that it
	// was given; a further Lead ends it as well.
	Lead(ctx context.Context, over <-chan struct{}) (Term, error)
}

// Term is what Durability.Lead began.
type Term interface {
	// Await returns when the row at own, and with it all before it, will last whatever
	// one node does next, and says on what that rests. own is a row that was written in
	// this term. Await fails at the end of the term, or of its role, and at the end of ctx.
	Await(ctx context.Context, own Cursor) (Assurance, error)
	// Confirm does the same for an answer without a row of its own, such as a replay or a
	// refusal, which rests on newest, the newest row that its transaction saw; the zero
	// Cursor when there was none. Such an answer has to be true at a moment since the
	// call: Confirm returns only when no other node had begun to lead at such a moment.
	Confirm(ctx context.Context, newest Cursor) (Assurance, error)
	// End ends the term: when it returns, nothing acts for the term any more. A term
	// that has ended may be ended again.
	End()
}

// maxWaiting is how many calls a primary works on at once: one writes, the others
// wait for it, or for a standby. What comes on top is refused at once.
const maxWaiting = 1000

// admit counts a call in, and gives what counts it out again.
func admit(waiting *atomic.Int64) (func(), error) {
	if waiting.Add(1) > maxWaiting {
		waiting.Add(-1)
		return nil, unavailable(Overloaded, "The primary has more writes to do than it can hold; nothing was saved. Try again in a moment.", overloadedFor, nil)
	}
	return func() { waiting.Add(-1) }, nil
}

// acknowledge decides when the answer to a call may be given, which came in the term t.
// seen is the newest row of the call's transaction: its own row, where own is true, or for a
// replay or a refusal the newest row that it found, since an answer may only rest on what
// will last. The writing connection is not held meanwhile.
func (r *Repo) acknowledge(ctx context.Context, call *Call, t *term, seen Cursor, own bool) error {
	if t.lead == nil {
		call.Reply.Assurance = Local
		return nil
	}
	wait := t.lead.Confirm
	if own {
		wait = t.lead.Await
	}
	assurance, err := wait(ctx, seen)
	if err == nil {
		call.Reply.Assurance = assurance
		return nil
	}
	call.Reply = Reply{} // what is not known to last is not told
	return &Error{
		Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 1, cause: errors.Join(errUnconfirmed, err),
		Message: "The primary has this, but no second node has confirmed it, so it is not known whether it will last. Ask again with the same key: it is carried out once at the most.",
	}
}

// confirmed reports whether it is certain that a row which is not in this primary's copy
// is in no copy that lasts. newest is the copy's newest row, and has been read under the
// role whose end closes over: that this node still is the primary then, and not one that
// was replaced and does not know it yet, is what an answer to a write needs as well.
func (r *Repo) confirmed(ctx context.Context, newest Cursor, over <-chan struct{}) bool {
	if r.durability != nil {
		if newest.Zero() { // nothing is confirmed by it
			return false
		}
		t, err := r.primary.ready()
		if err != nil || t.over != over {
			return false
		}
		if _, err = t.lead.Confirm(ctx, newest); err != nil {
			return false
		}
	}
	select {
	case <-over:
		return false
	default:
		return true
	}
}

// errUnconfirmed is in the cause of an answer that had to be given before it was
// known whether the row lasts.
var errUnconfirmed = errors.New("not confirmed by a standby")
