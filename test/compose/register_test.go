package compose_test

import (
	"strings"
	"testing"
	"time"

	"blog/test/compose"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// open is the end of what nobody was told.
const open = -1

// op is an edit of p by key from a revision; from 0 it makes the post.
func op(key string, from int64, call, done int, outcome compose.Outcome) compose.Op {
	o := compose.Op{Key: key, Post: "p", Kind: compose.Edit, Expected: from, Call: ms(call), Done: ms(done), Outcome: outcome}
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

func TestRegister(t *testing.T) {
	made := op("a", 0, 0, 1, compose.OK)
	final := func(rev int64, key string) compose.Look {
		return compose.Look{Post: "p", Revision: rev, Key: key, Start: ms(100), End: ms(101)}
	}
	for name, c := range map[string]struct {
		ops   []compose.Op
		looks []compose.Look
		wrong bool
	}{
		"one after the other": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK), op("c", 2, 4, 5, compose.OK)}, looks: []compose.Look{final(3, "c")}},
		"two at once, one in conflict": {
			ops:   []compose.Op{made, op("b", 1, 2, 5, compose.OK), op("c", 1, 2, 5, compose.Conflict)},
			looks: []compose.Look{final(2, "b")},
		},
		"unknown and done":     {ops: []compose.Op{made, op("b", 1, 2, open, compose.Unknown)}, looks: []compose.Look{final(2, "b")}},
		"unknown and not done": {ops: []compose.Op{made, op("b", 1, 2, open, compose.Unknown)}, looks: []compose.Look{final(1, "a")}},
		"unknown, done late": {
			ops: []compose.Op{made, op("b", 1, 2, open, compose.Unknown), op("c", 2, 50, 51, compose.OK)}, looks: []compose.Look{final(3, "c")},
		},
		"unknown and made": {ops: []compose.Op{op("a", 0, 0, open, compose.Unknown)}, looks: []compose.Look{final(1, "a")}},
		"in conflict because of an unknown": {
			ops: []compose.Op{made, op("b", 1, 2, open, compose.Unknown), op("c", 1, 4, 5, compose.Conflict)}, looks: []compose.Look{final(2, "b")},
		},
		"refused and not done": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.Refused)}, looks: []compose.Look{final(1, "a")}},

		"a lost update": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK)}, looks: []compose.Look{final(1, "a")}, wrong: true},
		"a lost update, seen by a conflict": {
			ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK), op("c", 2, 4, 5, compose.Conflict)}, wrong: true,
		},
		"two successes from one revision": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK), op("c", 1, 2, 3, compose.OK)}, wrong: true},
		"a stale success": {
			ops:   []compose.Op{made, op("b", 1, 2, 3, compose.OK), op("c", 2, 4, 5, compose.OK), op("d", 1, 6, 7, compose.OK)},
			wrong: true,
		},
		"a doubled write":            {ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK)}, looks: []compose.Look{final(3, "b")}, wrong: true},
		"a conflict without a cause": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.Conflict)}, wrong: true},
		"refused and done":           {ops: []compose.Op{made, op("b", 1, 2, 3, compose.Refused)}, looks: []compose.Look{final(2, "b")}, wrong: true},
		"done before it was asked for": {
			ops:   []compose.Op{made, op("b", 1, 200, open, compose.Unknown)},
			looks: []compose.Look{final(2, "b")}, wrong: true,
		},
		"another's content": {ops: []compose.Op{made, op("b", 1, 2, 3, compose.OK)}, looks: []compose.Look{final(2, "c")}, wrong: true},
	} {
		err := compose.CheckRegisters(c.ops, c.looks, 10*time.Second)
		if c.wrong && (err == nil || !strings.Contains(err.Error(), "post p")) {
			t.Errorf("%s: the checker found nothing: %v", name, err)
		}
		if !c.wrong && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
