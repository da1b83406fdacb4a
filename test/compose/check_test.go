package compose_test

import (
	"strings"
	"testing"

	"blog/test/compose"
)

// row is a row of writes.
func row(seq int64, key, name string, post, revision int64) compose.WriteRow {
	w := compose.WriteRow{Seq: seq, Key: key, Mark: "mark of " + key, Name: name}
	w.Result.ID, w.Result.Revision = post, revision
	return w
}

func has(id int64, post string, revision int64, key string) compose.PostRow {
	text := compose.Title(post, revision, key)
	return compose.PostRow{ID: id, Title: text, Body: text, Revision: revision}
}

// told is a write that was acknowledged as a row.
func told(key, post string, from, seq, id int64) compose.Op {
	o := op(key, from, 0, 1, compose.OK)
	o.Post, o.Seq, o.PostID = post, seq, id
	return o
}

func TestCheckCopy(t *testing.T) {
	const create, update = "posts.create", "posts.update"
	ops := []compose.Op{
		told("a", "p", 0, 1, 1), told("b", "p", 1, 2, 1),
		op("u", 2, 5, open, compose.Unknown), op("r", 1, 5, 6, compose.Refused), op("c", 1, 5, 6, compose.Conflict),
	}
	rows := func(more ...compose.WriteRow) []compose.WriteRow {
		return append([]compose.WriteRow{row(1, "a", create, 1, 1), row(2, "b", update, 1, 2)}, more...)
	}
	for name, c := range map[string]struct {
		writes []compose.WriteRow
		posts  []compose.PostRow
		wrong  string
	}{
		"as told":                      {writes: rows(), posts: []compose.PostRow{has(1, "p", 2, "b")}},
		"and the unknown":              {writes: rows(row(3, "u", update, 1, 3)), posts: []compose.PostRow{has(1, "p", 3, "u")}},
		"a row is lost":                {writes: rows()[:1], posts: []compose.PostRow{has(1, "p", 1, "a")}, wrong: "is not there"},
		"a row is there twice":         {writes: rows(row(3, "b", update, 1, 3)), posts: []compose.PostRow{has(1, "p", 3, "b")}, wrong: "has 2 rows"},
		"the refused is there":         {writes: rows(row(3, "r", update, 1, 3)), posts: []compose.PostRow{has(1, "p", 3, "r")}, wrong: "told as refused"},
		"the one in conflict is there": {writes: rows(row(3, "c", update, 1, 3)), posts: []compose.PostRow{has(1, "p", 3, "c")}, wrong: "told as conflict"},
		"another place":                {writes: []compose.WriteRow{row(1, "a", create, 1, 1), row(3, "b", update, 1, 2)}, posts: []compose.PostRow{has(1, "p", 2, "b")}, wrong: "was told as row 2"},
		"a revision is left out":       {writes: rows(row(3, "u", update, 1, 4)), posts: []compose.PostRow{has(1, "p", 4, "u")}, wrong: "makes revision 4"},
		"the post is behind its rows":  {writes: rows(), posts: []compose.PostRow{has(1, "p", 1, "a")}, wrong: "its newest row made 2"},
		"half a write":                 {writes: rows(), posts: []compose.PostRow{{ID: 1, Revision: 2, Title: compose.Title("p", 2, "b"), Body: compose.Title("p", 1, "a")}}, wrong: "with text"},
		"a post is there twice": {
			writes: rows(row(3, "u", create, 2, 1)), posts: []compose.PostRow{has(1, "p", 2, "b"), has(2, "p", 1, "u")}, wrong: "there twice",
		},
		"nobody's write": {writes: rows(row(3, "z", update, 1, 3)), posts: []compose.PostRow{has(1, "p", 3, "z")}, wrong: "nobody asked"},
	} {
		err := compose.CheckCopy(&compose.Copy{Node: "n", Writes: c.writes, Posts: c.posts}, ops)
		expect(t, name, err, c.wrong)
	}
}

// expect wants no error, or one with wrong in it.
func expect(t *testing.T, name string, err error, wrong string) {
	t.Helper()
	switch {
	case wrong == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
		t.Errorf("%s: error %v, want one with %q", name, err, wrong)
	}
}

func TestCheckCopies(t *testing.T) {
	one := func() *compose.Copy {
		return &compose.Copy{Node: "n", Position: "1/a", Writes: []compose.WriteRow{row(1, "a", "x", 1, 1), row(2, "b", "x", 1, 2)}}
	}
	other, short, behind := one(), one(), one()
	other.Writes[1].Mark = "another"
	short.Writes = short.Writes[:1]
	behind.Position = "0/b"
	expect(t, "equal", compose.CheckCopies([]*compose.Copy{one(), one(), one()}), "")
	expect(t, "another history", compose.CheckCopies([]*compose.Copy{one(), other}), "another")
	expect(t, "a row less", compose.CheckCopies([]*compose.Copy{one(), short}), "1")
	expect(t, "another checksum", compose.CheckCopies([]*compose.Copy{one(), behind}), "0/b")
}

