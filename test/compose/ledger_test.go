package compose_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"blog/internal/repo"
	"blog/test/compose"
)

func TestTellError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want compose.Outcome
	}{
		{&repo.Error{Code: repo.Conflict, Reason: "revision"}, compose.Conflict},
		{&repo.Error{Code: repo.Conflict, Reason: repo.KeyReused}, compose.Refused},
		{&repo.Error{Code: repo.Unavailable, Reason: repo.OutcomeUnknown}, compose.Unknown},
		{fmt.Errorf("posts.create: %w", &repo.Error{Code: repo.Unavailable, Reason: repo.OutcomeUnknown}), compose.Unknown},
		{&repo.Error{Code: repo.Unavailable, Reason: repo.NoPrimary}, compose.Refused},
		{&repo.Error{Code: repo.Internal}, compose.Unknown},
		{errors.New("what this is nobody knows"), compose.Unknown},
	} {
		if got := compose.TellError(c.err).Outcome; got != c.want {
			t.Errorf("%v is told as %s, want %s", c.err, got, c.want)
		}
	}
}

// TestTold: a reason is kept as it was told, and found among what was asked for after a
// moment.
func TestTold(t *testing.T) {
	l := compose.NewLedger(new(bytes.Buffer))
	full := &repo.Error{Code: repo.Unavailable, Reason: repo.DiskFull}
	for key, told := range map[string]compose.Told{
		"full": compose.TellError(fmt.Errorf("posts.create: %w", full)), "no primary": compose.TellError(&repo.Error{Code: repo.Unavailable, Reason: repo.NoPrimary}),
		"done": {Outcome: compose.OK}, "not answered": {},
	} {
		l.End(l.Begin(compose.Ask{Key: key}), told)
	}
	told := l.Told(0, repo.DiskFull)
	if len(told) != 1 || told[0].Key != "full" || told[0].Code != repo.Unavailable || told[0].Outcome != compose.Refused {
		t.Errorf("%+v", told)
	}
	if after := l.Told(l.Now(), repo.DiskFull); len(after) != 0 {
		t.Errorf("asked for before: %+v", after)
	}
}

func TestLedgerKeepsWhatIsNotAnswered(t *testing.T) {
	var file bytes.Buffer
	l := compose.NewLedger(&file)
	first := l.Begin(compose.Ask{Key: "k1", Kind: compose.Create, Post: "p"})
	l.Begin(compose.Ask{Key: "k2", Kind: compose.Create, Post: "q"})
	l.End(first, compose.Told{Outcome: compose.OK, Revision: 1})
	if n := strings.Count(file.String(), "\n"); n != 3 || l.Err() != nil {
		t.Fatalf("%d lines, want 3: %v\n%s", n, l.Err(), file.String())
	}
	asks := l.Asks()
	if len(asks) != 2 || asks[0].Outcome != compose.OK || asks[0].End < asks[0].Start || asks[1].Outcome != compose.Pending {
		t.Fatalf("%+v", asks)
	}
}

// ask is one ask of the key k: an edit of p from revision 1.
func ask(start, end int, told compose.Told) compose.Ask {
	told.End = ms(end)
	return compose.Ask{Key: "k", Kind: compose.Edit, Post: "p", Expected: 1, Start: ms(start), Told: told}
}

// TestSettled: only a key that somebody was left in doubt of counts, from then on.
func TestSettled(t *testing.T) {
	again, done, unknown := compose.Told{Outcome: compose.OK, Replayed: true}, compose.Told{Outcome: compose.OK}, compose.Told{Outcome: compose.Unknown}
	other := func(a compose.Ask) compose.Ask { a.Key = "l"; return a }
	for name, c := range map[string]struct {
		asks              []compose.Ask
		unknown, replayed int
	}{
		"unknown, then replayed":         {[]compose.Ask{ask(1, 2, unknown), ask(5, 6, again)}, 1, 1},
		"unknown twice, then replayed":   {[]compose.Ask{ask(1, 2, unknown), ask(3, 9, unknown), ask(5, 6, again)}, 2, 1},
		"done, then replayed":            {[]compose.Ask{ask(1, 2, done), ask(5, 6, again)}, 0, 0},
		"unknown, then done":             {[]compose.Ask{ask(1, 2, unknown), ask(5, 6, done)}, 1, 0},
		"another is unknown":             {[]compose.Ask{other(ask(1, 2, unknown)), ask(5, 6, again)}, 1, 0},
		"replayed before it was unknown": {[]compose.Ask{ask(1, 9, unknown), ask(5, 6, again)}, 1, 0},
	} {
		if unknown, replayed := compose.Settled(c.asks); unknown != c.unknown || replayed != c.replayed {
			t.Errorf("%s: %d unknown, %d replayed, want %d and %d", name, unknown, replayed, c.unknown, c.replayed)
		}
	}
}

