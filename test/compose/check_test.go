package compose_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/compose"
)

// of returns its arguments: tables are easier to read without the type.
func of[T any](all ...T) []T { return all }

// row is a row of writes.
func row(seq int64, key, name string, post, revision int64) compose.WriteRow {
	w := compose.WriteRow{Seq: seq, Key: key, Mark: "mark of " + key, Name: name}
	w.Result.ID, w.Result.Revision = post, revision
	return w
}

func has(id int64, post string, revision int64, key string) compose.PostRow {
	text := compose.Title(post, revision, key)
	return compose.PostRow{ID: id, Title: text, Body: text, Revision: revision, State: posts.Published}
}

// told returns a write that was acknowledged as a row.
func acknowledged(key, post string, from, seq, id int64) compose.Op {
	o := op(key, from, 0, 1, compose.OK)
	o.Post, o.Seq, o.PostID = post, seq, id
	return o
}

// TestCheckCopy: the rows of a copy are what the writers were told.
func TestCheckCopy(t *testing.T) {
	const create, update = "posts.create", "posts.update"
	checkCopies(t, map[string]copyCase{
		"as told":         {writes: copyRows(), posts: of(has(1, "p", 2, "b"))},
		"and the unknown": {writes: copyRows(row(3, "u", update, 1, 3)), posts: of(has(1, "p", 3, "u"))},
		"a row is lost":   {writes: copyRows()[:1], posts: of(has(1, "p", 1, "a")), wrong: "is not there"},
		"a row is there twice": {
			writes: copyRows(row(3, "b", update, 1, 3)),
			posts:  of(has(1, "p", 3, "b")),
			wrong:  "has 2 rows",
		},
		"the refused is there": {
			writes: copyRows(row(3, "r", update, 1, 3)),
			posts:  of(has(1, "p", 3, "r")),
			wrong:  "told as refused",
		},
		"the one in conflict is there": {
			writes: copyRows(row(3, "c", update, 1, 3)),
			posts:  of(has(1, "p", 3, "c")),
			wrong:  "told as conflict",
		},
		"another place": {
			writes: of(row(1, "a", create, 1, 1), row(3, "b", update, 1, 2)),
			posts:  of(has(1, "p", 2, "b")),
			wrong:  "was told as row 2",
		},
		"a revision is left out": {
			writes: copyRows(row(3, "u", update, 1, 4)),
			posts:  of(has(1, "p", 4, "u")),
			wrong:  "makes revision 4",
		},
	})
}

// TestCheckCopyOfMarks: the row of an acknowledged write is that of the execution that was acknowledged.
func TestCheckCopyOfMarks(t *testing.T) {
	row := repo.Cursor{Seq: 1, Mark: repo.Mark{7}}
	c := &compose.Copy{Node: "n", Posts: of(has(1, "p", 1, "a")), Writes: copyRows()[:1]}
	c.Writes[0].Mark = hex.EncodeToString(row.Mark[:])
	for name, x := range map[string]struct{ cursor, wrong string }{
		"the row":             {row.String(), ""},
		"another execution":   {repo.Cursor{Seq: 1, Mark: repo.Mark{8}}.String(), `key a was told with the mark "08`},
		"what is no cursor":   {"1-x", `key a was told with the mark ""`},
		"no cursor was given": {"", ""},
	} {
		made := acknowledged("a", "p", 0, 1, 1)
		made.Cursor = x.cursor
		expect(t, name, compose.CheckCopy(c, of(made)), x.wrong)
	}
}

// TestCheckCopyOfPosts: the posts of a copy are what its rows say.
func TestCheckCopyOfPosts(t *testing.T) {
	const create, update = "posts.create", "posts.update"
	checkCopies(t, map[string]copyCase{
		"the post is behind its rows": {
			writes: copyRows(),
			posts:  of(has(1, "p", 1, "a")),
			wrong:  "its newest row made 2",
		},
		"half a write": {
			writes: copyRows(),
			posts: []compose.PostRow{
				{ID: 1, Revision: 2, Title: compose.Title("p", 2, "b"), Body: compose.Title("p", 1, "a")},
			},
			wrong: "with text",
		},
		"a post is there twice": {
			writes: copyRows(row(3, "u", create, 2, 1)),
			posts:  of(has(1, "p", 2, "b"), has(2, "p", 1, "u")),
			wrong:  "there twice",
		},
		"nobody's write": {
			writes: copyRows(row(3, "z", update, 1, 3)),
			posts:  of(has(1, "p", 3, "z")),
			wrong:  "nobody asked",
		},
	})
}

