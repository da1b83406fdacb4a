package compose_test

import (
	"strings"
	"testing"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/test/compose"
)

// kind returns o as an op of another kind than an edit, with the state in its answer.
func kind(k compose.Kind, o compose.Op, state posts.State) compose.Op {
	o.Kind, o.State = k, state
	switch k {
	case compose.Delete:
		o.Revision = o.Expected
	case compose.Same:
		o.Revision, o.Unchanged = o.Expected, true
	}
	return o
}

// TestMergeOfJudgements: each answer that says something about the post at a moment of its own is an op of its own.
func TestMergeOfJudgements(t *testing.T) {
	unchanged := compose.Answer{Outcome: compose.OK, Unchanged: true, Revision: 1}
	done := compose.Answer{Outcome: compose.OK, Revision: 2, PostID: 1, Cursor: "5-x"}
	as := func(o compose.Outcome) compose.Answer { return compose.Answer{Outcome: o} }
	create := func(a compose.Ask) compose.Ask { a.Kind, a.Expected = compose.Create, 0; return a }
	variant := func(a compose.Ask) compose.Ask { a.Variant = "x"; return a }
	checkJudgements(t, map[string]judgementCase{
		"nothing to do, then in conflict": {
			asks: of(ask(1, 2, unchanged), ask(5, 6, as(compose.Conflict))),
			want: "ok conflict",
		},
		"unknown, then not found": {
			asks: of(ask(1, 2, as(compose.Unknown)), ask(5, 6, as(compose.NotFound))),
			want: "notfound",
		},
		"the slug was used, then unknown": {
			asks: of(create(ask(1, 2, as(compose.SlugUsed))), create(ask(5, 6, as(compose.Unknown)))),
			want: "unknown slugused",
		},
		"the slug was used, then done": {
			asks: of(create(ask(1, 2, as(compose.SlugUsed))), create(ask(5, 6, done))),
			want: "ok slugused",
		},
		"done, then the slug was used": {
			asks:  of(create(ask(1, 2, done)), create(ask(5, 6, as(compose.SlugUsed)))),
			wrong: "was told as slugused",
		},
		"done, then nothing to do": {asks: of(ask(1, 2, done), ask(5, 6, unchanged)), wrong: "was told as ok"},
		"done, then not found": {
			asks:  of(ask(1, 2, done), ask(5, 6, as(compose.NotFound))),
			wrong: "was told as notfound",
		},
		"done, and another content": {
			asks: of(ask(1, 2, done), variant(ask(5, 6, as(compose.KeyUsed)))),
			want: "ok",
		},
	})
}

// TestMergeOfForms: answers to forms, and to uploads, do not say whether they are replays.
func TestMergeOfForms(t *testing.T) {
	done := compose.Answer{Outcome: compose.OK, Revision: 2, PostID: 1, Cursor: "5-x"}
	form := compose.Answer{Outcome: compose.OK, Revision: 2}
	as := func(o compose.Outcome) compose.Answer { return compose.Answer{Outcome: o} }
	upload := func(a compose.Ask) compose.Ask { a.Kind = compose.Upload; return a }
	by := func(reader string, a compose.Ask) compose.Ask { a.Reader = reader; return a }
	checkJudgements(t, map[string]judgementCase{
		"a form that does not say its row": {
			asks: of(by("r", ask(1, 2, done)), by("r", ask(5, 6, form))),
			want: "ok",
		},
		"a picture, stored again": {
			asks: of(upload(ask(1, 2, as(compose.OK))), upload(ask(5, 6, as(compose.OK)))),
			want: "ok",
		},
		"a form that was done twice": {
			asks: of(
				by("r", ask(1, 2, done)),
				by("r", ask(5, 6, compose.Answer{Outcome: compose.OK, Revision: 2, Cursor: "9-y"})),
			),
			wrong: "and as row 9-y",
		},
	})
}

// judgementCase is the asks of one key, the outcomes of its ops, and what is wrong.
type judgementCase struct {
	asks  []compose.Ask
	want  string // outcomes
	wrong string
}

