package compose_test

import (
	"testing"
	"time"

	"blog/internal/posts"
	"blog/test/compose"
)

// TestCheckReadYourWrites: a reader who has written reads what they wrote, or is told that it is missing.
func TestCheckReadYourWrites(t *testing.T) {
	made, edit := madeByA(), byAuthor(op("b", 1, 10, 20, compose.OK))
	deletion := kind(compose.Delete, op("d", 2, 30, 40, compose.OK), "")
	checkAuthorPages(t, map[string]authorCase{
		"what was written":            {of(made, edit), authorPage(21, shown2), ""},
		"asked for before the answer": {of(made, edit), authorPage(19, shown1), ""},
		"behind, and says so":         {of(made, edit), staleAt2(authorPage(21, shown1)), ""},
		"not there, and says so":      {of(made, edit), staleAt2(failedWith(authorPage(21), 404)), ""},
		"on its way":                  {of(made, edit), failedWith(authorPage(21), 503), ""},
		"no answer":                   {of(made, edit), failedWith(authorPage(21), 0), ""},
		"another reader":              {of(made, edit), byReader("another", authorPage(21, shown1)), ""},
		"deleted by another":          {of(made, edit, deletion), failedWith(authorPage(31), 404), ""},
		"deleted by a primary that is cut off": {
			of(made, edit, inConflict(deletion)),
			withoutRows(failedWith(authorPage(31), 404)),
			"",
		},
		"a list that is full of others": {of(made, edit), ofList(authorPage(21)), ""},
		"another post of that name": {
			of(made, edit, deletion, acknowledged("z", "p", 0, 9, 2)),
			authorPage(50, compose.Shown{Post: "p", Revision: 1, Key: "z"}),
			"",
		},
		"a state": {
			of(made, byAuthor(kind(compose.Unpublish, op("u", 1, 10, 20, compose.OK), posts.Draft))),
			authorPage(21, shown1),
			"",
		},
		"a deletion": {of(made, edit, byAuthor(deletion)), failedWith(authorPage(41), 404), ""},
		"a picture":  {of(authorPicture()), failedWith(authorImage(), 200), ""},
	})
}

// TestCheckReadYourWritesMissing: pages that lack what their reader has written.
func TestCheckReadYourWritesMissing(t *testing.T) {
	made, edit := madeByA(), byAuthor(op("b", 1, 10, 20, compose.OK))
	deletion := kind(compose.Delete, op("d", 2, 30, 40, compose.OK), "")
	older := kind(compose.Delete, op("d", 1, 30, 40, compose.OK), "")
	checkAuthorPages(t, map[string]authorCase{
		"the page lacks it": {
			of(made, edit),
			authorPage(21, shown1),
			"shows revision 1, after their own edit of p by b",
		},
		"a list lacks it":                {of(made, edit), ofList(authorPage(21, shown1)), "shows revision 1"},
		"the post is not found":          {of(byAuthor(made)), failedWith(authorPage(21), 404), "not show it (status 404)"},
		"the page is empty":              {of(made, edit), authorPage(21), "does not show it (status 200)"},
		"not found before it is deleted": {of(made, edit, deletion), failedWith(authorPage(21), 404), "does not show it"},
		"not found after a conflict": {
			of(made, edit, inConflict(deletion)),
			failedWith(authorPage(31), 404),
			"does not show it",
		},
		"not found after a conflict with it": {
			of(made, edit, inConflict(older)),
			withoutRows(failedWith(authorPage(31), 404)),
			"does not show it",
		},
		"a deletion is not seen": {of(made, edit, byAuthor(deletion)), authorPage(41, shown2), "shows revision 2"},
		"a picture is not found": {of(authorPicture()), authorImage(), "does not find the picture"},
	})
}

// authorCase is writes, a page that their author asked for, and what is wrong with that.
type authorCase struct {
	ops   []compose.Op
	page  compose.Observation
	wrong string
}

func checkAuthorPages(t *testing.T, cases map[string]authorCase) {
	t.Helper()
	for name, c := range cases {
		ops := c.ops
		for i := range ops {
			if ops[i].Kind == compose.Create {
				ops[i].Born = ops[i].Key
			}
		}
		expect(t, name, compose.CheckReadYourWrites(of(c.page), ops), c.wrong)
	}
}

