package compose_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"blog/internal/apperr"
	"blog/test/compose"
)

func TestErrorOutcome(t *testing.T) {
	unknown := &apperr.Error{Code: apperr.Unavailable, Reason: apperr.OutcomeUnknown}
	for _, c := range []struct {
		err  error
		want compose.Outcome
	}{
		{&apperr.Error{Code: apperr.Conflict, Reason: "revision"}, compose.Conflict},
		{&apperr.Error{Code: apperr.Conflict, Reason: apperr.KeyReused}, compose.KeyUsed},
		{unknown, compose.Unknown},
		{fmt.Errorf("posts.create: %w", unknown), compose.Unknown},
		{&apperr.Error{Code: apperr.Unavailable, Reason: apperr.NoPrimary}, compose.Refused},
		{&apperr.Error{Code: apperr.Internal}, compose.Unknown},
		{errors.New("what this is nobody knows"), compose.Unknown},
	} {
		if got := compose.ErrorOutcome(c.err).Outcome; got != c.want {
			t.Errorf("%v is told as %s, want %s", c.err, got, c.want)
		}
	}
}

// TestAnsweredWith: a reason is stored as it was answered, and found among what was asked for after a
// moment.
func TestAnsweredWith(t *testing.T) {
	l := compose.NewLedger(new(bytes.Buffer))
	full := &apperr.Error{Code: apperr.Unavailable, Reason: apperr.DiskFull}
	for key, answered := range map[string]compose.Answer{
		"full":         compose.ErrorOutcome(fmt.Errorf("posts.create: %w", full)),
		"no primary":   compose.ErrorOutcome(&apperr.Error{Code: apperr.Unavailable, Reason: apperr.NoPrimary}),
		"done":         {Outcome: compose.OK},
		"not answered": {},
	} {
		l.End(l.Begin(compose.Ask{Key: key}), answered)
	}
	answered := l.AnsweredWith(0, apperr.DiskFull)
	if len(answered) != 1 || answered[0].Key != "full" || answered[0].Code != apperr.Unavailable ||
		answered[0].Outcome != compose.Refused {
		t.Errorf("%+v", answered)
	}
	if after := l.AnsweredWith(l.Now(), apperr.DiskFull); len(after) != 0 {
		t.Errorf("asked for before: %+v", after)
	}
}

func TestLedgerHasWhatIsNotAnswered(t *testing.T) {
	var file bytes.Buffer
	l := compose.NewLedger(&file)
	first := l.Begin(compose.Ask{Key: "k1", Kind: compose.Create, Post: "p"})
	l.Begin(compose.Ask{Key: "k2", Kind: compose.Create, Post: "q"})
	l.End(first, compose.Answer{Outcome: compose.OK, Revision: 1})
	if err := l.Err(); err != nil {
		t.Fatalf("got %v, want no error", err)
	}
	if n := strings.Count(file.String(), "\n"); n != 3 {
		t.Fatalf("got %d lines, want 3:\n%s", n, file.String())
	}
	asks := l.Asks()
	if len(asks) != 2 || asks[0].Outcome != compose.OK || asks[0].End < asks[0].Start ||
		asks[1].Outcome != compose.Pending {
		t.Fatalf("%+v", asks)
	}
}

// ask returns an ask of the key k: an edit of p from revision 1.
func ask(start, end int, answered compose.Answer) compose.Ask {
	answered.End = ms(end)
	return compose.Ask{Key: "k", Kind: compose.Edit, Post: "p", Expected: 1, Start: ms(start), Answer: answered}
}

