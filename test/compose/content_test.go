package compose_test

import (
	"testing"
	"time"

	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/compose"
)

// written returns a copy with the post p, which a made as its first row.
func written(change func(c *compose.Copy)) *compose.Copy {
	p := has(1, "p", 1, "a")
	p.Labels, p.Tagged = []string{compose.Tag("a")}, []string{compose.Tag("a")}
	c := &compose.Copy{
		Node: "n", Writes: []compose.WriteRow{row(1, "a", "posts.create", 1, 1)}, Posts: []compose.PostRow{p},
		Tags: []string{compose.Tag("a")}, Pictures: map[string]compose.PictureRow{},
	}
	if change != nil {
		change(c)
	}
	return c
}

// TestCheckCopyOfAllKinds: a change of a post's state is a revision of it, a release is none, and
// after a deletion the post is gone.
func TestCheckCopyOfAllKinds(t *testing.T) {
	hidden := kind(compose.Unpublish, op("u", 1, 2, 3, compose.OK), posts.Draft)
	hidden.Seq, hidden.PostID = 2, 1
	deleted := kind(compose.Delete, op("d", 1, 2, 3, compose.OK), "")
	deleted.Seq, deleted.PostID = 2, 1
	same := kind(compose.Same, op("s", 1, 2, 3, compose.OK), "")
	rows := func(more ...compose.WriteRow) func(c *compose.Copy) {
		return func(c *compose.Copy) { c.Writes = append(c.Writes, more...) }
	}
	gone := func(c *compose.Copy) {
		c.Writes, c.Posts = append(c.Writes, row(2, "d", "posts.delete", 1, 1)), nil
	}
	at2 := func(c *compose.Copy) {
		c.Writes = append(c.Writes, row(2, "u", "posts.unpublish", 1, 2))
		c.Posts[0].Revision = 2
	}
	for name, c := range map[string]struct {
		op     compose.Op
		change func(c *compose.Copy)
		wrong  string
	}{
		"hidden":                  {hidden, at2, ""},
		"released":                {acknowledged("a", "p", 0, 1, 1), rows(row(2, "release", "posts.release", 1, 1)), ""},
		"deleted":                 {deleted, gone, ""},
		"nothing to do":           {same, nil, ""},
		"a form":                  {func() compose.Op { o := hidden; o.Seq, o.PostID = 0, 0; return o }(), at2, ""},
		"hidden, and not there":   {hidden, nil, "is not there"},
		"hidden, and not counted": {hidden, rows(row(2, "u", "posts.unpublish", 1, 2)), "its newest row made 2"},
		"a release is a revision": {acknowledged("a", "p", 0, 1, 1), rows(row(2, "release", "posts.release", 1, 2)),
			"makes revision 2"},
		"deleted, and there": {deleted, rows(row(2, "d", "posts.delete", 1, 1)), "is there: true"},
		"gone, and not deleted": {acknowledged("a", "p", 0, 1, 1), func(c *compose.Copy) { c.Posts = nil },
			"is there: false"},
		"nothing to do has a row": {same, rows(row(2, "s", "posts.update", 1, 2)), "told as ok and is row 2"},
		"another text than was": {hidden, func(c *compose.Copy) {
			at2(c)
			c.Posts[0].Title = compose.Title("p", 2, "u")
		}, "with the text by a"},
		"a picture nobody asked": {acknowledged("a", "p", 0, 1, 1),
			func(c *compose.Copy) { c.Posts[0].Body = compose.Text(c.Posts[0].Title, "f00") }, "with text"},
		"the row is of a revision": {hidden, func(c *compose.Copy) {
			at2(c)
			c.Writes[1].Result.Revision, c.Posts[0].Revision = 3, 3
		},
			"was told as row 2, post 1, revision 2"},
	} {
		ops := []compose.Op{c.op}
		if c.op.Key != "a" {
			ops = append(ops, acknowledged("a", "p", 0, 1, 1))
		}
		expect(t, name, compose.CheckCopy(written(c.change), ops), c.wrong)
	}
}

