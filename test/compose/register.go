package compose

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// A post is one compare-and-set register, whose value is its revision and the key
// of the write that made it. The checker (porcupine, after Wing and Gong, and
// Lowe) looks for one order of all that was asked in which each took effect
// between its call and its answer.

// value is the register's state. The zero value: there is no such post.
type value struct {
	revision int64
	key      string
}

// step is the input of an operation.
type step struct {
	kind     Kind
	expected int64 // 0 for a Create
	key      string
}

// look is the kind of a read of the final state.
const look Kind = "look"

// said is an operation's output.
type said struct {
	outcome Outcome
	is      value // what a look showed; of an OK the revision alone
}

func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return value{} },
		Step: func(state, input, output any) (bool, any) {
			v, in, out := state.(value), input.(step), output.(said)
			next := value{revision: in.expected + 1, key: in.key}
			switch {
			case in.kind == look:
				return out.is == v, v
			case out.outcome == OK:
				return v.revision == in.expected && out.is.revision == next.revision, next
			case out.outcome == Conflict:
				return v.revision != in.expected, v
			case v.revision == in.expected: // Unknown, and it took effect
				return true, next
			}
			return true, v // Unknown, and it did not: as if it came after everything
		},
		DescribeOperation: func(input, output any) string {
			in, out := input.(step), output.(said)
			if in.kind == look {
				return fmt.Sprintf("look: %d by %s", out.is.revision, out.is.key)
			}
			return fmt.Sprintf("%s from %d by %s: %s", in.kind, in.expected, in.key, out.outcome)
		},
		DescribeState: func(state any) string {
			v := state.(value)
			return fmt.Sprintf("%d by %s", v.revision, v.key)
		},
	}
}

// Look is what a post was when nobody wrote.
type Look struct {
	Post       string
	Revision   int64
	Key        string
	Start, End time.Duration
}

// CheckRegisters looks for an order of ops and looks for each post by itself. An
// error names the posts for which there is none, or none was found within limit.
func CheckRegisters(ops []Op, looks []Look, limit time.Duration) error {
	histories := map[string][]porcupine.Operation{}
	add := func(post string, in step, out said, call, done time.Duration) {
		h := histories[post]
		histories[post] = append(h, porcupine.Operation{ClientId: len(h), Input: in, Output: out, Call: int64(call), Return: int64(done)})
	}
	for _, op := range ops {
		if op.Outcome == Refused {
			continue // it took no effect at any time, and says nothing of the register
		}
		add(op.Post, step{op.Kind, op.Expected, op.Key}, said{op.Outcome, value{revision: op.Revision}}, op.Call, op.Done)
	}
	for _, l := range looks {
		add(l.Post, step{kind: look}, said{OK, value{l.Revision, l.Key}}, l.Start, l.End)
	}
	var wrong []string
	until := time.Now().Add(limit)
	for post, h := range histories {
		if got := porcupine.CheckOperationsTimeout(model(), h, max(time.Second, time.Until(until))); got != porcupine.Ok {
			wrong = append(wrong, fmt.Sprintf("post %s: %s: %s", post, map[porcupine.CheckResult]string{
				porcupine.Illegal: "no order explains what was told", porcupine.Unknown: "no order found in time",
			}[got], describe(h)))
		}
	}
	return problems("registers", wrong)
}

func describe(h []porcupine.Operation) string {
	text := ""
	for _, o := range h {
		end := "?"
		if o.Return != int64(never) {
			end = time.Duration(o.Return).Round(time.Millisecond).String()
		}
		text += fmt.Sprintf("\n  %s to %s: %s", time.Duration(o.Call).Round(time.Millisecond), end, model().DescribeOperation(o.Input, o.Output))
	}
	return text
}