func checkJudgements(t *testing.T, cases map[string]judgementCase) {
	t.Helper()
	for name, c := range cases {
		ops, err := compose.Merge(c.asks)
		expect(t, name, err, c.wrong)
		var got []string
		for i, o := range ops {
			if got = append(got, string(o.Outcome)); o.Further != (i > 0) {
				t.Errorf("%s: %+v is further: %t", name, o, o.Further)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}

// TestCheckKeys: the first content under a key has it, and the refusal of another has to be true at
// one moment.
func TestCheckKeys(t *testing.T) {
	done, used := compose.Answer{Outcome: compose.OK, Revision: 2}, compose.Answer{Outcome: compose.KeyUsed}
	unknown := compose.Answer{Outcome: compose.Unknown}
	away := compose.Answer{Outcome: compose.Refused, Code: apperr.Unavailable}
	variant := func(a compose.Ask) compose.Ask { a.Variant = "x"; return a }
	for name, c := range map[string]struct {
		asks  []compose.Ask
		wrong string
	}{
		"done, then refused":               {of(ask(1, 2, done), variant(ask(5, 6, used))), ""},
		"at once":                          {of(ask(1, 9, done), variant(ask(5, 6, used))), ""},
		"at once, and the other was first": {of(ask(1, 9, used), variant(ask(5, 6, done))), ""},
		"unknown, then refused":            {of(ask(1, 2, unknown), variant(ask(5, 6, used))), ""},
		"not now":                          {of(ask(1, 2, done), variant(ask(5, 6, away)), variant(ask(7, 8, unknown))), ""},
		"refused, and nobody has it":       {of(ask(1, 2, used)), "nothing else can have it"},
		"refused before the other is asked": {
			of(ask(7, 8, done), variant(ask(5, 6, used))),
			"nothing else can have it",
		},
		"refused, and the other was not": {
			of(ask(1, 2, away), variant(ask(5, 6, used))),
			"nothing else can have it",
		},
		"both are done": {of(ask(1, 2, done), variant(ask(5, 6, done))), "another content has it"},
		"done, and in conflict": {
			of(ask(1, 2, done), variant(ask(5, 6, compose.Answer{Outcome: compose.Conflict}))),
			"another content has it",
		},
	} {
		expect(t, name, compose.CheckKeys(c.asks), c.wrong)
	}
}

// TestCheckAnswersExplained: what a post or a key explains is no fault by itself, and everything
// else is.
func TestCheckAnswersExplained(t *testing.T) {
	for _, o := range []compose.Outcome{compose.Conflict, compose.NotFound, compose.SlugUsed, compose.KeyUsed} {
		expect(t, string(o), compose.CheckAnswers(of(ask(1, 2, compose.Answer{Outcome: o}))), "")
	}
	refused := func(code apperr.Code) compose.Answer { return compose.Answer{Outcome: compose.Refused, Code: code} }
	expect(t, "invalid", compose.CheckAnswers(of(ask(1, 2, refused(apperr.Invalid)))), "was refused")
	expect(t, "signed out", compose.CheckAnswers(of(ask(1, 2, refused(apperr.Unauthorized)))), "was refused")
}

// TestBoardDrawsAllKinds: every kind is drawn sooner or later.
func TestBoardDrawsAllKinds(t *testing.T) {
	b := compose.NewStorm().Board
	b.Schedule(true)
	seen := map[string]bool{}
	revision := map[string]int64{}
	for i := range 4000 {
		w := b.Draw("n")
		what := string(w.Kind)
		switch {
		case w.Variant != "":
			what += " variant"
		case !w.Due.IsZero():
			what = "scheduled"
		case w.Kind == compose.Create && w.Post != "p"+strings.TrimPrefix(w.Key, "nk"):
			what = "slug again"
		case w.Picture != "" && w.Kind != compose.Upload:
			what += " with a picture"
		}
		seen[what] = true
		answer := compose.Answer{Outcome: compose.OK, PostID: int64(i + 1), Slug: w.Post, Revision: w.Expected + 1,
			State: posts.Published}
		switch {
		case w.Variant != "":
			answer = compose.Answer{Outcome: compose.KeyUsed}
		case what == "slug again":
			answer = compose.Answer{Outcome: compose.SlugUsed}
		case w.Kind == compose.Unpublish:
			answer.State = posts.Draft
		case w.Kind == compose.Edit && w.Expected < revision[w.Born]:
			answer = compose.Answer{Outcome: compose.Conflict}
		}
		if answer.Outcome == compose.OK {
			revision[w.Born] = answer.Revision
		}
		b.NoteAnswer(w, answer)
	}
	want := []string{"create", "create with a picture", "delete", "edit", "edit variant", "edit with a picture",
		"publish", "same", "scheduled", "slug again", "unpublish", "upload"}
	for _, what := range want {
		if !seen[what] {
			t.Errorf("nobody asks for %s", what)
		}
	}
}