func TestCheckPage(t *testing.T) {
	c := &compose.Copy{Node: "n", Posts: []compose.PostRow{has(1, "p", 1, "a"), has(2, "q", 2, "b"), has(3, "r", 1, "c")}}
	card := func(post string, revision int64, key string) string {
		return "<li>" + compose.Title(post, revision, key) + "</li>"
	}
	for name, x := range map[string]struct {
		cards map[string]string
		wrong string
	}{
		"the newest":            {map[string]string{"post-2": card("q", 2, "b"), "post-3": card("r", 1, "c")}, ""},
		"all":                   {map[string]string{"post-1": card("p", 1, "a"), "post-2": card("q", 2, "b"), "post-3": card("r", 1, "c")}, ""},
		"an older revision":     {map[string]string{"post-2": card("q", 1, "z"), "post-3": card("r", 1, "c")}, "post 2 is"},
		"the newest is missing": {map[string]string{"post-1": card("p", 1, "a"), "post-2": card("q", 2, "b")}, "in the copy alone"},
		"one that never was":    {map[string]string{"post-3": card("r", 1, "c"), "post-4": card("s", 1, "d")}, "not in the copy"},
		"nothing":               {nil, "in the copy alone"},
	} {
		expect(t, name, compose.CheckPage(c, x.cards), x.wrong)
	}
}