func TestCheckTags(t *testing.T) {
	other := func(c *compose.Copy) { c.Posts[0].Tagged = []string{"another"}; c.Tags = []string{"another"} }
	for name, c := range map[string]struct {
		change func(c *compose.Copy)
		wrong  string
	}{
		"as written":     {nil, ""},
		"no post has it": {func(c *compose.Copy) { c.Tags = append(c.Tags, "orphan") }, "tag orphan is there"},
		"another":        {other, "the tags"},
		"not in the row": {func(c *compose.Copy) { c.Posts[0].Labels = nil }, "has the labels"},
		"of the write before": {func(c *compose.Copy) { c.Writes = append(c.Writes, row(2, "bcd", "posts.update", 1, 2)) },
			"want"},
	} {
		expect(t, name, compose.CheckTags(written(c.change)), c.wrong)
	}
}

// TestCheckPictures: an acknowledged picture is there as a whole, whichever post shows it, and a
// post shows the picture that it was written with.
func TestCheckPictures(t *testing.T) {
	hash := compose.PictureHash("x")
	upload := compose.Op{Key: "x", Kind: compose.Upload, Picture: hash, Outcome: compose.OK, Done: ms(1)}
	post := acknowledged("a", "p", 0, 1, 1)
	post.Picture, post.Call = hash, ms(2)
	early := post
	early.Call = 0
	shows := func(c *compose.Copy) {
		c.Pictures[hash] = compose.PictureRow{Complete: true, Sum: hash}
		c.Posts[0].Pictures = []string{hash}
		c.Posts[0].HTML = `<img src="` + media.Address(hash, "storm.png") + `">`
	}
	stored := func(c *compose.Copy) { c.Pictures[hash] = compose.PictureRow{Complete: true, Sum: hash} }
	for name, c := range map[string]struct {
		post   compose.Op
		change func(c *compose.Copy)
		wrong  string
	}{
		"shown":                        {post, shows, ""},
		"of no post":                   {acknowledged("a", "p", 0, 1, 1), stored, ""},
		"written before it was stored": {early, stored, ""},
		"lost":                         {acknowledged("a", "p", 0, 1, 1), nil, "was acknowledged and is there as"},
		"half of it": {post, func(c *compose.Copy) { shows(c); c.Pictures[hash] = compose.PictureRow{Sum: hash} },
			"was acknowledged"},
		"other bytes": {post, func(c *compose.Copy) {
			shows(c)
			c.Pictures[hash] = compose.PictureRow{Complete: true, Sum: "f00"}
		},
			"was acknowledged"},
		"not shown":        {post, stored, "does not show"},
		"not in the page":  {post, func(c *compose.Copy) { shows(c); c.Posts[0].HTML = "" }, "does not show"},
		"shown by another": {acknowledged("a", "p", 0, 1, 1), shows, "written without a picture"},
	} {
		expect(t, name, compose.CheckPictures(written(c.change), []compose.Op{upload, c.post}), c.wrong)
	}
	if got := media.Hash(compose.Picture("x")); got != hash {
		t.Errorf("picture x has hash %s, want %s", got, hash)
	}
	if compose.PictureHash("y") == hash {
		t.Errorf("pictures x and y both have hash %s, want two", hash)
	}
}

// TestReleases: a scheduled post is released once, and not before its date.
func TestReleases(t *testing.T) {
	due := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	scheduled := acknowledged("a", "p", 0, 1, 1)
	scheduled.Due, scheduled.Kind, scheduled.Born = due, compose.Create, "a"
	release := func(seq int64, key string, at time.Time) compose.WriteRow {
		w := row(seq, key, "posts.release", 1, 1)
		w.At = repo.FormatTime(at)
		return w
	}
	rows := func(more ...compose.WriteRow) func(c *compose.Copy) {
		return func(c *compose.Copy) { c.Writes = append(c.Writes, more...) }
	}
	for name, c := range map[string]struct {
		op     compose.Op
		change func(c *compose.Copy)
		wrong  string
	}{
		"not yet":           {scheduled, nil, ""},
		"out":               {scheduled, rows(release(2, "r", due)), ""},
		"before its date":   {scheduled, rows(release(2, "r", due.Add(-time.Second))), "which is due at"},
		"twice":             {scheduled, rows(release(2, "r", due), release(3, "q", due)), "which row 2 did already"},
		"was not scheduled": {acknowledged("a", "p", 0, 1, 1), rows(release(2, "r", due)), "was not scheduled"},
	} {
		ops, err := written(c.change).Releases([]compose.Op{c.op}, ms(100))
		expect(t, name, err, c.wrong)
		if c.wrong == "" && c.change != nil && (len(ops) != 1 || ops[0].Kind != compose.Release || ops[0].Born != "a" ||
			ops[0].Done != ms(100)) {
			t.Errorf("%s: %+v", name, ops)
		}
	}
	waits := func(c *compose.Copy) {
		c.Posts[0].State, c.Posts[0].PublishedAt = posts.Scheduled, repo.FormatTime(due)
	}
	expect(t, "before its date", written(waits).CheckDue(due.Add(-time.Second)), "")
	expect(t, "after it", written(waits).CheckDue(due.Add(time.Second)), "scheduled still")
	expect(t, "out", written(nil).CheckDue(due.Add(time.Second)), "")
}

