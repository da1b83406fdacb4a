package live_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// gate holds the feed back before it tells the hub.
type gate struct {
	reached chan struct{}
	open    chan struct{}
}

func (g *gate) Rows(ctx context.Context, _ []repo.Row) {
	select {
	case g.reached <- struct{}{}:
		<-g.open
	case <-ctx.Done():
	}
}
func (g *gate) Reset(context.Context, repo.Cursor) {}

func TestACursorThatHasNotArrivedIsWaitedFor(t *testing.T) {
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	s := MustSite(t, change{first: g})
	written := make(chan repo.Cursor, 1)
	go func() { written <- MustDo(t, s, post(1, "a", "A")) }()
	<-g.reached
	var at repo.Cursor
	err := s.repo.View(t.Context(), func(rd repo.Reader) error {
		var err error
		at, err = repo.Newest(t.Context(), rd)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := MustFollow(t, s, "posts", at.String())
	g.open <- struct{}{}
	if got := <-written; got != at {
		t.Fatalf("read %v, want %v, which was written", at, got)
	}
	go func() { <-g.reached; g.open <- struct{}{} }()
	at = MustDo(t, s, post(1, "a", "B"))
	c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq, Cursor: at.String()})
}

func TestCursorsThatCannotBeContinued(t *testing.T) {
	s := MustSite(t, change{options: func(o *live.Options) { o.Patience = 20 * time.Millisecond }})
	MustDo(t, s, post(1, "a", "A"))
	at := MustDo(t, s, post(1, "a", "B"))
	for name, after := range map[string]string{
		"never arrives":   repo.Cursor{Seq: at.Seq + 5, Mark: at.Mark}.String(),
		"another history": repo.Cursor{Seq: at.Seq, Mark: repo.Mark{1}}.String(),
		"not a cursor":    "from an older release",
	} {
		t.Run(name, func(t *testing.T) {
			c := MustFollow(t, s, "posts", after)
			f := c.MustNext(t)
			if f.Type != "resync" {
				t.Fatalf("got %+v, want a resync", f)
			}
			if f.Cursor == after {
				t.Fatalf("got the cursor %s, want another", f.Cursor)
			}
			// It goes on from there.
			next := MustDo(t, s, post(1, "a", name))
			c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: next.Seq, Cursor: next.String()})
		})
	}
}

func TestAnOldCursorWhoseRowsArePruned(t *testing.T) {
	s := MustSite(t, change{})
	first := MustDo(t, s, post(1, "a", "A", "quiet"))
	second := MustDo(t, s, post(2, "b", "B", "loud"))
	MustDo(t, s, post(2, "b", "C", "loud"))
	at := MustDo(t, s, post(2, "b", "D", "loud"))
	rewrite(t, s, "DELETE FROM writes WHERE seq < 4")
	idle := MustFollow(t, s, "tag:quiet", first.String())
	loud := MustFollow(t, s, "tag:loud", second.String())
	loud.MustBe(t, frame{Type: "resync", Seq: at.Seq, Cursor: at.String()})
	MustDo(t, s, drop{1})
	idle.MustBe(t, frame{Type: "gone", Topic: "tag:quiet", ID: "post-1"})
}

func rewrite(tb testing.TB, s *site, query string) {
	tb.Helper()
	repotest.MustExec(tb, s.path, query)
	s.node.Notify()
}

// identity reads ?user=7&session=laptop.
func identity(r *http.Request) []repo.Touch {
	q := r.URL.Query()
	if q.Get("user") == "" {
		return nil
	}
	return []repo.Touch{{Topic: "sessions:" + q.Get("user"), Subject: q.Get("session")}}
}

func TestARewrittenHistoryIsAResync(t *testing.T) {
	s := MustSite(t, change{options: func(o *live.Options) {
		o.Identity = identity
	}})
	first := MustDo(t, s, post(1, "a", "A"))
	c := MustFollow(t, s, "posts", first.String())
	user := MustDial(t, s.address("posts", first.String())+"&user=7")
	user.MustBe(t, frame{Type: "hello"})
	at := MustDo(t, s, post(1, "a", "B"))
	c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Cursor: at.String(), Seq: at.Seq})
	user.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Cursor: at.String(), Seq: at.Seq})
	// Another primary's history: the same seq, another mark, and one row less.
	mark := repo.Mark{7}
	now := repo.Cursor{Seq: at.Seq - 1, Mark: mark}
	rewrite(t, s,
		fmt.Sprintf("BEGIN; DELETE FROM writes WHERE seq = 2; UPDATE sqlite_sequence SET seq = 1; UPDATE writes SET mark = "+
			"X'%x'; UPDATE topics SET seq = 1, mark = X'%[1]x'; COMMIT", mark))
	c.MustBe(t, frame{Type: "resync", Seq: now.Seq, Cursor: now.String()})
	if code := user.MustEnd(t); code != 1012 {
		t.Errorf("a signed-in socket was closed with %d, want 1012", code)
	}
	next := MustDo(t, s, post(1, "a", "C"))
	c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: next.Seq, Cursor: next.String()})
	// Who comes back with the lost cursor starts anew.
	late := MustFollow(t, s, "posts", at.String())
	late.MustBe(t, frame{Type: "resync", Seq: next.Seq, Cursor: next.String()})
}

func TestSigningOutClosesTheUsersSockets(t *testing.T) {
	s := MustSite(t, change{options: func(o *live.Options) {
		o.Identity = identity
	}})
	at := MustDo(t, s, post(1, "a", "A"))
	address := s.address("posts", at.String())
	users := map[string]*client{}
	for _, who := range []string{
		"&user=7&session=laptop", "&user=7&session=phone", "&user=8&session=laptop", "&user=8", "",
	} {
		users[who] = MustDial(t, address+who)
		users[who].MustBe(t, frame{Type: "hello"})
	}
	for _, step := range []struct {
		out  touch
		gone string
	}{
		{touch{Topic: "sessions:7", Subject: "laptop"}, "&user=7&session=laptop"}, // that session alone
		{touch{Topic: "sessions:7"}, "&user=7&session=phone"},                     // everywhere
	} {
		MustDo(t, s, step.out)
		if code := users[step.gone].MustEnd(t); code != live.SignedOut {
			t.Errorf("%s closed with %d, want %d", step.gone, code, live.SignedOut)
		}
		delete(users, step.gone)
		MustDo(t, s, post(1, "a", "B"))
		for _, c := range users {
			c.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1"})
		}
	}
}

func TestSigningOutWhileTheSocketOpens(t *testing.T) {
	var s *site
	s = MustSite(t, change{options: func(o *live.Options) {
		o.Identity = func(*http.Request) []repo.Touch {
			// The session is found, and ends before the socket is registered.
			MustDo(t, s, touch{Topic: "sessions:7"})
			return []repo.Touch{{Topic: "sessions:7", Subject: "laptop"}}
		}
	}})
	at := MustDo(t, s, post(1, "a", "A"))
	for _, after := range []string{at.String(), "", "broken"} {
		c := MustDial(t, s.address("posts", after))
		if code := c.MustEnd(t); code != live.SignedOut {
			t.Errorf("closed with %d, want %d", code, live.SignedOut)
		}
	}
}