func TestCheckSights(t *testing.T) {
	ops := []compose.Op{told("a", "p", 0, 1, 1), told("b", "p", 1, 2, 1), op("r", 1, 2, 3, compose.Refused)}
	ops[0].Done, ops[1].Done = ms(10), ms(20)
	sight := func(node string, start, end int, shown ...compose.Shown) compose.Sight {
		return compose.Sight{Node: node, Reader: "reader", Path: "/posts/p", Only: "p", Start: ms(start), End: ms(end), Status: 200, Shown: shown}
	}
	first, second, refused := compose.Shown{Post: "p", Revision: 1, Key: "a"}, compose.Shown{Post: "p", Revision: 2, Key: "b"}, compose.Shown{Post: "p", Revision: 2, Key: "r"}
	author := func(s compose.Sight) compose.Sight { s.Cookie = true; return s }
	failed := func(s compose.Sight, status int) compose.Sight { s.Status, s.Shown = status, nil; return s }
	excused := func(s compose.Sight) compose.Sight { s.Excused = true; return s }
	// A wait in vain, and one where a fault holds rows back.
	late := func(s compose.Sight) compose.Sight { s.Cookie, s.Stale = true, 2; return s }
	held := func(s compose.Sight) compose.Sight { s = late(s); s.Held = true; return s }
	row := func(seq int64, s compose.Sight) compose.Sight { s.Stale = seq; return s }
	in := func(fault string, s compose.Sight) compose.Sight { s.Fault = fault; return s }
	by := func(reader string, s compose.Sight) compose.Sight { s.Reader = reader; return s }
	list := func(s compose.Sight) compose.Sight { s.Path, s.Only = "/posts", ""; return s }
	var consul string // the fault's name is what says that it is on
	for _, fault := range compose.Faults() {
		if strings.Contains(fault.Name, "Consul paused") {
			consul = fault.Name
		}
	}
	for name, c := range map[string]struct {
		sights []compose.Sight
		wrong  string
	}{
		"forward":                              {sights: []compose.Sight{sight("n", 11, 12, first), sight("n", 21, 22, second), sight("n", 23, 24, second)}},
		"another node may be behind":           {sights: []compose.Sight{sight("n", 21, 22, second), sight("m", 23, 24, first)}},
		"seen before it was acknowledged":      {sights: []compose.Sight{sight("n", 15, 16, second), sight("n", 21, 22, first)}},
		"at once":                              {sights: []compose.Sight{sight("n", 21, 30, second), sight("n", 25, 40, first)}},
		"not there yet":                        {sights: []compose.Sight{failed(sight("n", 1, 2), 404)}},
		"unseen":                               {sights: []compose.Sight{sight("n", 21, 22, second), sight("n", 23, 24, first)}, wrong: "after revision 2 was seen at n"},
		"gone":                                 {sights: []compose.Sight{sight("n", 21, 22, second), failed(sight("n", 23, 24), 404)}, wrong: "is not found"},
		"back in time on another node":         {sights: []compose.Sight{author(sight("n", 21, 22, second)), author(sight("m", 23, 24, first))}, wrong: "seen by reader"},
		"slow, and back in time":               {sights: []compose.Sight{author(sight("n", 21, 22, second)), author(sight("m", 23, 2200, first))}, wrong: "seen by reader"},
		"the node gave up waiting":             {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(sight("m", 23, 24, first))}},
		"gave up, and then back again":         {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(sight("m", 23, 24, first)), author(sight("m", 25, 26, first))}, wrong: "seen by reader"},
		"gave up, and says so again":           {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(sight("m", 23, 24, first)), held(sight("m", 25, 26, first))}},
		"on its way, and then back":            {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(failed(sight("m", 23, 24), 503)), author(sight("m", 25, 26, first))}, wrong: "seen by reader"},
		"on its way, and then gone":            {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(failed(sight("m", 23, 24), 503)), author(failed(sight("m", 25, 26), 404))}, wrong: "is not found"},
		"on its way, and then given up":        {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(failed(sight("m", 23, 24), 503)), held(sight("m", 25, 26, first))}},
		"gave up on what it had":               {sights: []compose.Sight{author(sight("n", 21, 22, second)), held(sight("n", 23, 24, first))}, wrong: "seen at n"},
		"a stranger waited":                    {sights: []compose.Sight{{Node: "n", Reader: "reader", Path: "/posts", Status: 200, Stale: 2}}, wrong: "failed"},
		"late once":                            {sights: []compose.Sight{author(sight("n", 21, 22, second)), late(sight("m", 23, 24, first))}},
		"late twice":                           {sights: []compose.Sight{late(sight("m", 23, 24, first)), late(sight("n", 25, 26, first))}, wrong: "at n for reader, 25ms to 26ms is late: row 2 was waited for in vain, and nothing held it back"},
		"late for two readers":                 {sights: []compose.Sight{late(sight("m", 23, 24, first)), by("another", row(3, late(sight("m", 25, 26, first))))}, wrong: "at m for another"},
		"late by one wait":                     {sights: []compose.Sight{late(sight("m", 23, 24, first)), late(sight("m", 25, 26, first))}},
		"late by a wait 10 s later":            {sights: []compose.Sight{late(sight("m", 23, 24, first)), late(sight("m", 11_000, 13_000, first))}, wrong: "2 wrong"},
		"late in two stretches":                {sights: []compose.Sight{in("a", late(sight("m", 23, 24, first))), in("b", late(sight("m", 25, 26, first)))}},
		"late twice in one of them":            {sights: []compose.Sight{in("a", late(sight("m", 23, 24))), in("b", late(sight("m", 25, 26))), in("b", row(3, late(sight("m", 27, 28))))}, wrong: "2 wrong"},
		"held back for long":                   {sights: []compose.Sight{held(sight("m", 23, 24, first)), held(sight("m", 25, 26, first)), late(sight("m", 27, 28, first))}},
		"on its way, where nothing holds it":   {sights: []compose.Sight{late(failed(sight("m", 25, 26), 503))}, wrong: "failed"},
		"late at a node that comes up":         {sights: []compose.Sight{excused(late(sight("m", 23, 24, first))), excused(late(sight("m", 25, 26, first)))}},
		"what was refused":                     {sights: []compose.Sight{sight("n", 21, 22, refused)}, wrong: "told as refused"},
		"what nobody wrote":                    {sights: []compose.Sight{sight("n", 21, 22, compose.Shown{Post: "q", Revision: 1, Key: "z"})}, wrong: "nobody asked for"},
		"no answer":                            {sights: []compose.Sight{failed(sight("n", 21, 22), 0)}, wrong: "failed"},
		"no answer of one that is down":        {sights: []compose.Sight{excused(failed(sight("n", 21, 22), 0))}},
		"unavailable":                          {sights: []compose.Sight{failed(sight("n", 21, 22), 503)}, wrong: "failed"},
		"on its way to an author, after a try": {sights: []compose.Sight{held(failed(sight("n", 21, 2100), 503))}},
		"unavailable to an author, and slow":   {sights: []compose.Sight{author(failed(sight("n", 21, 2100), 503))}, wrong: "failed"},
		"on its way, a whole list":             {sights: []compose.Sight{list(held(failed(sight("n", 21, 2100), 503)))}, wrong: "failed"},
		"on its way, and told as not there":    {sights: []compose.Sight{held(failed(sight("n", 21, 2100), 404))}, wrong: "failed"},
		"on its way, while Consul is away":     {sights: []compose.Sight{in(consul, held(failed(sight("n", 21, 2100), 503)))}, wrong: "failed"},
		"on its way, once Consul is back":      {sights: []compose.Sight{in("after "+consul, held(failed(sight("n", 21, 2100), 503)))}},
		"no answer, while Consul is away":      {sights: []compose.Sight{in(consul, excused(failed(sight("n", 21, 22), 0)))}, wrong: "failed"},
		"a list, while Consul is away":         {sights: []compose.Sight{in(consul, list(failed(sight("n", 21, 22), 404)))}, wrong: "failed"},
		"behind, while Consul is away":         {sights: []compose.Sight{in(consul, held(sight("m", 23, 24, first)))}},
		"not there yet, while Consul is away":  {sights: []compose.Sight{in(consul, failed(sight("n", 1, 2), 404))}},
	} {
		expect(t, name, compose.CheckSights(c.sights, ops), c.wrong)
	}
}

func TestShownIn(t *testing.T) {
	page := "<title>" + compose.Title("p1", 12, "fra1k7") + "</title><h1>" + compose.Title("p1", 12, "fra1k7") + "</h1><h2>" + compose.Title("fra1seen", 1, "x") + "</h2>"
	got := compose.ShownIn(page)
	if len(got) != 2 || got[0] != (compose.Shown{Post: "p1", Revision: 12, Key: "fra1k7"}) || got[1].Post != "fra1seen" {
		t.Fatalf("%+v", got)
	}
}
