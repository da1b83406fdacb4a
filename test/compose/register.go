package compose

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"blog/internal/posts"
)

// A post is one compare-and-set register under its name. Its value is which write made the post,
// its revision, the key of the write that its text comes from, and its state. The checker
// (porcupine, after Wing and Gong, and Lowe) searches an order of everything that was asked for, in
// which each operation took effect, or was refused, between its call and its answer.

// value is the state of the register. The zero value means that there is no such post.
type value struct {
	born     string
	revision int64
	key      string
	state    posts.State
}

// step is the input of an operation.
type step struct {
	kind     Kind
	expected int64 // 0 for a Create
	key      string
	born     string
	state    posts.State // from the answer or, where it has none, from the row; "" when neither has one
}

// readFinal is the kind of a read of the final state.
const readFinal Kind = "final state"

// said is the output of an operation.
type said struct {
	outcome Outcome
	is      value // what a final state showed; for an OK only the revision
}

// carryOut returns the value of the register after the operation, and the answer.
func (in step) carryOut(v value) (value, said) {
	next := v
	switch {
	case in.kind == Create && v != value{}:
		return v, said{outcome: SlugUsed}
	case in.kind == Create:
		next = value{in.key, 1, in.key, in.stateOr(posts.Published)}
	case v.born != in.born:
		return v, said{outcome: NotFound}
	case in.kind == Release:
		next.state = posts.Published
	case v.revision != in.expected:
		return v, said{outcome: Conflict}
	case in.kind == Edit:
		next.key, next.revision = in.key, v.revision+1
		if v.state == posts.Scheduled { // an edit after its date, and before the release, publishes it
			next.state = in.stateOr(v.state)
		}
	case in.kind == Publish && v.state != posts.Published:
		next.state, next.revision = in.stateOr(posts.Published), v.revision+1 // or scheduled again, by the date that it has
	case in.kind == Unpublish && v.state != posts.Draft:
		next.state, next.revision = posts.Draft, v.revision+1
	case in.kind == Delete:
		return value{}, said{outcome: OK, is: v}
	}
	return next, said{outcome: OK, is: next}
}

func (in step) stateOr(other posts.State) posts.State {
	if in.state != "" {
		return in.state
	}
	return other
}

func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return value{} },
		Step: func(state, input, output any) (bool, any) {
			v, in, out := state.(value), input.(step), output.(said)
			if in.kind == readFinal {
				return out.is == v, v
			}
			next, answer := in.carryOut(v)
			switch out.outcome {
			case OK:
				same := answer.outcome == OK && answer.is.revision == out.is.revision
				stated := in.kind == Delete || in.state == "" || in.state == next.state
				return same && stated && (in.kind != Release || v.state == posts.Scheduled), next
			case Unknown:
				if answer.outcome == OK { // it took effect
					return true, next
				}
				return true, v // it took no effect, as if it came after everything else
			}
			return answer.outcome == out.outcome, v
		},
		DescribeOperation: func(input, output any) string {
			in, out := input.(step), output.(said)
			if in.kind == readFinal {
				return "final state: " + out.is.describe()
			}
			return fmt.Sprintf("%s from %d by %s of the post made by %s: %s %d %s", in.kind, in.expected, in.key, in.born,
				out.outcome, out.is.revision, in.state)
		},
		DescribeState: func(state any) string { return state.(value).describe() },
	}
}

func (v value) describe() string {
	if (v == value{}) {
		return "no post"
	}
	return fmt.Sprintf("%d by %s, %s, made by %s", v.revision, v.key, v.state, v.born)
}

// FinalState is a post's state when nobody wrote. Revision 0 means that there was no such post.
type FinalState struct {
	Post       string
	Born       string
	Revision   int64
	Key        string
	State      posts.State
	Start, End time.Duration
}

// CheckRegisters searches an order of ops and final states for each post by itself. It fails with
// the names of the posts for which there is none, or for which none was found within limit.
func CheckRegisters(ops []Op, states []FinalState, limit time.Duration) error {
	histories := map[string][]porcupine.Operation{}
	add := func(post string, in step, out said, call, done time.Duration) {
		h := histories[post]
		histories[post] = append(h, porcupine.Operation{ClientId: len(h), Input: in, Output: out, Call: int64(call),
			Return: int64(done)})
	}
	for _, op := range ops {
		if op.Outcome == Refused || op.Kind == Upload {
			continue // it took no effect at any time, and says nothing about the register
		}
		in := step{op.Kind, op.Expected, op.Key, op.Born, op.State}
		add(op.Post, in, said{op.Outcome, value{revision: op.Revision}}, op.Call, op.Done)
	}
	for _, l := range states {
		v := value{l.Born, l.Revision, l.Key, l.State}
		add(l.Post, step{kind: readFinal}, said{outcome: OK, is: v}, l.Start, l.End)
	}
	var wrong []string
	until := time.Now().Add(limit)
	for post, h := range histories {
		if got := porcupine.CheckOperationsTimeout(model(), h, max(time.Second, time.Until(until))); got != porcupine.Ok {
			wrong = append(wrong, fmt.Sprintf("post %s: %s: %s", post, verdict(got), describe(h, model().DescribeOperation)))
		}
	}
	return problems("registers", wrong)
}

func verdict(r porcupine.CheckResult) string {
	if r == porcupine.Illegal {
		return "no order explains what was told"
	}
	return "no order found in time"
}

func describe(h []porcupine.Operation, operation func(input, output any) string) string {
	text := ""
	for _, o := range h {
		end := "?"
		if o.Return != int64(never) {
			end = time.Duration(o.Return).Round(time.Millisecond).String()
		}
		text += fmt.Sprintf("\n  %s to %s: %s", time.Duration(o.Call).Round(time.Millisecond), end,
			operation(o.Input, o.Output))
	}
	return text
}