// TestCountReplays: only a key with an unknown outcome counts, from then on.
func TestCountReplays(t *testing.T) {
	again, done, unknown := compose.Answer{Outcome: compose.OK,
		Replayed: true}, compose.Answer{Outcome: compose.OK}, compose.Answer{Outcome: compose.Unknown}
	other := func(a compose.Ask) compose.Ask { a.Key = "l"; return a }
	for name, c := range map[string]struct {
		asks              []compose.Ask
		unknown, replayed int
	}{
		"unknown, then replayed":         {of(ask(1, 2, unknown), ask(5, 6, again)), 1, 1},
		"unknown twice, then replayed":   {of(ask(1, 2, unknown), ask(3, 9, unknown), ask(5, 6, again)), 2, 1},
		"done, then replayed":            {of(ask(1, 2, done), ask(5, 6, again)), 0, 0},
		"unknown, then done":             {of(ask(1, 2, unknown), ask(5, 6, done)), 1, 0},
		"another is unknown":             {of(other(ask(1, 2, unknown)), ask(5, 6, again)), 1, 0},
		"replayed before it was unknown": {of(ask(1, 9, unknown), ask(5, 6, again)), 1, 0},
	} {
		if unknown, replayed := compose.CountReplays(c.asks); unknown != c.unknown || replayed != c.replayed {
			t.Errorf("%s: %d unknown, %d replayed, want %d and %d", name, unknown, replayed, c.unknown, c.replayed)
		}
	}
}

// TestGroundless: a node that is cut off from 10 s to 20 s acknowledges nothing in that time,
// except for what it knew already.
func TestGroundless(t *testing.T) {
	var asks []compose.Ask
	for _, c := range []struct {
		key        string
		start, end int // ms
		answered   compose.Answer
	}{
		{"before", 9000, 9900, compose.Answer{Outcome: compose.OK}},
		{"on its way", 9900, 10400, compose.Answer{Outcome: compose.OK}},
		{"waits for the copy", 9900, 12100, compose.Answer{Outcome: compose.OK}},
		{"WAITED", 9900, 14000, compose.Answer{Outcome: compose.OK}},
		{"ASKED", 10100, 10200, compose.Answer{Outcome: compose.OK}},
		{"until after it", 9900, 21000, compose.Answer{Outcome: compose.OK}},
		{"replayed", 10100, 15000, compose.Answer{Outcome: compose.OK, Replayed: true}},
		{"unknown", 9900, 14000, compose.Answer{Outcome: compose.Unknown}},
		{"not answered", 9900, 0, compose.Answer{}},
	} {
		a := ask(c.start, c.end, c.answered)
		a.Key, a.Node = c.key, "n"
		elsewhere := a
		elsewhere.Node, elsewhere.Key = "m", c.key+" elsewhere"
		asks = append(asks, a, elsewhere)
	}
	if got := compose.Groundless(asks, ms(10_000), ms(20_000), &compose.Node{Name: "n"}); !slices.Equal(got,
		[]string{"WAITED", "ASKED"}) {
		t.Errorf("%q", got)
	}
}

// TestWaiting: all writes wait on all nodes, or some do not.
func TestWaiting(t *testing.T) {
	pending := func(node, key string) compose.Ask { return compose.Ask{Node: node, Key: key} }
	answered := func(node, key string, outcome compose.Outcome) compose.Ask {
		return compose.Ask{Node: node, Key: key, Answer: compose.Answer{Outcome: outcome}}
	}
	for name, c := range map[string]struct {
		asks  []compose.Ask
		wrong string
	}{
		"all wait": {
			of(
				pending("n", "k"),
				pending("m", "k"),
				pending("n", "l"),
				pending("m", "l"),
				answered("n", "j", compose.OK),
			),
			"",
		},
		"one is answered": {
			of(pending("n", "k"), answered("m", "k", compose.OK), pending("n", "l"), pending("m", "l")),
			"k is told as ok (on m",
		},
		"one is not known": {
			of(pending("n", "k"), pending("m", "k"), pending("n", "l"), answered("m", "l", compose.Unknown)),
			"l is told as unknown",
		},
		"one comes later": {
			of(pending("n", "k"), pending("m", "k"), pending("n", "l")),
			"l is not asked for on m",
		},
	} {
		nodes := []*compose.Node{{Name: "n"}, {Name: "m"}}
		expect(t, name, compose.Waiting(c.asks, nodes, compose.Write{Key: "k"}, compose.Write{Key: "l"}), c.wrong)
	}
}