func madeByA() compose.Op {
	made := acknowledged("a", "p", 0, 1, 1)
	made.Born = "a"
	return made
}

// byAuthor returns o as a write by a form of the author.
func byAuthor(o compose.Op) compose.Op {
	o.Readers = map[string]time.Duration{"author": o.Done}
	return o
}

// inConflict returns o as told as in conflict.
func inConflict(o compose.Op) compose.Op { o.Outcome = compose.Conflict; return o }

// authorPage returns the page of p that the author asks for.
func authorPage(start int, shown ...compose.Shown) compose.Observation {
	return compose.Observation{
		Node: "n", Reader: "author", Cookie: true, Path: "/posts/p", Only: "p", Status: 200,
		Start: ms(start), End: ms(start + 1), Shown: shown,
	}
}

// staleAt2 returns s after a wait in vain for row 2.
func staleAt2(s compose.Observation) compose.Observation { s.Stale = 2; return s }

func authorPicture() compose.Op {
	return byAuthor(compose.Op{Key: "x", Kind: compose.Upload, Picture: "f00", Outcome: compose.OK, Done: ms(20)})
}

func authorImage() compose.Observation {
	return compose.Observation{
		Node: "n", Reader: "author", Cookie: true, Path: "/media/f00/a.png", Only: "f00", Status: 404,
		Start: ms(21), End: ms(22),
	}
}

// TestCheckObservationsOfHidden: a post that was seen may be hidden, or be another one with its
// name, if a write explains that.
func TestCheckObservationsOfHidden(t *testing.T) {
	made := acknowledged("a", "p", 0, 1, 1)
	made.Born, made.Done = "a", ms(10)
	hide := kind(compose.Unpublish, op("u", 1, 20, 30, compose.OK), posts.Draft)
	show := kind(compose.Publish, op("s", 2, 40, 50, compose.OK), posts.Published)
	edit := op("e", 3, 52, 55, compose.OK)
	deletion := kind(compose.Delete, op("d", 1, 20, 30, compose.OK), "")
	again := acknowledged("z", "p", 0, 9, 2)
	again.Born, again.Asked, again.Call, again.Done = "z", ms(31), ms(31), ms(35)
	unknown := hide
	unknown.Outcome, unknown.Done = compose.Unknown, ms(1e9)
	refused := hide
	refused.Outcome = compose.Refused
	seen := func(start int, shown ...compose.Shown) compose.Observation {
		return compose.Observation{
			Node: "n", Reader: "r", Path: "/posts/p", Only: "p", Status: 200, Start: ms(start), End: ms(start + 1),
			Shown: shown,
		}
	}
	signed := func(s compose.Observation) compose.Observation { s.Cookie = true; return s }
	missing := func(start int) compose.Observation { s := seen(start); s.Status = 404; return s }
	first, fourth := compose.Shown{Post: "p", Revision: 1, Key: "a"}, compose.Shown{Post: "p", Revision: 4, Key: "e"}
	other := compose.Shown{Post: "p", Revision: 1, Key: "z"}
	for name, c := range map[string]struct {
		ops          []compose.Op
		observations []compose.Observation
		wrong        string
	}{
		"hidden":         {of(made, hide), of(seen(11, first), missing(31)), ""},
		"hidden perhaps": {of(made, unknown), of(seen(11, first), missing(31)), ""},
		"hidden by what was refused": {
			of(made, refused),
			of(seen(11, first), missing(31)),
			"is not found after revision 1",
		},
		"deleted":                {of(made, deletion), of(seen(11, first), missing(31)), ""},
		"shown again elsewhere":  {of(made, hide, show), of(seen(11, first), missing(51)), ""},
		"another of its name":    {of(made, deletion, again), of(seen(11, first), seen(36, other)), ""},
		"a draft, to its author": {of(made), of(signed(seen(11, first)), missing(31)), ""},
		"a draft, not to its author": {
			of(made),
			of(seen(11, first), signed(missing(31))),
			"is not found after revision 1",
		},
		"before it is hidden": {
			of(made, hide),
			of(seen(11, first), missing(13)),
			"is not found after revision 1",
		},
		"shown again, and seen to be": {
			of(made, hide, show, edit),
			of(seen(56, fourth), missing(58)),
			"is not found after revision 4",
		},
		"another of its name, and gone": {
			of(made, deletion, again),
			of(seen(36, other), missing(38)),
			"is not found after revision 1",
		},
	} {
		expect(t, name, compose.CheckObservations(c.observations, c.ops), c.wrong)
	}
}

