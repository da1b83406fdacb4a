package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/litefs"
	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// site is one node: a repository, a hub and the pages behind one server.
type site struct {
	repo   *repo.Repo
	node   *litefs.Static
	path   string
	hub    *live.Hub
	render *renderer
	server *httptest.Server
	log    *repotest.Journal
	pages  *pages
}

type change struct {
	options  func(*live.Options)
	first    repo.Tail // told before the hub
	listener func(*httptest.Server)
}

func MustSite(tb testing.TB, c change) *site {
	tb.Helper()
	s := &site{
		node: litefs.OpenStatic(), path: filepath.Join(tb.TempDir(), "blog.db"), render: &renderer{},
		log: &repotest.Journal{},
	}
	log := s.log.Text()
	s.repo = repotest.MustOpen(tb, repo.Options{
		Path: s.path, Node: s.node, Registry: MustRegistry(tb), Migrations: MustSchema(tb), Logger: log,
	})
	s.pages = &pages{repo: s.repo, stored: map[string]page{}}
	o := live.Options{
		View: s.repo.View, FeedView: s.repo.ViewReserved, Feed: s.repo.Feed(), Render: s.render, Logger: log, Version: "v1",
	}
	if c.options != nil {
		c.options(&o)
	}
	s.hub = live.New(tb.Context(), o)
	s.repo.Feed().Attach(s.pages) // before the hub, as in the real site
	if c.first != nil {
		s.repo.Feed().Attach(c.first)
	}
	s.repo.Feed().Attach(s.hub)
	mux := http.NewServeMux()
	mux.Handle("GET /live", s.hub)
	mux.Handle("GET /list", s.pages)
	s.server = httptest.NewUnstartedServer(mux)
	if c.listener != nil {
		c.listener(s.server)
	}
	s.server.Start()
	tb.Cleanup(s.server.Close)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.hub.Close(ctx)
	})
	return s
}

// MustDo carries out a command and returns where it is.
func MustDo[R any](tb testing.TB, s *site, cmd repo.Command[R]) repo.Cursor {
	tb.Helper()
	_, receipt, err := repo.Do(repotest.As(context.Background(), repo.Operator), s.repo, cmd)
	if err != nil {
		tb.Fatal(err)
	}
	return receipt.Cursor
}

func (s *site) address(topics, after string) string {
	return s.server.URL + "/live?" + url.Values{"topics": {topics}, "after": {after}}.Encode()
}

// frame is what a client gets.
type frame struct {
	Type      string `json:"type"`
	Seq       int64  `json:"seq"`
	Cursor    string `json:"cursor"`
	Version   string `json:"version"`
	Heartbeat int64  `json:"heartbeat"`
	Topic     string `json:"topic"`
	ID        string `json:"id"`
	HTML      string `json:"html"`
	To        string `json:"to"`
	URL       string `json:"url"`
}

// client is a browser's socket.
type client struct {
	conn *websocket.Conn
}

// MustFollow opens a socket and takes its hello.
func MustFollow(tb testing.TB, s *site, topics, after string) *client {
	tb.Helper()
	c := MustDial(tb, s.address(topics, after))
	f := c.MustNext(tb)
	if f.Type != "hello" {
		tb.Fatalf("got %+v, want a hello", f)
	}
	if f.Version != "v1" {
		tb.Fatalf("got the version %q, want %q, in %+v", f.Version, "v1", f)
	}
	if f.Heartbeat <= 0 {
		tb.Fatalf("got the heartbeat %d, want more than 0, in %+v", f.Heartbeat, f)
	}
	if f.Cursor == "" {
		tb.Fatalf("got the cursor %q, want one, in %+v", f.Cursor, f)
	}
	return c
}

// MustDial opens a socket.
func MustDial(tb testing.TB, address string) *client {
	tb.Helper()
	c, err := dial(tb.Context(), address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.conn.CloseNow() })
	return c
}

func dial(ctx context.Context, address string) (*client, error) {
	c, _, err := dialAs(ctx, address, "")
	return c, err
}