// TestGroundless: a node that is cut off from 10 s to 20 s acknowledges nothing meanwhile,
// but for what it knew already.
func TestGroundless(t *testing.T) {
	var asks []compose.Ask
	for _, c := range []struct {
		key        string
		start, end int // ms
		told       compose.Told
	}{
		{"before", 9000, 9900, compose.Told{Outcome: compose.OK}},
		{"on its way", 9900, 10400, compose.Told{Outcome: compose.OK}},
		{"waits for the copy", 9900, 12100, compose.Told{Outcome: compose.OK}},
		{"WAITED", 9900, 14000, compose.Told{Outcome: compose.OK}},
		{"ASKED", 10100, 10200, compose.Told{Outcome: compose.OK}},
		{"until after it", 9900, 21000, compose.Told{Outcome: compose.OK}},
		{"replayed", 10100, 15000, compose.Told{Outcome: compose.OK, Replayed: true}},
		{"unknown", 9900, 14000, compose.Told{Outcome: compose.Unknown}},
		{"not answered", 9900, 0, compose.Told{}},
	} {
		a := ask(c.start, c.end, c.told)
		a.Key, a.Node = c.key, "n"
		elsewhere := a
		elsewhere.Node, elsewhere.Key = "m", c.key+" elsewhere"
		asks = append(asks, a, elsewhere)
	}
	if got := compose.Groundless(asks, ms(10_000), ms(20_000), &compose.Node{Name: "n"}); !slices.Equal(got, []string{"WAITED", "ASKED"}) {
		t.Errorf("%q", got)
	}
}

// TestWaiting: all of the writes wait on all of the nodes, or some do not.
func TestWaiting(t *testing.T) {
	pending := func(node, key string) compose.Ask { return compose.Ask{Node: node, Key: key} }
	told := func(node, key string, outcome compose.Outcome) compose.Ask {
		return compose.Ask{Node: node, Key: key, Told: compose.Told{Outcome: outcome}}
	}
	for name, c := range map[string]struct {
		asks  []compose.Ask
		wrong string
	}{
		"all wait":         {[]compose.Ask{pending("n", "k"), pending("m", "k"), pending("n", "l"), pending("m", "l"), told("n", "j", compose.OK)}, ""},
		"one is answered":  {[]compose.Ask{pending("n", "k"), told("m", "k", compose.OK), pending("n", "l"), pending("m", "l")}, "k is told as ok (on m"},
		"one is not known": {[]compose.Ask{pending("n", "k"), pending("m", "k"), pending("n", "l"), told("m", "l", compose.Unknown)}, "l is told as unknown"},
		"one comes later":  {[]compose.Ask{pending("n", "k"), pending("m", "k"), pending("n", "l")}, "l is not asked for on m"},
	} {
		nodes := []*compose.Node{{Name: "n"}, {Name: "m"}}
		expect(t, name, compose.Waiting(c.asks, nodes, compose.Write{Key: "k"}, compose.Write{Key: "l"}), c.wrong)
	}
}

func TestMerge(t *testing.T) {
	done := compose.Told{Outcome: compose.OK, Revision: 2, PostID: 1, Cursor: "5-x"}
	again, elsewhere, twice := done, done, done
	again.Replayed, elsewhere.Replayed = true, true
	elsewhere.Cursor = "9-y"
	unknown, refused, conflict := compose.Told{Outcome: compose.Unknown}, compose.Told{Outcome: compose.Refused}, compose.Told{Outcome: compose.Conflict}
	for name, c := range map[string]struct {
		asks       []compose.Ask
		want       compose.Outcome
		call, done int
		wrong      string
	}{
		"done":                         {asks: []compose.Ask{ask(1, 2, done)}, want: compose.OK, call: 1, done: 2},
		"unknown, then replayed":       {asks: []compose.Ask{ask(1, 2, unknown), ask(5, 6, again)}, want: compose.OK, call: 1, done: 6},
		"unknown, then done":           {asks: []compose.Ask{ask(1, 2, unknown), ask(5, 6, done)}, want: compose.OK, call: 1, done: 6},
		"the first answer counts":      {asks: []compose.Ask{ask(1, 9, done), ask(3, 6, again)}, want: compose.OK, call: 1, done: 6},
		"refused, then unknown":        {asks: []compose.Ask{ask(1, 2, refused), ask(5, 6, unknown)}, want: compose.Unknown, call: 1, done: -1},
		"unknown, then refused":        {asks: []compose.Ask{ask(1, 2, unknown), ask(5, 6, refused)}, want: compose.Unknown, call: 1, done: -1},
		"not answered":                 {asks: []compose.Ask{ask(1, 0, compose.Told{})}, want: compose.Unknown, call: 1, done: -1},
		"unknown, then conflict":       {asks: []compose.Ask{ask(1, 2, unknown), ask(5, 6, conflict)}, want: compose.Conflict, call: 5, done: 6},
		"refused":                      {asks: []compose.Ask{ask(1, 2, refused)}, want: compose.Refused, call: 1, done: 2},
		"done in two places":           {asks: []compose.Ask{ask(1, 2, done), ask(5, 6, elsewhere)}, wrong: "is done as row"},
		"done twice":                   {asks: []compose.Ask{ask(1, 2, done), ask(5, 6, twice)}, wrong: "carried out again"},
		"done and in conflict":         {asks: []compose.Ask{ask(1, 2, done), ask(5, 6, conflict)}, wrong: "in conflict"},
		"asked at once on two, one ok": {asks: []compose.Ask{ask(1, 5, done), ask(2, 4, unknown)}, want: compose.OK, call: 1, done: 5},
	} {
		ops, err := compose.Merge(c.asks)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: error %v, want one with %q", name, err, c.wrong)
			}
			continue
		}
		if err != nil || len(ops) != 1 {
			t.Errorf("%s: %v, %+v", name, err, ops)
			continue
		}
		op := ops[0]
		if op.Outcome != c.want || op.Call != ms(c.call) || (c.done >= 0 && op.Done != ms(c.done)) || (c.done < 0 && op.Done < ms(1e9)) {
			t.Errorf("%s: %+v", name, op)
		}
	}
}
