package compose_test

import (
	"strings"
	"testing"

	"blog/test/compose"
)

// TestCheckObservations: a node does not unsee what it has shown, and shows nothing that was not written.
func TestCheckObservations(t *testing.T) {
	checkPages(t, map[string]seenPages{
		"forward": {
			observations: of(pageAt("n", 11, 12, shown1), pageAt("n", 21, 22, shown2), pageAt("n", 23, 24, shown2)),
		},
		"another node may be behind": {observations: of(pageAt("n", 21, 22, shown2), pageAt("m", 23, 24, shown1))},
		"seen before it was acknowledged": {
			observations: of(pageAt("n", 15, 16, shown2), pageAt("n", 21, 22, shown1)),
		},
		"at once":       {observations: of(pageAt("n", 21, 30, shown2), pageAt("n", 25, 40, shown1))},
		"not there yet": {observations: of(failedWith(pageAt("n", 1, 2), 404))},
		"unseen": {
			observations: of(pageAt("n", 21, 22, shown2), pageAt("n", 23, 24, shown1)),
			wrong:        "after revision 2 was seen at n",
		},
		"gone": {
			observations: of(pageAt("n", 21, 22, shown2), failedWith(pageAt("n", 23, 24), 404)),
			wrong:        "is not found",
		},
		"what was refused": {observations: of(pageAt("n", 21, 22, shownRefused)), wrong: "told as refused"},
		"what nobody wrote": {
			observations: of(pageAt("n", 21, 22, compose.Shown{Post: "q", Revision: 1, Key: "z"})),
			wrong:        "nobody asked for",
		},
	})
}

// TestCheckObservationsOfDiscarded: a post may be hidden by a write that was told as in conflict, where its row may
// have been for a while before it was discarded.
func TestCheckObservationsOfDiscarded(t *testing.T) {
	made, second := acknowledged("a", "p", 0, 1, 1), op("b", 1, 22, 28, compose.OK)
	made.Done = ms(10)
	once, again := mustHide(t, compose.Conflict), mustHide(t, compose.Unknown, compose.Conflict)
	missing := func(start int) compose.Observation { return failedWith(pageAt("n", start, start+1), 404) }
	const wrong = "is not found after revision"
	for name, c := range map[string]struct {
		hide  compose.Op
		page  compose.Observation
		wrong string
	}{
		"a node that is cut off":                {hide: once, page: withoutRows(missing(31))},
		"it is cut off for long":                {hide: once, page: withoutRows(missing(30_000))},
		"a node that comes up":                  {hide: once, page: asExcused(missing(31))},
		"between two asks":                      {hide: again, page: withoutRows(missing(31))},
		"before the first ask":                  {hide: again, page: withoutRows(missing(18)), wrong: wrong},
		"the primary changes":                   {hide: once, page: asUnsteady(missing(31))},
		"long after the answer":                 {hide: once, page: asUnsteady(missing(30_000)), wrong: wrong},
		"nothing is wrong":                      {hide: once, page: missing(31), wrong: wrong},
		"asked again, when nothing is wrong":    {hide: again, page: missing(31), wrong: wrong},
		"a deletion, at a node that is cut off": {hide: asDeletion(once), page: withoutRows(missing(31))},
		"a deletion, when nothing is wrong":     {hide: asDeletion(once), page: missing(31), wrong: wrong},
	} {
		pages := of(pageAt("n", 11, 12, shown1), c.page)
		expect(t, name, compose.CheckObservations(pages, of(made, second, c.hide)), c.wrong)
	}
	pages := of(pageAt("n", 29, 30, shown2), withoutRows(missing(31)))
	expect(t, "the row in its place was seen", compose.CheckObservations(pages, of(made, second, once)), wrong)
}

// TestCheckObservationsOfPositions: a reader with a position does not unsee at any node what they have seen, unless
// the answer says so.
func TestCheckObservationsOfPositions(t *testing.T) {
	checkPages(t, map[string]seenPages{
		"back in time on another node": {
			observations: of(asAuthor(pageAt("n", 21, 22, shown2)), asAuthor(pageAt("m", 23, 24, shown1))),
			wrong:        "seen by reader",
		},
		"slow, and back in time": {
			observations: of(asAuthor(pageAt("n", 21, 22, shown2)), asAuthor(pageAt("m", 23, 2200, shown1))),
			wrong:        "seen by reader",
		},
		"the node gave up waiting": {
			observations: of(asAuthor(pageAt("n", 21, 22, shown2)), heldBack(pageAt("m", 23, 24, shown1))),
		},
		"gave up, and then back again": {
			observations: of(
				asAuthor(pageAt("n", 21, 22, shown2)),
				heldBack(pageAt("m", 23, 24, shown1)),
				asAuthor(pageAt("m", 25, 26, shown1)),
			),
			wrong: "seen by reader",
		},
		"gave up, and says so again": {
			observations: of(
				asAuthor(pageAt("n", 21, 22, shown2)),
				heldBack(pageAt("m", 23, 24, shown1)),
				heldBack(pageAt("m", 25, 26, shown1)),
			),
		},
		"on its way, and then back": {
			observations: of(
				asAuthor(pageAt("n", 21, 22, shown2)),
				heldBack(failedWith(pageAt("m", 23, 24), 503)),
				asAuthor(pageAt("m", 25, 26, shown1)),
			),
			wrong: "seen by reader",
		},
		"on its way, and then gone": {
			observations: of(
				asAuthor(pageAt("n", 21, 22, shown2)),
				heldBack(failedWith(pageAt("m", 23, 24), 503)),
				asAuthor(failedWith(pageAt("m", 25, 26), 404)),
			),
			wrong: "is not found",
		},
		"on its way, and then given up": {
			observations: of(
				asAuthor(pageAt("n", 21, 22, shown2)),
				heldBack(failedWith(pageAt("m", 23, 24), 503)),
				heldBack(pageAt("m", 25, 26, shown1)),
			),
		},
		"gave up on what it had": {
			observations: of(asAuthor(pageAt("n", 21, 22, shown2)), heldBack(pageAt("n", 23, 24, shown1))),
			wrong:        "seen at n",
		},
	})
}

