package live_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func post(id int64, slug, title string, tags ...string) save {
	return save{entry{ID: id, Slug: slug, Title: title, Tags: tags, Visible: true}}
}

func draft(id int64, slug, title string, tags ...string) save {
	return save{entry{ID: id, Slug: slug, Title: title, Tags: tags}}
}

func TestChangesAreShownAsTheyAreNow(t *testing.T) {
	s := MustSite(t, change{})
	list := MustFollow(t, s, "posts", "0")
	one := MustFollow(t, s, "post:a", "0")
	at := MustDo(t, s, post(1, "a", "First", "x"))
	list.MustBe(t, frame{
		Type: "change", Topic: "posts", ID: "post-1", HTML: `<li id="post-1">First</li>`, Seq: at.Seq, Cursor: at.String(),
	})
	one.MustBe(t, frame{
		Type: "change", Topic: "post:a", HTML: `<article id="article">First</article>`, Seq: at.Seq, Cursor: at.String(),
	})
	at = MustDo(t, s, drop{1})
	list.MustBe(t, frame{Type: "gone", Topic: "posts", ID: "post-1", Seq: at.Seq, Cursor: at.String()})
	one.MustBe(t, frame{Type: "gone", Topic: "post:a", Seq: at.Seq, Cursor: at.String()})
}

func TestADraftIsLikeWhatDoesNotExist(t *testing.T) {
	s := MustSite(t, change{})
	at := MustDo(t, s, post(9, "z", "Marker"))
	topics := "post:secret,post:nothing,tag:hidden,posts"
	c := MustFollow(t, s, topics, at.String())
	MustDo(t, s, draft(1, "secret", "S", "hidden"))
	MustDo(t, s, draft(1, "secret", "S2", "hidden"))
	MustDo(t, s, drop{1})
	MustDo(t, s, post(9, "z", "Marker 2"))
	c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-9"})
	late := MustFollow(t, s, topics, at.String())
	late.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-9"})
	MustDo(t, s, drop{9})
	c.MustBe(t, frame{Type: "gone", Topic: "posts", ID: "post-9"})
	late.MustBe(t, frame{Type: "gone", Topic: "posts", ID: "post-9"})
}

func TestEachListSpeaksForItself(t *testing.T) {
	s := MustSite(t, change{})
	c := MustFollow(t, s, "tag:a,tag:b", "0")
	before := "0"
	for _, step := range []struct {
		cmd  save
		a, b string
	}{
		{post(1, "p", "Both", "a", "b"), "change", "change"},
		{post(1, "p", "Only b", "b"), "gone", "change"},
		{post(1, "p", "Both again", "a", "b"), "change", "change"},
		{post(1, "p", "Neither", "c"), "gone", "gone"},
	} {
		at := MustDo(t, s, step.cmd)
		html := map[string]string{"change": card(step.cmd.entry), "gone": ""}
		first, second := c.MustNext(t), c.MustNext(t)
		if first.Cursor != before {
			t.Errorf("%s: got the first cursor %s, want %s", step.cmd.Title, first.Cursor, before)
		}
		if second.Cursor != at.String() {
			t.Errorf("%s: got the second cursor %s, want %s", step.cmd.Title, second.Cursor, at)
		}
		if first.Topic == second.Topic {
			t.Errorf("%s: got the topic %s twice, want each once", step.cmd.Title, first.Topic)
		}
		for _, f := range []frame{first, second} {
			want := map[string]string{"tag:a": step.a, "tag:b": step.b}[f.Topic]
			wanted := frame{Type: want, Seq: at.Seq, Topic: f.Topic, ID: "post-1", HTML: html[want], Cursor: f.Cursor}
			if diff := cmp.Diff(wanted, f); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.cmd.Title, diff)
			}
		}
		before = at.String()
	}
}

func TestTheCursorCountsARowOnlyWhenItIsWhole(t *testing.T) {
	s := MustSite(t, change{})
	before := MustDo(t, s, post(1, "p", "First"))
	c := MustFollow(t, s, "posts,post:p", before.String())
	at := MustDo(t, s, post(1, "p", "Second"))
	first := c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq, Cursor: before.String()})
	c.MustBe(t, frame{Type: "change", Topic: "post:p", Seq: at.Seq, Cursor: at.String()})
	// Cut off between the two, the reader gets both.
	again := MustFollow(t, s, "posts,post:p", first.Cursor)
	again.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq, Cursor: before.String()})
	again.MustBe(t, frame{Type: "change", Topic: "post:p", Seq: at.Seq, Cursor: at.String()})
}

func TestAMovedPageFollowsItsNewName(t *testing.T) {
	s := MustSite(t, change{})
	at := MustDo(t, s, post(1, "old", "First"))
	c := MustFollow(t, s, "post:old", at.String())
	moved := MustDo(t, s, post(1, "new", "Second"))
	f := c.MustBe(t, frame{
		Type: "moved", Topic: "post:old", To: "post:new", URL: "/posts/new", Seq: moved.Seq, Cursor: at.String(),
	})
	next := MustFollow(t, s, f.To, f.Cursor)
	next.MustBe(t, frame{
		Type: "change", Topic: "post:new", HTML: `<article id="article">Second</article>`, Seq: moved.Seq,
		Cursor: moved.String(),
	})
}

