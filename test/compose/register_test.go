package compose_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/test/compose"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// open is the end of an ask without an answer.
const open = -1

// op returns an edit by key, from a revision, of the post p that a has made; from 0 it makes the
// post.
func op(key string, from int64, call, done int, outcome compose.Outcome) compose.Op {
	o := compose.Op{
		Key: key, Post: "p", Born: "a", Kind: compose.Edit, Expected: from, Asked: ms(call), Call: ms(call),
		Done: ms(done), Outcome: outcome,
	}
	if from == 0 {
		o.Kind = compose.Create
	}
	if done == open {
		o.Done = 1<<63 - 1
	}
	if outcome == compose.OK {
		o.Revision = from + 1
	}
	return o
}

// TestRegister: an order explains these operations.
func TestRegister(t *testing.T) {
	made := op("a", 0, 0, 1, compose.OK)
	checkRegisters(t, map[string]registerCase{
		"one after the other": {
			ops:    of(made, op("b", 1, 2, 3, compose.OK), op("c", 2, 4, 5, compose.OK)),
			states: []compose.FinalState{finally(3, "c")},
		},
		"two at once, one in conflict": {
			ops:    of(made, op("b", 1, 2, 5, compose.OK), op("c", 1, 2, 5, compose.Conflict)),
			states: []compose.FinalState{finally(2, "b")},
		},
		"unknown and done": {
			ops:    of(made, op("b", 1, 2, open, compose.Unknown)),
			states: []compose.FinalState{finally(2, "b")},
		},
		"unknown and not done": {
			ops:    of(made, op("b", 1, 2, open, compose.Unknown)),
			states: []compose.FinalState{finally(1, "a")},
		},
		"unknown, done late": {
			ops:    of(made, op("b", 1, 2, open, compose.Unknown), op("c", 2, 50, 51, compose.OK)),
			states: []compose.FinalState{finally(3, "c")},
		},
		"unknown and made": {
			ops:    of(op("a", 0, 0, open, compose.Unknown)),
			states: []compose.FinalState{finally(1, "a")},
		},
		"in conflict because of an unknown": {
			ops:    of(made, op("b", 1, 2, open, compose.Unknown), op("c", 1, 4, 5, compose.Conflict)),
			states: []compose.FinalState{finally(2, "b")},
		},
		"refused and not done": {
			ops:    of(made, op("b", 1, 2, 3, compose.Refused)),
			states: []compose.FinalState{finally(1, "a")},
		},
	})
}

// TestRegisterWithoutAnOrder: no order explains these operations.
func TestRegisterWithoutAnOrder(t *testing.T) {
	made := op("a", 0, 0, 1, compose.OK)
	checkRegisters(t, map[string]registerCase{
		"a lost update": {
			ops:    of(made, op("b", 1, 2, 3, compose.OK)),
			states: []compose.FinalState{finally(1, "a")},
			wrong:  true,
		},
		"a lost update, seen by a conflict": {
			ops:   of(made, op("b", 1, 2, 3, compose.OK), op("c", 2, 4, 5, compose.Conflict)),
			wrong: true,
		},
		"two successes from one revision": {
			ops:   of(made, op("b", 1, 2, 3, compose.OK), op("c", 1, 2, 3, compose.OK)),
			wrong: true,
		},
		"a stale success": {
			ops: of(
				made,
				op("b", 1, 2, 3, compose.OK),
				op("c", 2, 4, 5, compose.OK),
				op("d", 1, 6, 7, compose.OK),
			),
			wrong: true,
		},
		"a doubled write": {
			ops:    of(made, op("b", 1, 2, 3, compose.OK)),
			states: []compose.FinalState{finally(3, "b")},
			wrong:  true,
		},
		"a conflict without a cause": {ops: of(made, op("b", 1, 2, 3, compose.Conflict)), wrong: true},
		"refused and done": {
			ops:    of(made, op("b", 1, 2, 3, compose.Refused)),
			states: []compose.FinalState{finally(2, "b")},
			wrong:  true,
		},
		"done before it was asked for": {
			ops:    of(made, op("b", 1, 200, open, compose.Unknown)),
			states: []compose.FinalState{finally(2, "b")},
			wrong:  true,
		},
		"another's content": {
			ops:    of(made, op("b", 1, 2, 3, compose.OK)),
			states: []compose.FinalState{finally(2, "c")},
			wrong:  true,
		},
	})
}

// registerCase is the writes of the post p, its final states, and whether no order explains them.
type registerCase struct {
	ops    []compose.Op
	states []compose.FinalState
	wrong  bool
}

func checkRegisters(t *testing.T, cases map[string]registerCase) {
	t.Helper()
	for name, c := range cases {
		err := compose.CheckRegisters(c.ops, c.states, 10*time.Second)
		switch {
		case !c.wrong:
			if err != nil {
				t.Errorf("%s: got %v, want no error", name, err)
			}
		case err == nil:
			t.Errorf("%s: got no error, want one of post p", name)
		case !strings.Contains(err.Error(), "post p"):
			t.Errorf("%s: got %v, want an error of post p", name, err)
		}
	}
}

// finally returns the final state of p.
func finally(rev int64, key string) compose.FinalState {
	return compose.FinalState{
		Post: "p", Born: "a", Revision: rev, Key: key, State: posts.Published, Start: ms(100), End: ms(101),
	}
}
