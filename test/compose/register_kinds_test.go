package compose_test

import (
	"testing"
	"time"

	"blog/internal/posts"
	"blog/test/compose"
)

// TestRegisterOfAllKinds: states, deletions, names that are used again, and refusals each take effect at one moment of
// their ask.
func TestRegisterOfAllKinds(t *testing.T) {
	checkPosts(t, map[string]postCase{
		"hidden": {ops: of(madePost(), hiddenPost()), final: isPost(2, "a", posts.Draft)},
		"hidden, and edited": {
			ops:   of(madePost(), hiddenPost(), kind(compose.Edit, op("b", 2, 4, 5, compose.OK), posts.Draft)),
			final: isPost(3, "b", posts.Draft),
		},
		"hidden, and published": {
			ops:   of(madePost(), hiddenPost(), kind(compose.Publish, op("b", 2, 4, 5, compose.OK), posts.Published)),
			final: isPost(3, "a", posts.Published),
		},
		"nothing to do": {
			ops:   of(madePost(), kind(compose.Same, op("b", 1, 4, 5, compose.OK), posts.Published)),
			final: isPost(1, "a", posts.Published),
		},
		"deleted": {ops: of(madePost(), deletedPost()), final: gonePost()},
		"deleted, and not found": {
			ops:   of(madePost(), deletedPost(), refusedAs(op("b", 1, 4, 5, compose.OK), compose.NotFound)),
			final: gonePost(),
		},
		"not found, at the same time": {
			ops:   of(madePost(), deletedPost(), refusedAs(op("b", 1, 2, 3, compose.OK), compose.NotFound)),
			final: gonePost(),
		},
		"deleted, and made again": {ops: of(madePost(), deletedPost(), madeAgain(4, 5, compose.OK)), final: otherPost()},
		"the slug was used": {
			ops:   of(madePost(), refusedAs(madeAgain(2, 3, compose.OK), compose.SlugUsed)),
			final: isPost(1, "a", posts.Published),
		},
		"used, and free at last": {
			ops: of(
				madePost(),
				refusedAs(madeAgain(2, 3, compose.OK), compose.SlugUsed),
				kind(compose.Delete, op("d", 1, 4, 5, compose.OK), ""),
				madeAgain(6, 7, compose.OK),
			),
			final: otherPost(),
		},
		"unknown whether it is gone": {
			ops:   of(madePost(), kind(compose.Delete, op("d", 1, 2, open, compose.Unknown), "")),
			final: gonePost(),
		},
		"or there": {
			ops:   of(madePost(), kind(compose.Delete, op("d", 1, 2, open, compose.Unknown), "")),
			final: isPost(1, "a", posts.Published),
		},
	})
}

// TestRegisterOfSchedules: a scheduled post is published by its release, or by an edit.
func TestRegisterOfSchedules(t *testing.T) {
	checkPosts(t, map[string]postCase{
		"scheduled":          {ops: of(dueAs(posts.Scheduled)), final: isPost(1, "a", posts.Scheduled)},
		"scheduled, and out": {ops: of(dueAs(posts.Scheduled), releasedAt(1)), final: isPost(1, "a", posts.Published)},
		"edited, and out": {
			ops:   of(dueAs(posts.Scheduled), kind(compose.Edit, op("b", 1, 2, 3, compose.OK), posts.Scheduled), releasedAt(2)),
			final: isPost(2, "b", posts.Published),
		},
		"out by an edit": {
			ops:   of(dueAs(posts.Scheduled), kind(compose.Edit, op("b", 1, 2, 3, compose.OK), posts.Published)),
			final: isPost(2, "b", posts.Published),
		},
		"late, and not scheduled ever": {ops: of(dueAs(posts.Published)), final: isPost(1, "a", posts.Published)},
	})
}

// TestRegisterOfWrongStates: no order explains these states.
func TestRegisterOfWrongStates(t *testing.T) {
	checkPosts(t, map[string]postCase{
		"a hiding is lost":  {ops: of(madePost(), hiddenPost()), final: isPost(1, "a", posts.Published), wrong: true},
		"hidden, and shown": {ops: of(madePost(), hiddenPost()), final: isPost(2, "a", posts.Published), wrong: true},
		"nothing to do, of another": {
			ops:   of(madePost(), op("b", 1, 2, 3, compose.OK), kind(compose.Same, op("c", 1, 4, 5, compose.OK), "")),
			final: isPost(2, "b", posts.Published),
			wrong: true,
		},
		"something to do, and not done": {
			ops: of(
				madePost(),
				kind(compose.Same, kind(compose.Publish, op("c", 1, 4, 5, compose.OK), posts.Draft), posts.Draft),
			),
			final: isPost(1, "a", posts.Published),
			wrong: true,
		},
		"out twice": {
			ops:   of(dueAs(posts.Scheduled), releasedAt(1), releasedAt(1)),
			final: isPost(1, "a", posts.Published),
			wrong: true,
		},
		"out, and it was hidden": {
			ops:   of(dueAs(posts.Scheduled), hiddenPost(), releasedAt(2)),
			final: isPost(2, "a", posts.Published),
			wrong: true,
		},
		"out without a release": {ops: of(dueAs(posts.Scheduled)), final: isPost(1, "a", posts.Published), wrong: true},
		"a state that is not so": {
			ops:   of(madePost(), kind(compose.Edit, op("b", 1, 2, 3, compose.OK), posts.Draft)),
			final: isPost(2, "b", posts.Published),
			wrong: true,
		},
	})
}

