package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"blog/internal/accounts"
	"blog/internal/litefs"
	"blog/internal/live"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/migrations"
	"blog/web"
	"blog/web/assets"
)

const (
	secret   = "a secret of the cluster"
	email    = "ada@example.org"
	password = "a long sentence that nobody guesses"
	patience = 20 * time.Second // for what must come
)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// replicaNode hears of changes as the primary's node does; its role is the
// test's to change.
type replicaNode struct {
	*litefs.Static
	mu   sync.Mutex
	role litefs.Role
}

func (n *replicaNode) Role() litefs.Role {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.role
}

func (n *replicaNode) Lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.role = litefs.Role{}
}

// world is a primary and a replica in one process, on one file.
type world struct {
	clock            *clock
	path             string
	hasher           *accounts.Hasher
	options          func(*web.Options)
	primary, replica *node
	lost             *replicaNode // the replica's node
	author           int64
}

// node is one server of the blog.
type node struct {
	repo   *repo.Repo
	site   *web.Site
	hub    *live.Hub
	server *httptest.Server
	routes chi.Routes
	log    *journal
	other  *node  // that hears of what is written here
	setup  string // the token of the one-time link, when there is no author
}

// cheap keeps the tests fast; what the default costs has no part in them.
func cheap() accounts.Params { return accounts.Params{Memory: 64, Time: 1, Threads: 1} }

// start is when the worlds' clocks begin: whole, so that pages are the same in
// each run.
func start() time.Time { return time.Date(2026, 5, 24, 8, 30, 0, 0, time.UTC) }

// MustWorld starts both nodes, with an author.
func MustWorld(tb testing.TB, options ...func(*web.Options)) *world {
	tb.Helper()
	w := MustEmptyWorld(tb, options...)
	ref, _, err := accounts.AddUser(tb.Context(), w.primary.repo, w.hasher, accounts.NewUser{Email: email, Name: "Ada", Password: password})
	if err != nil {
		tb.Fatal(err)
	}
	w.author = ref.ID
	return w
}

// MustEmptyWorld starts both nodes, without an author.
func MustEmptyWorld(tb testing.TB, options ...func(*web.Options)) *world {
	tb.Helper()
	w := &world{clock: &clock{now: start()}, path: filepath.Join(tb.TempDir(), "blog.db"), hasher: accounts.NewHasher(cheap())}
	w.options = func(o *web.Options) {
		for _, change := range options {
			change(o)
		}
	}
	static := litefs.OpenStatic()
	w.primary = w.MustNode(tb, w.path, static, false)
	private := httptest.NewServer(repo.NewHandler(w.primary.repo, secret, slog.New(slog.DiscardHandler)))
	tb.Cleanup(private.Close)
	w.lost = &replicaNode{Static: static, role: litefs.Role{State: litefs.Replica, Host: "primary", URL: private.URL}}
	w.replica = w.MustNode(tb, w.path, w.lost, true)
	w.primary.other, w.replica.other = w.replica, w.primary
	return w
}

// MustNode starts a node of the world on a database file.
func (w *world) MustNode(tb testing.TB, path string, role repo.Node, underLiteFS bool) *node {
	tb.Helper()
	n := &node{log: &journal{}}
	log := slog.New(slog.NewTextHandler(n.log, nil))
	tokens := make(chan string, 1)
	n.repo = mustRepo(tb, repo.Options{
		Path: path, LiteFS: underLiteFS, Node: role, Now: w.clock.Now, Logger: log,
		Tasks: []repo.Task{accounts.SetupTask(func(token string) { tokens <- token }, log)},
	})
	set, err := assets.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	n.server = httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: n.server.Listener.Addr().String()}
	o := web.Options{
		Config:   web.Config{Title: "A quiet place", Description: "Notes.", Language: "en", Location: time.UTC, Zone: "UTC", PublicURL: public},
		Repo:     n.repo,
		Accounts: accounts.NewService(n.repo, w.hasher, accounts.NewLimiter(w.clock.Now), w.clock.Now),
		Assets:   set, Secret: secret, Now: w.clock.Now, Logger: log,
	}
	w.options(&o)
	n.site = web.New(o)
	n.hub = live.New(tb.Context(), live.Options{
		View: n.repo.View, Feed: n.repo.Feed(), Render: n.site, Logger: log, Version: set.Hash(), Identity: n.site.Identity,
	})
	n.repo.Feed().Attach(n.site.Cache())
	n.repo.Feed().Attach(n.hub)
	n.routes = n.site.Routes(n.hub)
	n.server.Config.Handler = n.site.Handler(n.hub)
	n.server.Start()
	tb.Cleanup(n.server.Close)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.hub.Close(ctx); err != nil {
			tb.Errorf("close hub: %v", err)
		}
	})
	if !underLiteFS && !mustHaveAuthor(tb, n.repo) {
		n.setup = <-tokens
	}
	return n
}

