package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"blog/internal/accounts"
	"blog/internal/live"
	"blog/internal/posts"
	"blog/internal/repo"
)

// frame is what a browser receives.
type frame struct {
	Type, Topic, ID, HTML, To, URL, Cursor string
	Seq                                    int64
}

type socket struct{ conn *websocket.Conn }

// MustFollow opens a socket as the page of this browser does, and reads its hello.
func MustFollow(tb testing.TB, b *browser, topics, after string) *socket {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	address := b.base + "/live?" + url.Values{"topics": {topics}, "after": {after}}.Encode()
	conn, res, err := websocket.Dial( //nolint:bodyclose // the library replaces it
		ctx, address, &websocket.DialOptions{HTTPClient: b.client})
	if err != nil {
		tb.Fatalf("open a socket: %v: %v", err, res)
	}
	tb.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	s := &socket{conn}
	if f := s.MustNext(tb); f.Type != "hello" {
		tb.Fatalf("got %+v, want a hello", f)
	}
	return s
}

func (s *socket) next(ctx context.Context) (frame, error) {
	var f frame
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}

func (s *socket) MustNext(tb testing.TB) frame {
	tb.Helper()
	f, err := s.next(tb.Context())
	if err != nil {
		tb.Fatalf("next frame: %v", err)
	}
	return f
}

// MustBe reads the next frame, and compares its type, topic, id and address.
func (s *socket) MustBe(tb testing.TB, kind live.Type, topic, id, address string) frame {
	tb.Helper()
	f := s.MustNext(tb)
	want, got := []string{string(kind), topic, id, address}, []string{f.Type, f.Topic, f.ID, f.URL}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("type, topic, id and address of the frame %+v (-want +got):\n%s", f, diff)
	}
	return f
}

func TestFramesEqualThePage(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.replica)
	list, tag, page := MustFollow(t, b, "posts", "0"), MustFollow(t, b, "tag:go", "0"), MustFollow(t, b, "post:first", "0")
	ref := MustDo(t, w.primary, posts.Create{
		Title: "First & <b>", Slug: "first", Body: "Body.", Tags: []string{"go", "x"}, Publish: true,
	})
	id := fmt.Sprintf("post-%d", ref.ID)
	for _, f := range []frame{list.MustBe(t, live.Change, "posts", id, ""), tag.MustBe(t, live.Change, "tag:go", id, "")} {
		for _, path := range []string{"/", "/posts", "/tags/go"} {
			if body := b.Get(t, path).body; !strings.Contains(body, f.HTML) {
				t.Errorf("%s: got\n%s\nwant the frame's HTML in it:\n%s", path, body, f.HTML)
			}
		}
	}
	f := page.MustBe(t, live.Change, "post:first", "", "")
	if body := b.Get(t, "/posts/first").body; !strings.Contains(body, f.HTML) {
		t.Errorf("the page: got\n%s\nwant the frame's HTML in it:\n%s", body, f.HTML)
	}
	// Another slug, without one of the tags.
	slug, labels := "second", []string{"x"}
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Slug, u.Tags = &slug, &labels })
	list.MustBe(t, live.Change, "posts", id, "")
	tag.MustBe(t, live.Gone, "tag:go", id, "")
	if f := page.MustBe(t, live.Moved, "post:first", "", "/posts/second"); f.To != "post:second" {
		t.Errorf("moved to %q, want %q", f.To, "post:second")
	}
	MustDo(t, w.primary, posts.Unpublish{Target: posts.Target{ID: ref.ID}})
	list.MustBe(t, live.Gone, "posts", id, "")
	second := MustFollow(t, b, "post:second", "0")
	second.MustBe(t, live.Gone, "post:second", "", "")
	MustDo(t, w.primary, posts.Publish{Target: posts.Target{ID: ref.ID}})
	list.MustBe(t, live.Change, "posts", id, "")
	second.MustBe(t, live.Change, "post:second", "", "")
	MustDo(t, w.primary, posts.Delete{Target: posts.Target{ID: ref.ID}})
	list.MustBe(t, live.Gone, "posts", id, "")
	second.MustBe(t, live.Gone, "post:second", "", "")
}