// TestCheckObservationsThatAreLate: an answer after a wait in vain, while nothing holds rows back.
func TestCheckObservationsThatAreLate(t *testing.T) {
	checkPages(t, map[string]seenPages{
		"late once": {observations: of(asAuthor(pageAt("n", 21, 22, shown2)), asLate(pageAt("m", 23, 24, shown1)))},
		"late twice": {
			observations: of(asLate(pageAt("m", 23, 24, shown1)), asLate(pageAt("n", 25, 26, shown1))),
			wrong:        "at n for reader, 25ms to 26ms is late: row 2 was waited for in vain, and nothing held it back",
		},
		"late for two readers": {
			observations: of(
				asLate(pageAt("m", 23, 24, shown1)),
				byReader("another", missingRow(3, asLate(pageAt("m", 25, 26, shown1)))),
			),
			wrong: "at m for another",
		},
		"late by one wait": {observations: of(asLate(pageAt("m", 23, 24, shown1)), asLate(pageAt("m", 25, 26, shown1)))},
		"late by a wait 10 s later": {
			observations: of(asLate(pageAt("m", 23, 24, shown1)), asLate(pageAt("m", 11_000, 13_000, shown1))),
			wrong:        "2 wrong",
		},
		"late in two stretches": {
			observations: of(during("a", asLate(pageAt("m", 23, 24, shown1))), during("b", asLate(pageAt("m", 25, 26, shown1)))),
		},
		"late twice in one of them": {
			observations: of(
				during("a", asLate(pageAt("m", 23, 24))),
				during("b", asLate(pageAt("m", 25, 26))),
				during("b", missingRow(3, asLate(pageAt("m", 27, 28)))),
			),
			wrong: "2 wrong",
		},
		"held back for long": {
			observations: of(
				heldBack(pageAt("m", 23, 24, shown1)),
				heldBack(pageAt("m", 25, 26, shown1)),
				asLate(pageAt("m", 27, 28, shown1)),
			),
		},
		"on its way, where nothing holds it": {
			observations: of(asLate(failedWith(pageAt("m", 25, 26), 503))),
			wrong:        "failed",
		},
		"late at a node that comes up": {
			observations: of(asExcused(asLate(pageAt("m", 23, 24, shown1))), asExcused(asLate(pageAt("m", 25, 26, shown1)))),
		},
	})
}

// TestCheckObservationsThatFailed: a reader who is not excused gets an answer.
func TestCheckObservationsThatFailed(t *testing.T) {
	checkPages(t, map[string]seenPages{
		"a stranger waited": {
			observations: []compose.Observation{
				{Node: "n", Reader: "reader", Path: "/posts", Status: 200, Stale: 2},
			},
			wrong: "failed",
		},
		"no answer":                            {observations: of(failedWith(pageAt("n", 21, 22), 0)), wrong: "failed"},
		"no answer of one that is down":        {observations: of(asExcused(failedWith(pageAt("n", 21, 22), 0)))},
		"unavailable":                          {observations: of(failedWith(pageAt("n", 21, 22), 503)), wrong: "failed"},
		"on its way to an author, after a try": {observations: of(heldBack(failedWith(pageAt("n", 21, 2100), 503)))},
		"unavailable to an author, and slow": {
			observations: of(asAuthor(failedWith(pageAt("n", 21, 2100), 503))),
			wrong:        "failed",
		},
		"on its way, a whole list": {
			observations: of(ofList(heldBack(failedWith(pageAt("n", 21, 2100), 503)))),
			wrong:        "failed",
		},
		"on its way, and told as not there": {
			observations: of(heldBack(failedWith(pageAt("n", 21, 2100), 404))),
			wrong:        "failed",
		},
	})
}