// copyCase is a copy, and what is wrong with it; "" means nothing.
type copyCase struct {
	writes []compose.WriteRow
	posts  []compose.PostRow
	wrong  string
}

// checkCopies checks copies against two acknowledged writes, an unknown, a refused one and one in conflict.
func checkCopies(t *testing.T, cases map[string]copyCase) {
	t.Helper()
	ops := of(
		acknowledged("a", "p", 0, 1, 1), acknowledged("b", "p", 1, 2, 1),
		op("u", 2, 5, open, compose.Unknown), op("r", 1, 5, 6, compose.Refused), op("c", 1, 5, 6, compose.Conflict),
	)
	for name, c := range cases {
		err := compose.CheckCopy(&compose.Copy{Node: "n", Writes: c.writes, Posts: c.posts}, ops)
		expect(t, name, err, c.wrong)
	}
}

// copyRows returns the rows of the acknowledged writes, and more.
func copyRows(more ...compose.WriteRow) []compose.WriteRow {
	return append(of(row(1, "a", "posts.create", 1, 1), row(2, "b", "posts.update", 1, 2)), more...)
}

// expect fails unless err is nil when wrong is "", and contains wrong otherwise.
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
		rows := of(row(1, "a", "x", 1, 1), row(2, "b", "x", 1, 2))
		return &compose.Copy{Node: "n", Position: "1/a", Writes: rows}
	}
	other, short, behind := one(), one(), one()
	other.Writes[1].Mark = "another"
	short.Writes = short.Writes[:1]
	behind.Position = "0/b"
	expect(t, "equal", compose.CheckCopies(of(one(), one(), one())), "")
	expect(t, "another history", compose.CheckCopies(of(one(), other)), "another")
	expect(t, "a row less", compose.CheckCopies(of(one(), short)), "1")
	expect(t, "another checksum", compose.CheckCopies(of(one(), behind)), "0/b")
}

func TestCheckPage(t *testing.T) {
	c := &compose.Copy{Node: "n", Posts: of(has(1, "p", 1, "a"), has(2, "q", 2, "b"), has(3, "r", 1, "c"))}
	card := func(post string, revision int64, key string) string {
		return "<li>" + compose.Title(post, revision, key) + "</li>"
	}
	for name, x := range map[string]struct {
		cards map[string]string
		wrong string
	}{
		"the newest": {map[string]string{"post-2": card("q", 2, "b"), "post-3": card("r", 1, "c")}, ""},
		"all": {
			map[string]string{
				"post-1": card("p", 1, "a"),
				"post-2": card("q", 2, "b"),
				"post-3": card("r", 1, "c"),
			},
			"",
		},
		"an older revision": {
			map[string]string{"post-2": card("q", 1, "z"), "post-3": card("r", 1, "c")},
			"post 2 is",
		},
		"the newest is missing": {
			map[string]string{"post-1": card("p", 1, "a"), "post-2": card("q", 2, "b")},
			"in the copy alone",
		},
		"one that never was": {
			map[string]string{"post-3": card("r", 1, "c"), "post-4": card("s", 1, "d")},
			"not published in the copy",
		},
		"nothing": {nil, "in the copy alone"},
	} {
		expect(t, name, compose.CheckPage(c, x.cards), x.wrong)
	}
}

func TestShownIn(t *testing.T) {
	title := compose.Title("p1", 12, "fra1k7")
	page := "<title>" + title + "</title><h1>" + title + "</h1><h2>" + compose.Title("fra1seen", 1, "x") + "</h2>"
	got := compose.ShownIn(page)
	if len(got) != 2 {
		t.Fatalf("got %+v, want two posts", got)
	}
	if want := (compose.Shown{Post: "p1", Revision: 12, Key: "fra1k7"}); got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	if got[1].Post != "fra1seen" {
		t.Errorf("got %+v, want post fra1seen", got[1])
	}
}
