package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/repo"
	"blog/test/cluster"
	"blog/test/compose"
)

// cursor returns the cursor of a row in one history.
func cursor(seq byte) string { return repo.Cursor{Seq: int64(seq), Mark: repo.Mark{seq}}.String() }

func card(id int64, revision int64, key string) string {
	return fmt.Sprintf("<li id=\"post-%d\" class=\"card\">%s</li>", id, compose.Title("p", revision, key))
}

// lister is a node with one post in its list, and a socket that sends what a test wants.
type lister struct {
	mu     sync.Mutex
	card   string
	cursor string
	say    chan map[string]any
}

func (l *lister) Show(card, cursor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.card, l.cursor = card, cursor
}

func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/live" {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		ctx := conn.CloseRead(r.Context())
		for {
			select {
			case f := <-l.say:
				data, _ := json.Marshal(f)
				if conn.Write(ctx, websocket.MessageText, data) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(w, "<main data-live-topics=\"posts\" data-cursor=%q><ul>%s</ul></main>", l.cursor, l.card)
}

// Change sends the post as changed by a row.
func (l *lister) Change(seq byte, card string) {
	l.say <- map[string]any{"type": "change", "seq": seq, "cursor": cursor(seq), "topic": "posts", "id": "post-1",
		"html": card}
}

// MustFollow returns a node, and a socket that follows its list until the test ends.
func MustFollow(tb testing.TB) (*lister, *compose.Socket) {
	tb.Helper()
	l := &lister{say: make(chan map[string]any)}
	l.Show(card(1, 1, "a"), cursor(1))
	server := httptest.NewServer(l)
	tb.Cleanup(server.Close)
	socket := compose.NewSocket(&compose.Node{Name: "n", Public: server.URL})
	ctx, end := context.WithCancel(context.WithoutCancel(tb.Context()))
	var following sync.WaitGroup
	following.Go(func() { socket.Run(ctx) })
	tb.Cleanup(func() { end(); following.Wait() })
	heard(tb, socket, 0, 1)
	return l, socket
}

// heard waits until a socket has received so many changes and pages.
func heard(tb testing.TB, s *compose.Socket, changes, pages int) {
	tb.Helper()
	cluster.Poll(tb, 20*time.Second, "the socket has heard", func(context.Context) error {
		if c, p := s.Heard(); c < changes || p < pages {
			return errors.New("not yet")
		}
		return nil
	})
}

// TestSocket: the frames make the page, each row once, also when the socket began again meanwhile,
// unless the row was given up in between.
func TestSocket(t *testing.T) {
	next := card(1, 2, "b")
	again := func(l *lister, at byte) { l.say <- map[string]any{"type": "resync", "seq": at, "cursor": cursor(at)} }
	for name, c := range map[string]struct {
		send    func(l *lister, s *compose.Socket)
		changes int
		wrong   string
	}{
		"a change": {func(l *lister, _ *compose.Socket) { l.Change(2, next) }, 1, ""},
		"the same row again": {func(l *lister, _ *compose.Socket) {
			l.Change(2, next)
			l.Change(2, next)
		}, 2, "told of posts at 2-"},
		"the same row again, after a new page": {func(l *lister, s *compose.Socket) {
			l.Change(2, next)
			again(l, 2)
			heard(t, s, 1, 2)
			l.Change(2, next)
		}, 2, "told of posts at 2-"},
		"a row that was given up, and is back": {func(l *lister, s *compose.Socket) {
			l.Change(2, next)
			heard(t, s, 1, 1)
			l.Show(card(1, 1, "a"), cursor(1))
			again(l, 1)
			heard(t, s, 1, 2)
			l.Show(next, cursor(2))
			l.Change(2, next)
		}, 2, ""},
		"an older row": {func(l *lister, _ *compose.Socket) {
			l.Change(3, next)
			l.Change(2, next)
		}, 2, "a frame of row 2 after one of row 3"},
		"another card": {func(l *lister, _ *compose.Socket) { l.Change(2, card(1, 2, "c")) }, 1, "by its frames and"},
		"nothing":      {func(l *lister, _ *compose.Socket) { l.Change(2, "") }, 1, "by its frames and"},
		"nothing, in between": {func(l *lister, _ *compose.Socket) { l.Change(2, ""); l.Change(3, next) }, 2,
			"is no card of post-1"},
		"a part of it": {func(l *lister, _ *compose.Socket) { l.Change(2, next[:len(next)-9]) }, 1,
			"by its frames and"},
		"the text alone": {func(l *lister, _ *compose.Socket) { l.Change(2, compose.Title("p", 2, "b")) }, 1,
			"by its frames and"},
	} {
		l, s := MustFollow(t)
		l.Show(next, cursor(2))
		c.send(l, s)
		heard(t, s, c.changes, 1)
		expect(t, name, s.Equal(t.Context(), &compose.Copy{Node: "n", Posts: []compose.PostRow{has(1, "p", 2, "b")}}),
			c.wrong)
	}
}

// TestUnheard: after each idle time every socket receives something when posts were written, and
// when nothing is wrong it is changes.
func TestUnheard(t *testing.T) {
	s := compose.NewStorm()
	l, socket := MustFollow(t)
	s.Sockets["n"] = socket
	asked := func(answer compose.Answer) { s.Ledger.End(s.Ledger.Begin(compose.Ask{Node: "m"}), answer) }
	const nothing = "the socket on n has got neither"
	const noChange = "the socket on n is told of no change, and got 1 new pages"
	asked(compose.Answer{Outcome: compose.OK})
	expect(t, "the first page", s.Unheard(), "")
	s.MarkIdle()
	expect(t, "nobody wrote", s.Unheard(), "")
	asked(compose.Answer{Outcome: compose.Unknown})
	asked(compose.Answer{Outcome: compose.OK, Replayed: true})
	expect(t, "nothing new is known to be there", s.Unheard(), "")
	asked(compose.Answer{Outcome: compose.OK})
	expect(t, "a write of which nothing has come", s.Unheard(), nothing)
	l.say <- map[string]any{"type": "resync", "seq": 1, "cursor": cursor(1)}
	heard(t, socket, 0, 2)
	expect(t, "a new page", s.Unheard(), "")
	expect(t, "a new page in the place of a change", s.Unnotified(), noChange)
	l.Change(2, card(1, 2, "b"))
	heard(t, socket, 1, 2)
	expect(t, "a change", errors.Join(s.Unheard(), s.Unnotified()), "")
	s.MarkIdle()
	asked(compose.Answer{Outcome: compose.OK})
	expect(t, "another of which nothing has come", s.Unheard(), nothing)
}