// TestCheckSessions: a session begins once and ends once, and every page shows what its reader
// knows of it, or says that it is behind.
func TestCheckSessions(t *testing.T) {
	behind := func(e compose.SessionEvent) compose.SessionEvent { e.Known = false; return e }
	in, out := sessionEvent(compose.Login, 1, 2, true), sessionEvent(compose.Logout, 11, 12, false)
	for name, c := range map[string]struct {
		events []compose.SessionEvent
		stored bool
		wrong  string
	}{
		"lives": {of(in, sessionEvent(compose.Page, 3, 4, true), sessionEvent(compose.Signed, 5, 6, true)), true, ""},
		"over": {
			of(in, out, sessionEvent(compose.Page, 13, 14, false), sessionEvent(compose.Signed, 15, 16, false)),
			false,
			"",
		},
		"over, at a copy that is late": {of(in, out, behind(sessionEvent(compose.Page, 13, 14, true))), false, ""},
		"at once": {
			of(in, sessionEvent(compose.Page, 10, 13, false), sessionEvent(compose.Signed, 10, 13, true), out),
			false,
			"",
		},
		"nobody knows whether": {
			of(in, behind(out), sessionEvent(compose.Page, 13, 14, true), sessionEvent(compose.Signed, 15, 16, true)),
			true,
			"",
		},
		"nor later": {
			of(in, behind(out), sessionEvent(compose.Page, 13, 14, true), sessionEvent(compose.Signed, 15, 16, true)),
			false,
			"",
		},
		"over twice":      {of(in, out, sessionEvent(compose.Logout, 13, 14, false)), false, ""},
		"a page lacks it": {of(in, sessionEvent(compose.Page, 3, 4, false)), true, "says alive: false"},
		"a page has one that is over": {
			of(in, out, sessionEvent(compose.Page, 13, 14, true)),
			false,
			"says alive: true",
		},
		"a write is refused": {of(in, sessionEvent(compose.Signed, 3, 4, false)), true, "no order explains"},
		"a write by one that is over": {
			of(in, out, sessionEvent(compose.Signed, 13, 14, true)),
			false,
			"no order explains",
		},
		"over, and back": {of(in, out), true, "no order explains"},
		"lost":           {of(in), false, "no order explains"},
		"refused, and then it lives on": {
			of(in, behind(out), sessionEvent(compose.Signed, 13, 14, false), sessionEvent(compose.Signed, 15, 16, true)),
			true,
			"no order explains",
		},
	} {
		copies := []*compose.Copy{{Node: "n", Sessions: map[string]bool{"s": c.stored}}}
		expect(t, name, compose.CheckSessions(c.events, copies, ms(100), ms(101), 10*time.Second), c.wrong)
	}
}

// TestCheckSessionsOfTwoCopies: copies that disagree about a session.
func TestCheckSessionsOfTwoCopies(t *testing.T) {
	in := sessionEvent(compose.Login, 1, 2, true)
	disagree := []*compose.Copy{{Node: "n", Sessions: map[string]bool{"s": true}}, {Node: "m"}}
	err := compose.CheckSessions(of(in), disagree, ms(100), ms(101), 10*time.Second)
	expect(t, "two copies", err, "no order explains")
}

func sessionEvent(k compose.SessionKind, start, end int, alive bool) compose.SessionEvent {
	return compose.SessionEvent{
		Session: "s", Kind: k, Node: "n", Start: ms(start), End: ms(end), Alive: alive, Known: true,
	}
}