// TestMerge: what was asked and answered under one key is one op.
func TestMerge(t *testing.T) {
	done := compose.Answer{Outcome: compose.OK, Revision: 2, PostID: 1, Cursor: "5-x"}
	again := done
	again.Replayed = true
	unknown, refused := compose.Answer{Outcome: compose.Unknown}, compose.Answer{Outcome: compose.Refused}
	conflict := compose.Answer{Outcome: compose.Conflict}
	checkMerges(t, map[string]mergeCase{
		"done": {asks: of(ask(1, 2, done)), want: compose.OK, call: 1, done: 2},
		"unknown, then replayed": {
			asks: of(ask(1, 2, unknown), ask(5, 6, again)),
			want: compose.OK,
			call: 1,
			done: 6,
		},
		"unknown, then done": {
			asks: of(ask(1, 2, unknown), ask(5, 6, done)),
			want: compose.OK,
			call: 1,
			done: 6,
		},
		"the first answer counts": {
			asks: of(ask(1, 9, done), ask(3, 6, again)),
			want: compose.OK,
			call: 1,
			done: 6,
		},
		"refused, then unknown": {
			asks: of(ask(1, 2, refused), ask(5, 6, unknown)),
			want: compose.Unknown,
			call: 1,
			done: -1,
		},
		"unknown, then refused": {
			asks: of(ask(1, 2, unknown), ask(5, 6, refused)),
			want: compose.Unknown,
			call: 1,
			done: -1,
		},
		"not answered": {asks: of(ask(1, 0, compose.Answer{})), want: compose.Unknown, call: 1, done: -1},
		"unknown, then conflict": {
			asks: of(ask(1, 2, unknown), ask(5, 6, conflict)),
			want: compose.Conflict,
			call: 5,
			done: 6,
		},
		"refused": {asks: of(ask(1, 2, refused)), want: compose.Refused, call: 1, done: 2},
		"asked at once on two, one ok": {
			asks: of(ask(1, 5, done), ask(2, 4, unknown)),
			want: compose.OK,
			call: 1,
			done: 5,
		},
	})
}

// TestMergeOfContradictions: answers under one key that contradict each other.
func TestMergeOfContradictions(t *testing.T) {
	done := compose.Answer{Outcome: compose.OK, Revision: 2, PostID: 1, Cursor: "5-x"}
	elsewhere, twice := done, done
	elsewhere.Replayed, elsewhere.Cursor = true, "9-y"
	conflict := compose.Answer{Outcome: compose.Conflict}
	checkMerges(t, map[string]mergeCase{
		"done in two places":   {asks: of(ask(1, 2, done), ask(5, 6, elsewhere)), wrong: "is done as row"},
		"done twice":           {asks: of(ask(1, 2, done), ask(5, 6, twice)), wrong: "carried out again"},
		"done and in conflict": {asks: of(ask(1, 2, done), ask(5, 6, conflict)), wrong: "was told as conflict"},
	})
}

// mergeCase is the asks of one key, and the op that they are; done is -1 when that has no end.
type mergeCase struct {
	asks       []compose.Ask
	want       compose.Outcome
	call, done int
	wrong      string
}

func checkMerges(t *testing.T, cases map[string]mergeCase) {
	t.Helper()
	for name, c := range cases {
		ops, err := compose.Merge(c.asks)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: error %v, want one with %q", name, err, c.wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
			continue
		}
		if len(ops) != 1 {
			t.Errorf("%s: got %+v, want one", name, ops)
			continue
		}
		op := ops[0]
		if op.Outcome != c.want || op.Call != ms(c.call) || (c.done >= 0 && op.Done != ms(c.done)) ||
			(c.done < 0 && op.Done < ms(1e9)) {
			t.Errorf("%s: %+v", name, op)
		}
	}
}