// TestThePagesCursorIsTheSocketsStart: a socket that begins with the page's cursor receives what
// comes after it, and nothing before.
func TestThePagesCursorIsTheSocketsStart(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustDo(t, w.primary, posts.Create{Title: "First", Body: "Body.", Tags: []string{"go"}, Publish: true})
	b := MustOpen(t, w.replica)
	MustPublish(t, w.primary, "Elsewhere", "Body.", "other")
	for i, path := range []string{"/tags/go", "/posts/first", "/posts?tag=go", "/posts?tag=go&tag=none"} {
		a := b.Get(t, path)
		s := MustFollow(t, b, a.attr(t, "main", "data-live-topics"), a.attr(t, "main", "data-cursor"))
		text := fmt.Sprint("Revision ", i)
		MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Body = &text })
		f := s.MustNext(t)
		if f.Type != "change" {
			t.Errorf("%s: got the frame %+v, want the type %q", path, f, "change")
		}
		if !strings.Contains(f.HTML, text) {
			t.Errorf("%s: got the frame %+v, want %q in its HTML", path, f, text)
		}
	}
}

// TestAPageAtAFrame: when a frame arrives, a GET on the same node shows that change.
func TestAPageAtAFrame(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustPublish(t, w.primary, "Title 0", "Body.")
	for _, n := range []*node{w.primary, w.replica} {
		b := MustOpen(t, n)
		s := MustFollow(t, b, "posts", "")
		for i := range 100 {
			title := fmt.Sprintf("Title %d of %s", i+1, n.server.URL)
			MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
			f := s.MustNext(t)
			if !strings.Contains(f.HTML, title) {
				t.Fatalf("frame %d: got %+v, want %q in its HTML", i, f, title)
			}
			if page := b.Get(t, "/posts"); !strings.Contains(page.body, title) {
				t.Fatalf("after frame %d: got %s, want %q in it", i, page.body, title)
			}
		}
	}
}

func TestNoSocketHearsACanary(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustDo(t, w.primary, posts.Create{Title: "Older", Body: "Everyword.", Tags: []string{"common"}, Publish: true})
	b := MustOpen(t, w.replica)
	old := b.Get(t, "/posts").attr(t, "main", "data-cursor")
	if slices.Contains([]string{"", "0"}, old) {
		t.Fatalf("got the page's cursor %q, want that of a row", old)
	}
	open := map[string]*socket{}
	follow := func(when string, canaries []canary) {
		for _, after := range []string{"0", old, ""} {
			for _, c := range canaries {
				for _, text := range c.texts() {
					topics := "posts,tag:common,tag:" + text + ",post:" + text
					open[when+" "+topics+" after "+after] = MustFollow(t, b, topics, after)
				}
			}
		}
	}
	var early []canary // a follower who knows the words before there are any posts
	for _, name := range []string{"draft", "scheduled", "unpublished", "deleted"} {
		early = append(early, canary{name: name})
	}
	follow("before", early)
	canaries := MustCanaries(t, w.primary)
	follow("after", canaries)
	// Nothing that is done to posts which no reader has seen sends a frame.
	for _, c := range canaries[:2] {
		title := "Again " + c.text("title")
		MustRevise(t, w.primary, c.id, func(u *posts.Update) { u.Title = &title })
		MustDo(t, w.primary, posts.Delete{Target: posts.Target{ID: c.id}})
	}
	marker := MustPublish(t, w.primary, "Marker", "Everyword.", "common")
	for name, s := range open {
		for f := s.MustNext(t); f.ID != fmt.Sprintf("post-%d", marker.ID); f = s.MustNext(t) {
			for _, topic := range []string{"draftq", "scheduledq"} {
				if strings.Contains(f.Topic, topic) {
					t.Errorf("%s: got the frame %+v, want none of a topic with %q", name, f, topic)
				}
			}
			for _, c := range canaries[:2] {
				if id := fmt.Sprintf("post-%d", c.id); f.ID == id {
					t.Errorf("%s: got the frame %+v, want none of %s", name, f, id)
				}
			}
			if f.Type == "resync" || strings.HasPrefix(name, "before") {
				continue // a follower while they were public has received them
			}
			for _, c := range canaries {
				for _, text := range c.texts() {
					if strings.Contains(f.HTML+f.ID+f.URL+f.To, text) {
						t.Errorf("%s: got the frame %+v, want it without %q", name, f, text)
					}
				}
			}
		}
		_ = s.conn.CloseNow()
	}
}

