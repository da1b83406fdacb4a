package ui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/web/assets"
	"blog/web/ui"

	"github.com/a-h/templ"
	"github.com/coder/websocket"
)

// site is a blog of a few pages whose socket the test controls.
type site struct {
	url    string
	assets *assets.Set

	mu    sync.Mutex
	away  bool // accepts no socket
	pages map[string]templ.Component
	gets  map[string]int
	dials []string // queries of the sockets, oldest first
	conns chan *websocket.Conn
}

func mustSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		assets: mustAssets(t), pages: make(map[string]templ.Component), gets: make(map[string]int),
		conns: make(chan *websocket.Conn, 16),
	}
	mux := http.NewServeMux()
	mux.Handle(s.assets.Base(), s.assets.Handler())
	mux.HandleFunc("/live", s.live)
	mux.HandleFunc("/", s.page)
	server := httptest.NewServer(withCSP(mux))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) live(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the answer was sent already
	}
	s.mu.Lock()
	s.dials = append(s.dials, r.URL.RawQuery)
	s.mu.Unlock()
	s.conns <- conn
	<-conn.CloseRead(r.Context()).Done()
}

func (s *site) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	page := s.pages[r.URL.Path]
	s.gets[r.URL.Path]++
	s.mu.Unlock()
	if page == nil {
		http.NotFound(w, r)
		return
	}
	templ.Handler(page).ServeHTTP(w, r)
}

func (s *site) set(path string, page templ.Component) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = page
}

func (s *site) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *site) fetched(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets[path]
}

func (s *site) lastDial() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials[len(s.dials)-1]
}

// frame is what the server sends.
type frame struct {
	Type    string `json:"type"`
	Seq     int    `json:"seq"`
	Cursor  string `json:"cursor,omitempty"`
	Version string `json:"version,omitempty"`
	// Heartbeat is after how many milliseconds the next hello comes at the latest.
	Heartbeat int    `json:"heartbeat,omitempty"`
	Topic     string `json:"topic,omitempty"`
	ID        string `json:"id,omitempty"`
	HTML      string `json:"html,omitempty"`
	To        string `json:"to,omitempty"`
	URL       string `json:"url,omitempty"`
}

// peer is the server's end of a socket.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
	seq  int
}

// mustPeer waits for the next socket, and sends its hello.
func (s *site) mustPeer(t *testing.T) *peer {
	t.Helper()
	select {
	case conn := <-s.conns:
		p := &peer{t: t, conn: conn}
		p.send(frame{Type: "hello", Version: s.assets.Hash()})
		return p
	case <-time.After(20 * time.Second):
		t.Fatal("got no socket in 20 s, want one opened")
		return nil
	}
}

func (p *peer) send(f frame) {
	p.t.Helper()
	p.seq++
	f.Seq, f.Cursor = p.seq, fmt.Sprintf("c%d", p.seq)
	raw, err := json.Marshal(f)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	if err := p.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *peer) card(c ui.Card) {
	p.t.Helper()
	p.send(frame{
		Type: "change", Topic: "posts", ID: fmt.Sprintf("post-%d", c.ID), HTML: render(p.t, ui.PostCard(fakeBlog(), c)),
	})
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("render: %v", err)
	}
	return b.String()
}
