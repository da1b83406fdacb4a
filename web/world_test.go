package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"blog/internal/accounts"
	"blog/internal/live"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/web"
	"blog/web/assets"
)

const (
	email    = "ada@example.org"
	password = "a long sentence that nobody guesses"
	patience = 20 * time.Second // for what has to happen
)

// world is a primary and a replica in one process, on one file.
type world struct {
	clock            *repotest.Clock
	path             string
	hasher           *accounts.Hasher
	options          func(*web.Options)
	primary, replica *node
	role             *repotest.Node  // of the replica
	durability       repo.Durability // of the primary; nil means its commit
	author           int64
}

// node is one server of the blog.
type node struct {
	repo   *repo.Repo
	site   *web.Site
	hub    *live.Hub
	server *httptest.Server
	routes chi.Router
	log    *repotest.Journal
	other  *node  // which hears of what is written here
	setup  string // token of the one-time link, without an author
	path   string
	role   *repotest.Node // of a copy
}

// cheap returns a low cost, to keep the tests fast. No test depends on the cost.
func cheap() accounts.Params { return accounts.Params{Memory: 64, Time: 1, Threads: 1} }

// start is when the clocks of worlds begin. It is fixed, so that pages are the same in each run.
func start() time.Time { return time.Date(2026, 5, 24, 8, 30, 0, 0, time.UTC) }

// MustWorld starts both nodes, with an author.
func MustWorld(tb testing.TB, options ...func(*web.Options)) *world {
	tb.Helper()
	return mustHaveAda(tb, MustEmptyWorld(tb, options...))
}

// MustWorldWith is MustWorld with this durability of the primary.
func MustWorldWith(tb testing.TB, durability repo.Durability, options ...func(*web.Options)) *world {
	tb.Helper()
	w := newWorld(tb, options...)
	w.durability = durability
	w.mustStart(tb)
	return mustHaveAda(tb, w)
}

func mustHaveAda(tb testing.TB, w *world) *world {
	tb.Helper()
	ref, _, err := accounts.AddUser(tb.Context(), w.primary.repo, w.hasher, accounts.NewUser{
		Email: email, Name: "Ada", Password: password,
	})
	if err != nil {
		tb.Fatal(err)
	}
	w.author = ref.ID
	return w
}

// MustEmptyWorld starts both nodes, without an author.
func MustEmptyWorld(tb testing.TB, options ...func(*web.Options)) *world {
	tb.Helper()
	w := newWorld(tb, options...)
	w.mustStart(tb)
	return w
}

func newWorld(tb testing.TB, options ...func(*web.Options)) *world {
	tb.Helper()
	w := &world{
		clock: repotest.NewClock(start()), path: filepath.Join(tb.TempDir(), "blog.db"), hasher: accounts.NewHasher(cheap()),
	}
	w.options = func(o *web.Options) {
		for _, change := range options {
			change(o)
		}
	}
	return w
}

func (w *world) mustStart(tb testing.TB) {
	tb.Helper()
	role := repotest.NewNode(repotest.Primary())
	w.primary = w.MustNode(tb, w.path, role, false)
	private := httptest.NewServer(repo.NewHandler(w.primary.repo, repotest.Secret, slog.New(slog.DiscardHandler)))
	tb.Cleanup(private.Close)
	w.role = role.Beside(repotest.Replica(private.URL))
	w.replica = w.MustNode(tb, w.path, w.role, true)
	w.primary.other, w.replica.other = w.replica, w.primary
}

// MustNode starts a node of the world on a database file.
func (w *world) MustNode(tb testing.TB, path string, role repo.Node, underLiteFS bool) *node {
	tb.Helper()
	n := &node{log: &repotest.Journal{}, path: path}
	log := n.log.Text()
	tokens := make(chan string, 1)
	n.repo = repotest.MustOpen(tb, repo.Options{
		Durability: w.durability,
		Path:       path, LiteFS: underLiteFS, Node: role, Now: w.clock.Now, Logger: log, Authorize: accounts.Authorize,
		Registry: repotest.MustRegistry(tb, posts.Commands(), media.Commands(), accounts.Commands()),
		Tasks:    []repo.Task{accounts.SetupTask(func(token string) { tokens <- token }, log)},
	})
	set, err := assets.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	n.server = httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: n.server.Listener.Addr().String()}
	o := web.Options{
		Config: web.Config{
			Title: "A quiet place", Description: "Notes.", Language: "en", Location: time.UTC, Zone: "UTC", PublicURL: public,
		},
		Repo:     n.repo,
		Accounts: accounts.NewService(n.repo, w.hasher, accounts.NewLimiter(w.clock.Now), w.clock.Now),
		Assets:   set, Secret: repotest.Secret, Now: w.clock.Now, Logger: log,
	}
	w.options(&o)
	n.site = web.New(o)
	n.hub = live.New(tb.Context(), live.Options{
		View: n.repo.View, FeedView: n.repo.ViewReserved, Feed: n.repo.Feed(), Render: n.site, Logger: log,
		Version: set.Hash(), Identity: n.site.Identity,
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
		n.hub.Close(ctx)
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

// MustDo runs a command as the operator, and waits until the other node has notified its pages.
func MustDo[R any](tb testing.TB, n *node, cmd repo.Command[R]) R {
	tb.Helper()
	r, receipt, err := repo.Do(repotest.As(tb.Context(), repo.Operator), n.repo, cmd)
	if err != nil {
		tb.Fatal(err)
	}
	if n.other != nil {
		ctx, cancel := context.WithTimeout(tb.Context(), patience)
		defer cancel()
		if place := n.other.repo.Feed().Wait(ctx, receipt.Cursor); place != repo.Here {
			tb.Fatalf("the other node: got %v of what was written, want %v", place, repo.Here)
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

// MustLoad returns a post in the node's copy.
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
			serr := rd.QueryRowContext(tb.Context(), "SELECT COUNT(*) FROM \""+name+"\"").Scan(&count)
			out[name] = count
			return serr
		}))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