// TestCheckObservationsWithoutConsul: while Consul is away no read may fail.
func TestCheckObservationsWithoutConsul(t *testing.T) {
	var consul string // the fault's name says that it is in effect
	for _, fault := range compose.Faults() {
		if strings.Contains(fault.Name, "Consul paused") {
			consul = fault.Name
		}
	}
	checkPages(t, map[string]seenPages{
		"on its way, while Consul is away": {
			observations: of(during(consul, heldBack(failedWith(pageAt("n", 21, 2100), 503)))),
			wrong:        "failed",
		},
		"on its way, once Consul is back": {
			observations: of(during("after "+consul, heldBack(failedWith(pageAt("n", 21, 2100), 503)))),
		},
		"no answer, while Consul is away": {
			observations: of(during(consul, asExcused(failedWith(pageAt("n", 21, 22), 0)))),
			wrong:        "failed",
		},
		"a list, while Consul is away": {
			observations: of(during(consul, ofList(failedWith(pageAt("n", 21, 22), 404)))),
			wrong:        "failed",
		},
		"behind, while Consul is away":        {observations: of(during(consul, heldBack(pageAt("m", 23, 24, shown1))))},
		"not there yet, while Consul is away": {observations: of(during(consul, failedWith(pageAt("n", 1, 2), 404)))},
	})
}

// seenPages are observations, and what is wrong with them; "" means nothing.
type seenPages struct {
	observations []compose.Observation
	wrong        string
}

// checkPages checks observations of the post p, which has two revisions, and a third that was refused.
func checkPages(t *testing.T, cases map[string]seenPages) {
	t.Helper()
	ops := of(acknowledged("a", "p", 0, 1, 1), acknowledged("b", "p", 1, 2, 1), op("r", 1, 2, 3, compose.Refused))
	ops[0].Done, ops[1].Done = ms(10), ms(20)
	for name, c := range cases {
		expect(t, name, compose.CheckObservations(c.observations, ops), c.wrong)
	}
}

// The revisions of p, as pages show them.
var (
	shown1       = compose.Shown{Post: "p", Revision: 1, Key: "a"}
	shown2       = compose.Shown{Post: "p", Revision: 2, Key: "b"}
	shownRefused = compose.Shown{Post: "p", Revision: 2, Key: "r"}
)

// pageAt returns an observation of the page of p, by a reader without a position.
func pageAt(node string, start, end int, shown ...compose.Shown) compose.Observation {
	return compose.Observation{
		Node: node, Reader: "reader", Path: "/posts/p", Only: "p", Start: ms(start), End: ms(end), Status: 200,
		Shown: shown,
	}
}

// asAuthor returns s of a reader with a position.
func asAuthor(s compose.Observation) compose.Observation { s.Cookie = true; return s }

// failedWith returns s with a status and without content.
func failedWith(s compose.Observation, status int) compose.Observation {
	s.Status, s.Shown = status, nil
	return s
}

// asExcused returns s of a node that is meant not to answer.
func asExcused(s compose.Observation) compose.Observation { s.Excused = true; return s }

// asUnsteady returns s around a change of the primary.
func asUnsteady(s compose.Observation) compose.Observation { s.Unsteady = true; return s }

// withoutRows returns s of a node that rows do not reach.
func withoutRows(s compose.Observation) compose.Observation { s.Held = true; return s }

// mustHide returns an unpublishing of p at revision 1 with these answers. The first ask is from 20 ms to 25 ms, and
// each further one 20 ms later.
func mustHide(t *testing.T, outcomes ...compose.Outcome) compose.Op {
	t.Helper()
	var asks []compose.Ask
	for i, outcome := range outcomes {
		a := ask(20*i+20, 20*i+25, compose.Answer{Outcome: outcome})
		a.Kind, a.Born = compose.Unpublish, "a"
		asks = append(asks, a)
	}
	ops, err := compose.Merge(asks)
	if err != nil || len(ops) != 1 {
		t.Fatalf("got %+v and error %v, want one op", ops, err)
	}
	return ops[0]
}

// asDeletion returns a deletion in the place of another write.
func asDeletion(o compose.Op) compose.Op { o.Kind = compose.Delete; return o }

// asLate returns s after a wait in vain for row 2.
func asLate(s compose.Observation) compose.Observation { s.Cookie, s.Stale = true, 2; return s }

// heldBack is asLate while a fault holds rows back.
func heldBack(s compose.Observation) compose.Observation { s = asLate(s); s.Held = true; return s }

// missingRow returns s after a wait in vain for another row.
func missingRow(seq int64, s compose.Observation) compose.Observation { s.Stale = seq; return s }

// during returns s in the stretch of a fault.
func during(fault string, s compose.Observation) compose.Observation { s.Fault = fault; return s }

// byReader returns s of another reader.
func byReader(reader string, s compose.Observation) compose.Observation { s.Reader = reader; return s }

// ofList returns s of a page of the list of posts.
func ofList(s compose.Observation) compose.Observation { s.Path, s.Only = "/posts", ""; return s }
