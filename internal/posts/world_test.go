package posts_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"blog/internal/accounts"
	"blog/internal/litefs"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/migrations"
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

// replicaNode hears of changes as the primary's node does, and sends writes to url.
type replicaNode struct {
	*litefs.Static
	url string
}

func (n replicaNode) Role() litefs.Role {
	return litefs.Role{State: litefs.Replica, Host: "primary", URL: n.url}
}

const secret = "a secret of the cluster"

// world is a primary and a replica in one process, on one file, with one author.
type world struct {
	tb      testing.TB
	path    string
	node    *litefs.Static
	url     string // of the primary
	clock   *clock
	primary *repo.Repo
	replica *repo.Repo
	ctx     context.Context //nolint:containedctx // of the test, as the operator
}

const (
	adaEmail = "ada@example.org"
	adaName  = "Ada Lovelace"
)

// mustWorld has one author. At its end the search index agrees with the posts.
func mustWorld(tb testing.TB) *world {
	tb.Helper()
	w := mustEmpty(tb)
	w.addUser(adaEmail, adaName)
	return w
}

func mustEmpty(tb testing.TB) *world {
	tb.Helper()
	w := &world{
		tb: tb, path: filepath.Join(tb.TempDir(), "blog.db"), node: litefs.OpenStatic(),
		// Calls carry real deadlines, so the clock starts at the real time.
		clock: &clock{now: time.Now().UTC().Truncate(time.Second)},
		ctx:   repo.As(tb.Context(), repo.Actor{Name: repo.Operator}),
	}
	w.primary = w.open(w.node, false)
	server := httptest.NewServer(repo.NewHandler(w.primary, secret, slog.New(slog.DiscardHandler)))
	tb.Cleanup(server.Close)
	w.url = server.URL
	w.replica = w.open(replicaNode{w.node, w.url}, true)
	tb.Cleanup(func() { w.checkIndex() })
	return w
}

func registry(tb testing.TB) *repo.Registry {
	tb.Helper()
	g, err := repo.NewRegistry(posts.Commands(), accounts.Commands(), media.Commands(), []repo.Registration{
		repo.Register[late[posts.Rerender]](), repo.Register[late[posts.Import]](), repo.Register[late[posts.Update]](),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func (w *world) open(node repo.Node, underLiteFS bool, middleware ...repo.Middleware) *repo.Repo {
	w.tb.Helper()
	transport := repo.NewTransport(secret)
	r, err := repo.Open(w.tb.Context(), repo.Options{
		Path: w.path, LiteFS: underLiteFS, Node: node, Registry: registry(w.tb), Migrations: migrations.FS,
		Transport: transport, Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler),
		Authorize: accounts.Authorize, Middleware: middleware,
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			w.tb.Error(err)
		}
		transport.Close()
	})
	return r
}

func (w *world) addUser(email, name string) {
	w.tb.Helper()
	w.exec("INSERT INTO users (email, name, password_hash, created_at) VALUES (?, ?, 'x', '2026-01-01T00:00:00.000Z')", email, name)
}

// raw opens the file beside the repository: for what no command does.
func (w *world) raw() *sql.DB {
	w.tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path+"?_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		w.tb.Fatal(err)
	}
	return db
}

func (w *world) exec(query string, args ...any) {
	w.tb.Helper()
	db := w.raw()
	_, err := db.ExecContext(context.WithoutCancel(w.ctx), query, args...) // also when the test is over
	if err = errors.Join(err, db.Close()); err != nil {
		w.tb.Fatalf("%s: %v", query, err)
	}
}

// checkIndex compares the index with what readers see, row by row and value by
// value.
func (w *world) checkIndex() {
	w.tb.Helper()
	w.exec("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
}

// view runs a query on the replica.
func view[T any](w *world, query func(rd repo.Reader) (T, error)) T {
	w.tb.Helper()
	v, err := tryView(w, query)
	if err != nil {
		w.tb.Fatal(err)
	}
	return v
}

func tryView[T any](w *world, query func(rd repo.Reader) (T, error)) (v T, err error) {
	w.tb.Helper()
	err = w.replica.View(w.ctx, func(rd repo.Reader) error {
		v, err = query(rd)
		return err
	})
	return v, err
}

func (w *world) count(query string, args ...any) int {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (n int, err error) {
		err = rd.QueryRowContext(w.ctx, query, args...).Scan(&n)
		return n, err
	})
}

// rows is how many writes there were.
func (w *world) rows() int { return w.count("SELECT COUNT(*) FROM writes") }

// post returns a post by id.
func (w *world) post(id int64) posts.Post {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (posts.Post, error) { return posts.ByID(w.ctx, rd, id) })
}

// touched returns the topics of the newest write, sorted, "topic subject".
func (w *world) touched() []string {
	w.tb.Helper()
	newest := view(w, func(rd repo.Reader) (string, error) {
		var s string
		err := rd.QueryRowContext(w.ctx, `
			SELECT COALESCE(group_concat(trim((value ->> 't') || ' ' || COALESCE(value ->> 's', '')), ', '), '')
			FROM (SELECT value FROM json_each((SELECT topics FROM writes ORDER BY seq DESC LIMIT 1)) ORDER BY value ->> 't')`).Scan(&s)
		return s, err
	})
	if newest == "" {
		return nil
	}
	out := strings.Split(newest, ", ")
	slices.Sort(out)
	return out
}

// must runs a command on the replica.
func must[R any](w *world, cmd repo.Command[R], opts ...repo.Option) R {
	w.tb.Helper()
	r, err := repo.Write(w.ctx, w.replica, cmd, opts...)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// try runs a command on the replica.
func try[R any](w *world, cmd repo.Command[R], opts ...repo.Option) (R, error) {
	w.tb.Helper()
	return repo.Write(w.ctx, w.replica, cmd, opts...)
}

// wantFields fails unless err is Invalid with messages for exactly these fields.
func wantFields(tb testing.TB, err error, fields ...string) {
	tb.Helper()
	e := repo.AsError(err)
	if err == nil || e.Code != repo.Invalid || len(e.Fields) != len(fields) {
		tb.Errorf("got %v, want messages for %v", err, fields)
		return
	}
	for _, f := range fields {
		if e.Fields[f] == "" {
			tb.Errorf("no message for %s in %v", f, err)
		}
	}
}

// eventually polls until ok, with a deadline.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("%s: not within 20 s", what)
		}
	}
}

func to[T any](v T) *T { return &v }

// late is a command between whose Prepare and Apply something happens: what hook
// put into the context of a write on the primary.
type late[C interface {
	repo.Command[posts.Ref]
	repo.Preparer[posts.Ref]
}] struct {
	Inner C `json:"inner"`
}

func (l late[C]) Name() string { return "late." + l.Inner.Name() }

func (l late[C]) Apply(ctx context.Context, tx *repo.Tx) (posts.Ref, error) {
	return l.Inner.Apply(ctx, tx)
}

func (l late[C]) Prepare(ctx context.Context, rd repo.Reader) (repo.Command[posts.Ref], error) {
	cmd, err := l.Inner.Prepare(ctx, rd)
	if f, ok := ctx.Value(hookKey{}).(func()); ok && err == nil {
		f()
	}
	return cmd, err
}

type hookKey struct{}

func hook(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, hookKey{}, f)
}