func mustHaveAuthor(tb testing.TB, r *repo.Repo) (found bool) {
	tb.Helper()
	err := r.View(tb.Context(), func(rd repo.Reader) error {
		var err error
		found, err = accounts.AnyAuthor(tb.Context(), rd)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func mustRepo(tb testing.TB, o repo.Options) *repo.Repo {
	tb.Helper()
	registry, err := repo.NewRegistry(posts.Commands(), media.Commands(), accounts.Commands())
	if err != nil {
		tb.Fatal(err)
	}
	o.Transport, o.Registry, o.Migrations, o.Authorize = repo.NewTransport(secret), registry, migrations.FS, accounts.Authorize
	r, err := repo.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
		o.Transport.Close()
	})
	return r
}

// MustDo carries out a command as the operator, and waits until the other node
// has told its pages of it.
func MustDo[R any](tb testing.TB, n *node, cmd repo.Command[R]) R {
	tb.Helper()
	r, receipt, err := repo.Do(repo.As(tb.Context(), repo.Actor{Name: repo.Operator}), n.repo, cmd)
	if err != nil {
		tb.Fatal(err)
	}
	if n.other != nil {
		ctx, cancel := context.WithTimeout(tb.Context(), patience)
		defer cancel()
		if place := n.other.repo.Feed().Wait(ctx, receipt.Cursor); place != repo.Here {
			tb.Fatalf("the other node does not have what was written: %v", place)
		}
	}
	return r
}

// MustPublish makes a published post and returns it.
func MustPublish(tb testing.TB, n *node, title, body string, labels ...string) posts.Ref {
	tb.Helper()
	return MustDo(tb, n, posts.Create{Title: title, Body: body, Tags: labels, Publish: true})
}

// MustRevise changes a post as it is now.
func MustRevise(tb testing.TB, n *node, id int64, change func(*posts.Update)) posts.Ref {
	tb.Helper()
	u := posts.Update{Target: posts.Target{ID: id}, Revision: MustLoad(tb, n, id).Revision}
	change(&u)
	return MustDo(tb, n, u)
}

// MustLoad returns a post as the node has it.
func MustLoad(tb testing.TB, n *node, id int64) (p posts.Post) {
	tb.Helper()
	err := n.repo.View(tb.Context(), func(rd repo.Reader) error {
		var err error
		p, err = posts.ByID(tb.Context(), rd, id)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// MustCount returns how many rows each table of the database has, and the newest write.
func MustCount(tb testing.TB, n *node) map[string]int {
	tb.Helper()
	out := map[string]int{}
	err := n.repo.View(tb.Context(), func(rd repo.Reader) (err error) {
		rows, err := rd.QueryContext(tb.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			out[name] = 0
		}
		return rows.Err()
	})
	for name := range out {
		err = errors.Join(err, n.repo.View(tb.Context(), func(rd repo.Reader) error {
			var count int
			err := rd.QueryRowContext(tb.Context(), "SELECT COUNT(*) FROM \""+name+"\"").Scan(&count)
			out[name] = count
			return err
		}))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// eventually polls until ok, and fails the test when that takes too long.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("never: %s", what)
		}
	}
}