// TestRegisterOfWrongDeletions: no order explains these deletions, and posts after them.
func TestRegisterOfWrongDeletions(t *testing.T) {
	checkPosts(t, map[string]postCase{
		"a deletion is lost": {ops: of(madePost(), deletedPost()), final: isPost(1, "a", posts.Published), wrong: true},
		"a post is lost":     {ops: of(madePost()), final: gonePost(), wrong: true},
		"a deletion without a revision": {
			ops:   of(madePost(), op("b", 1, 2, 3, compose.OK), kind(compose.Delete, op("d", 1, 4, 5, compose.OK), "")),
			final: gonePost(),
			wrong: true,
		},
		"not found, before it is deleted": {
			ops: of(
				madePost(),
				refusedAs(op("b", 1, 2, 3, compose.OK), compose.NotFound),
				kind(compose.Delete, op("d", 1, 4, 5, compose.OK), ""),
			),
			final: gonePost(),
			wrong: true,
		},
		"found, after it was deleted": {
			ops:   of(madePost(), deletedPost(), op("b", 1, 4, 5, compose.OK)),
			final: isPost(2, "b", posts.Published),
			wrong: true,
		},
		"in conflict, and it is deleted": {
			ops:   of(madePost(), deletedPost(), op("b", 1, 4, 5, compose.Conflict)),
			final: gonePost(),
			wrong: true,
		},
		"an edit of the one before": {
			ops:   of(madePost(), deletedPost(), madeAgain(4, 5, compose.OK), op("b", 1, 6, 7, compose.OK)),
			final: otherPost(),
			wrong: true,
		},
		"a slug that was free": {
			ops:   of(madePost(), deletedPost(), refusedAs(madeAgain(4, 5, compose.OK), compose.SlugUsed)),
			final: gonePost(),
			wrong: true,
		},
		"one slug twice": {ops: of(madePost(), madeAgain(4, 5, compose.OK)), final: otherPost(), wrong: true},
	})
}

// postCase is the writes of the post p, its final state, and whether no order explains that.
type postCase struct {
	ops   []compose.Op
	final compose.FinalState
	wrong bool
}

func checkPosts(t *testing.T, cases map[string]postCase) {
	t.Helper()
	for name, c := range cases {
		err := compose.CheckRegisters(c.ops, []compose.FinalState{c.final}, 10*time.Second)
		if (err != nil) != c.wrong {
			t.Errorf("%s: wrong: %t, want %t: %v", name, err != nil, c.wrong, err)
		}
	}
}

func madePost() compose.Op { return op("a", 0, 0, 1, compose.OK) }

func hiddenPost() compose.Op {
	return kind(compose.Unpublish, op("u", 1, 2, 3, compose.OK), posts.Draft)
}

func deletedPost() compose.Op {
	return kind(compose.Delete, op("d", 1, 2, 3, compose.OK), posts.Published)
}

// refusedAs returns o with another outcome.
func refusedAs(o compose.Op, with compose.Outcome) compose.Op {
	o.Outcome, o.Revision = with, 0
	return o
}

// madeAgain returns a write that makes another post with the name p.
func madeAgain(call, done int, outcome compose.Outcome) compose.Op {
	o := op("z", 0, call, done, outcome)
	o.Born = "z"
	return o
}

// dueAs returns the write that makes p as a scheduled post, with the state in its answer.
func dueAs(state posts.State) compose.Op {
	return kind(compose.Create, op("a", 0, 0, 1, compose.OK), state)
}

func releasedAt(revision int64) compose.Op {
	return compose.Op{
		Key: "release", Post: "p", Born: "a", Kind: compose.Release, Call: 0, Done: ms(90), Outcome: compose.OK,
		Revision: revision,
	}
}

// isPost returns the final state of p.
func isPost(revision int64, key string, state posts.State) compose.FinalState {
	return compose.FinalState{
		Post: "p", Born: "a", Revision: revision, Key: key, State: state, Start: ms(100), End: ms(101),
	}
}

func gonePost() compose.FinalState {
	return compose.FinalState{Post: "p", Start: ms(100), End: ms(101)}
}

// otherPost returns the final state of the other post with the name p.
func otherPost() compose.FinalState {
	other := isPost(1, "z", posts.Published)
	other.Born = "z"
	return other
}