// TestSocketsEndWithTheirSession: the end of a session closes its own sockets, and no others.
func TestSocketsEndWithTheirSession(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	phone, desk, stranger := MustLogin(t, w.primary), MustLogin(t, w.replica), MustOpen(t, w.replica)
	ofPhone, ofDesk, of := MustFollow(t, phone.On(w.replica), "posts", ""), MustFollow(t, desk, "posts", ""),
		MustFollow(t, stranger, "posts", "")
	hears := func(title string, sockets ...*socket) {
		t.Helper()
		MustPublish(t, w.primary, title, "Body.")
		for _, s := range sockets {
			if f := s.MustNext(t); !strings.Contains(f.HTML, title) {
				t.Errorf("got %+v, want %s", f, title)
			}
		}
	}
	hears("To all", ofPhone, ofDesk, of)
	phone.Post(t, "/logout", nil).MustRedirect(t, "/")
	if _, err := ofPhone.next(t.Context()); websocket.CloseStatus(err) != live.SignedOut {
		t.Errorf("the socket of a session that ended gives %v, want the status %d", err, live.SignedOut)
	}
	hears("To two", ofDesk, of)
	again := MustLogin(t, w.primary)
	ofAgain := MustFollow(t, again, "posts", "")
	again.Post(t, "/account/logout-all", nil).MustRedirect(t, "/login")
	for _, s := range []*socket{ofDesk, ofAgain} {
		if _, err := s.next(t.Context()); websocket.CloseStatus(err) != live.SignedOut {
			t.Errorf("log out everywhere gives %v, want the status %d", err, live.SignedOut)
		}
	}
	hears("To one", of)
}

func TestRenderingOfTopics(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustDo(t, w.primary, posts.Create{Title: "A draft", Slug: "hidden", Body: "Body.", Tags: []string{"go"}})
	subject := fmt.Sprint(ref.ID)
	for _, c := range []struct {
		touch repo.Touch
		want  live.Type
	}{
		{repo.Touch{Topic: "posts", Subject: subject}, live.Gone},
		{repo.Touch{Topic: "tag:go", Subject: subject}, live.Gone},
		{repo.Touch{Topic: "post:hidden"}, live.Gone},
		{repo.Touch{Topic: "post:nothing"}, live.Gone},
		{repo.Touch{Topic: "posts", Subject: "999"}, live.Gone},
		{repo.Touch{Topic: "posts", Subject: "no number"}, live.None},
		{repo.Touch{Topic: accounts.SessionsTopic(1), Subject: "abc"}, live.None},
	} {
		err := w.primary.repo.View(t.Context(), func(rd repo.Reader) error {
			f, err := w.primary.site.Render(t.Context(), rd, c.touch)
			if f.Type != c.want {
				t.Errorf("%+v: got the frame %+v, want the type %q", c.touch, f, c.want)
			}
			if f.HTML != "" {
				t.Errorf("%+v: got the HTML %q, want none", c.touch, f.HTML)
			}
			if f.URL != "" {
				t.Errorf("%+v: got the address %q, want none", c.touch, f.URL)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