// TestCheckEarly: only authors see a post before its date.
func TestCheckEarly(t *testing.T) {
	scheduled := acknowledged("a", "p", 0, 1, 1)
	scheduled.Due, scheduled.DueAt, scheduled.Born = time.Now(), ms(50), "a"
	publish := kind(compose.Publish, op("b", 1, 10, 11, compose.OK), posts.Published)
	page := func(end int, cookie bool) []compose.Observation {
		return []compose.Observation{
			{
				Node:   "n",
				Reader: "r",
				Path:   "/posts",
				Cookie: cookie,
				Status: 200,
				End:    ms(end),
				Shown:  []compose.Shown{{Post: "p", Revision: 1, Key: "a"}},
			},
		}
	}
	for name, c := range map[string]struct {
		ops          []compose.Op
		observations []compose.Observation
		wrong        string
	}{
		"after its date":            {[]compose.Op{scheduled}, page(51, false), ""},
		"before it":                 {[]compose.Op{scheduled}, page(49, false), "which is due at 50ms"},
		"to its author":             {[]compose.Op{scheduled}, page(49, true), ""},
		"published by somebody now": {[]compose.Op{scheduled, publish}, page(49, false), ""},
		"published later":           {[]compose.Op{scheduled, publish}, page(9, false), "which is due at 50ms"},
		"published by a primary that is cut off": {
			[]compose.Op{scheduled, inConflict(publish)},
			of(withoutRows(page(49, false)[0])),
			"",
		},
		"published in conflict, when nothing is wrong": {
			[]compose.Op{scheduled, inConflict(publish)},
			page(49, false),
			"which is due at 50ms",
		},
	} {
		expect(t, name, compose.CheckEarly(c.observations, c.ops), c.wrong)
	}
}

// TestCheckPageByDate: the newest posts are those with the latest dates, and hidden ones are not in
// the list.
func TestCheckPageByDate(t *testing.T) {
	dated := func(id int64, post, at string, state posts.State) compose.PostRow {
		p := has(id, post, 1, post)
		p.PublishedAt, p.State = at, state
		return p
	}
	c := &compose.Copy{
		Node: "n",
		Posts: []compose.PostRow{
			dated(1, "o", "2026-01-01", posts.Published),
			dated(2, "p", "2026-01-04", posts.Published),
			dated(3, "q", "2026-01-03", posts.Published),
			dated(4, "r", "2026-01-05", posts.Draft),
			dated(5, "s", "2026-01-06", posts.Scheduled),
		},
	}
	shown := func(all ...string) map[string]string {
		cards := map[string]string{}
		for i, post := range []string{"o", "p", "q", "r", "s"} {
			for _, s := range all {
				if s == post {
					cards[[]string{"post-1", "post-2", "post-3", "post-4", "post-5"}[i]] = "<li>" + compose.Title(post, 1,
						post) + "</li>"
				}
			}
		}
		return cards
	}
	for name, x := range map[string]struct {
		cards map[string]string
		wrong string
	}{
		"the newest":             {shown("p", "q"), ""},
		"all":                    {shown("o", "p", "q"), ""},
		"an older one is shown":  {shown("p", "o"), "post 3 (Post q"},
		"a draft":                {shown("o", "p", "q", "r"), "not published"},
		"what is to come":        {shown("o", "p", "q", "s"), "not published"},
		"the newest is not here": {shown("q"), "post 2 (Post p"},
	} {
		expect(t, name, compose.CheckPage(c, x.cards), x.wrong)
	}
}