func TestMissedChangesAreMerged(t *testing.T) {
	s := MustSite(t, change{})
	start := MustDo(t, s, post(1, "a", "A1"))
	MustDo(t, s, post(2, "b", "B1"))
	MustDo(t, s, post(1, "a", "A2"))
	b := MustDo(t, s, post(2, "b", "B2"))
	MustDo(t, s, post(3, "c", "C1"))
	c := MustDo(t, s, drop{3})
	a := MustDo(t, s, post(1, "a", "A3"))
	r := MustFollow(t, s, "posts", start.String())
	r.MustBe(t, frame{
		Type: "change", Topic: "posts", ID: "post-2", HTML: `<li id="post-2">B2</li>`, Seq: b.Seq, Cursor: b.String(),
	})
	r.MustBe(t, frame{Type: "gone", Topic: "posts", ID: "post-3", Seq: c.Seq, Cursor: c.String()})
	r.MustBe(t, frame{
		Type: "change", Topic: "posts", ID: "post-1", HTML: `<li id="post-1">A3</li>`, Seq: a.Seq, Cursor: a.String(),
	})
	if err := r.conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	// Away for a while, and back with the last cursor.
	MustDo(t, s, post(4, "d", "D1"))
	d := MustDo(t, s, post(4, "d", "D2"))
	r = MustFollow(t, s, "posts", a.String())
	r.MustBe(t, frame{
		Type: "change", Topic: "posts", ID: "post-4", HTML: `<li id="post-4">D2</li>`, Seq: d.Seq, Cursor: d.String(),
	})
	e := MustDo(t, s, post(5, "e", "E"))
	r.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-5", Seq: e.Seq, Cursor: e.String()})
}

func TestUntouchedTopicsAreCurrent(t *testing.T) {
	s := MustSite(t, change{})
	old := MustDo(t, s, post(1, "a", "A", "quiet"))
	for i := range 5 {
		MustDo(t, s, post(2, "b", fmt.Sprint("B", i), "loud"))
	}
	c := MustFollow(t, s, "tag:quiet,post:a", old.String())
	at := MustDo(t, s, drop{1})
	c.MustBe(t, frame{Type: "gone", Topic: "tag:quiet", ID: "post-1", Seq: at.Seq})
}

func TestTooMuchAtOnceIsAResync(t *testing.T) {
	s := MustSite(t, change{})
	start := MustDo(t, s, post(1, "a", "A"))
	c := MustFollow(t, s, "posts", start.String())
	at := MustDo(t, s, many{100})
	c.MustBe(t, frame{Type: "resync", Seq: at.Seq, Cursor: at.String()})
	calls := s.render.calls.Load()
	late := MustFollow(t, s, "posts", start.String())
	late.MustBe(t, frame{Type: "resync", Seq: at.Seq, Cursor: at.String()})
	if n := s.render.calls.Load(); n != calls {
		t.Errorf("%d cards were rendered for nobody, want 0", n-calls)
	}
}

func TestAFaultyRenderingIsAResync(t *testing.T) {
	s := MustSite(t, change{})
	for name, fault := range map[string]func() error{
		"error": func() error { return errors.New("no template") },
		"panic": func() error { panic("nil view") },
	} {
		t.Run(name, func(t *testing.T) {
			c := MustFollow(t, s, "posts", "")
			s.render.faulty.Store(&fault)
			at := MustDo(t, s, post(1, "a", name))
			c.MustBe(t, frame{Type: "resync", Seq: at.Seq, Cursor: at.String()})
			s.render.faulty.Store(nil)
			at = MustDo(t, s, post(1, "a", name+" is over"))
			c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq})
			if got := s.log.String(); !strings.Contains(got, "render posts 1") {
				t.Errorf("got the log %s, want %q in it", got, "render posts 1")
			}
		})
	}
}

func TestOneRenderingServesAllSockets(t *testing.T) {
	s := MustSite(t, change{})
	var all []*client
	for range 20 {
		all = append(all, MustFollow(t, s, "posts", "0"), MustFollow(t, s, "posts,tag:x", "0"))
	}
	MustDo(t, s, post(1, "a", "A", "x", "y"))
	for i, c := range all {
		c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1"})
		if i%2 == 1 {
			c.MustBe(t, frame{Type: "change", Topic: "tag:x", ID: "post-1"})
		}
	}
	if n := s.render.calls.Load(); n != 2 {
		t.Errorf("%d renderings, want one each for posts and tag:x and none for what nobody follows", n)
	}
	st := s.hub.Stats()
	if st.Sockets != 40 {
		t.Errorf("got %d sockets, want 40", st.Sockets)
	}
	if st.Topics != 2 {
		t.Errorf("got %d topics, want 2", st.Topics)
	}
	if st.Frames != 100 {
		t.Errorf("got %d frames, want 40 hellos and 60 changes", st.Frames)
	}
}

func TestTopicsInAnyScript(t *testing.T) {
	s := MustSite(t, change{})
	c := MustFollow(t, s, "tag:日本語 & more?,tag:ünï/x", "0")
	MustDo(t, s, post(1, "a", "A\u2028<&\xff", "日本語 & more?"))
	f := c.MustNext(t)
	if want := "tag:日本語 & more?"; f.Topic != want {
		t.Errorf("got the topic %q, want %q", f.Topic, want)
	}
	if want := "<li id=\"post-1\">A\u2028<&\ufffd</li>"; f.HTML != want {
		t.Errorf("got %q, want %q", f.HTML, want)
	}
}