// dialAs opens a socket from a page of origin, and returns what the server
// answered to the request, if it did.
func dialAs(ctx context.Context, address, origin string) (*client, answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if origin != "" {
		o.HTTPHeader.Set("Origin", origin)
	}
	var a answer
	conn, res, err := websocket.Dial(ctx, address, o)
	if res != nil {
		a = answer{res.StatusCode, res.Header.Get("Retry-After")}
		if res.Body != nil {
			err = errors.Join(err, res.Body.Close())
		}
	}
	if err != nil {
		return nil, a, err
	}
	conn.SetReadLimit(-1)
	return &client{conn: conn}, a, nil
}

type answer struct {
	status     int
	retryAfter string
}

func (c *client) next(ctx context.Context) (frame, error) {
	var f frame
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return f, d.Decode(&f)
}

func (c *client) MustNext(tb testing.TB) frame {
	tb.Helper()
	f, err := c.next(tb.Context())
	if err != nil {
		tb.Fatalf("next frame: %v", err)
	}
	return f
}

// MustBe takes the next frame and compares what is not empty in want.
func (c *client) MustBe(tb testing.TB, want frame) frame {
	tb.Helper()
	f := c.MustNext(tb)
	got := f
	got.Version, got.Heartbeat = "", 0
	if want.Seq == 0 {
		got.Seq = 0
	}
	if want.Cursor == "" {
		got.Cursor = ""
	}
	if want.HTML == "" {
		got.HTML = ""
	}
	if got != want {
		tb.Fatalf("got %+v, want %+v", f, want)
	}
	return f
}

// MustEnd reads until the server closes, and returns its code.
func (c *client) MustEnd(tb testing.TB) websocket.StatusCode {
	tb.Helper()
	for {
		_, err := c.next(tb.Context())
		if errors.Is(err, context.DeadlineExceeded) {
			tb.Fatal("the socket is open, want it closed")
		}
		if err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// pages serves /list?topics=..., kept until a row touches one of its topics.
type pages struct {
	repo   *repo.Repo
	mu     sync.Mutex
	stored map[string]page
	gen    int
}

// page is a list as a browser gets it.
type page struct {
	Cursor string            `json:"cursor"`
	Cards  map[string]string `json:"cards"`
}

func (p *pages) Rows(context.Context, []repo.Row)   { p.unregister() }
func (p *pages) Reset(context.Context, repo.Cursor) { p.unregister() }
func (p *pages) unregister() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.stored)
	p.gen++
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	pg, ok := p.stored[r.URL.RawQuery]
	gen := p.gen
	p.mu.Unlock()
	if !ok {
		var err error
		if pg, err = p.read(r.Context(), strings.Split(r.URL.Query().Get("topics"), ",")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		p.mu.Lock()
		if p.gen == gen {
			p.stored[r.URL.RawQuery] = pg
		}
		p.mu.Unlock()
	}
	_ = json.NewEncoder(w).Encode(pg)
}

func (p *pages) read(ctx context.Context, topics []string) (page, error) {
	pg := page{Cards: map[string]string{}}
	err := p.repo.View(ctx, func(rd repo.Reader) error {
		clear(pg.Cards)
		c, err := repo.NewestOf(ctx, rd, topics...)
		if err != nil {
			return err
		}
		pg.Cursor = c.String()
		rows, err := rd.QueryContext(ctx, `
			SELECT DISTINCT e.id, e.title
			FROM entries e LEFT JOIN json_each(e.tags) t
			WHERE e.visible AND (?1 LIKE '%"posts"%' OR 'tag:' || t.value IN (SELECT value FROM json_each(?1)))`, quoted(topics))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var e entry
			if err := rows.Scan(&e.ID, &e.Title); err != nil {
				return err
			}
			f := card(e)
			pg.Cards[f[len(`<li id="`):strings.Index(f, `">`)]] = f
		}
		return rows.Err()
	})
	return pg, err
}

func quoted(topics []string) string {
	b, _ := json.Marshal(topics) // strings are always JSON
	return string(b)
}

func fetch(ctx context.Context, s *site, topics string) (page, error) {
	var pg page
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		s.server.URL+"/list?"+url.Values{"topics": {topics}}.Encode(), nil)
	if err != nil {
		return pg, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return pg, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return pg, errors.New(res.Status)
	}
	return pg, json.NewDecoder(res.Body).Decode(&pg)
}
