package repo_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/migrations"
)

const secret = "a secret of the tests"

// bus wakes every seat that shares it, as replication would.
type bus struct {
	mu   sync.Mutex
	subs map[chan struct{}]bool
}

func newBus() *bus { return &bus{subs: map[chan struct{}]bool{}} }

func (b *bus) Subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[ch] = true
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, ch)
	}
}

func (b *bus) Notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// seat is a node whose role the test sets.
type seat struct {
	*bus
	mu      sync.Mutex
	role    litefs.Role
	changed chan struct{}
}

func newSeat(b *bus, role litefs.Role) *seat {
	return &seat{bus: b, role: role, changed: make(chan struct{})}
}

func (s *seat) Role() litefs.Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.role
}

func (s *seat) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *seat) set(role litefs.Role) {
	s.mu.Lock()
	s.role = role
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	s.Notify()
}

func primaryRole() litefs.Role { return litefs.Role{State: litefs.Primary} }
func replicaOf(url string) litefs.Role {
	return litefs.Role{State: litefs.Replica, Host: url, URL: url}
}
func unknownRole() litefs.Role       { return litefs.Role{} }
func as(name string) context.Context { return asIn(context.Background(), name) }
func operator() context.Context      { return as(repo.Operator) }
func asIn(ctx context.Context, name string) context.Context {
	return repo.As(ctx, repo.Actor{Name: name})
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

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// schemaTo returns the tests' migrations up to version n: the real first one, a
// table for the test's commands, and empty ones.
func schemaTo(tb testing.TB, n int) fstest.MapFS {
	tb.Helper()
	first, err := migrations.FS.ReadFile("00001_writes.sql")
	if err != nil {
		tb.Fatal(err)
	}
	out := fstest.MapFS{"00001_writes.sql": {Data: first}}
	for v := 2; v <= n; v++ {
		text := "-- +goose Up\nCREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL);\n"
		if v > 2 {
			text = fmt.Sprintf("-- +goose Up\nCREATE TABLE later%d (id INTEGER PRIMARY KEY);\n", v)
		}
		out[fmt.Sprintf("%05d_test.sql", v)] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func registry(tb testing.TB) *repo.Registry {
	tb.Helper()
	g, err := repo.NewRegistry([]repo.Registration{
		repo.Register[put](), repo.Register[fail](), repo.Register[guess](), repo.Register[loud](), repo.Register[remove](), repo.Register[idle](),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func options(tb testing.TB, path string, node repo.Node) repo.Options {
	tb.Helper()
	t := repo.NewTransport(secret)
	tb.Cleanup(t.Close)
	return repo.Options{
		Path: path, Node: node, Registry: registry(tb), Migrations: schemaTo(tb, 2), Transport: t,
		Now: time.Now, Logger: (&journal{}).logger(),
		Authorize: func(context.Context, *repo.Tx) error { return nil },
	}
}

func MustOpen(tb testing.TB, o repo.Options) *repo.Repo {
	tb.Helper()
	r, err := repo.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return r
}

// cluster is a primary and a replica on one file: replication without a delay,
// forwarding over real HTTP.
type cluster struct {
	path             string
	bus              *bus
	primary, replica *repo.Repo
	node             *seat // the replica's
	server           *httptest.Server
	log              *journal // the primary's
}

func MustCluster(tb testing.TB, change ...func(*repo.Options)) *cluster {
	tb.Helper()
	c := &cluster{path: filepath.Join(tb.TempDir(), "blog.db"), bus: newBus(), log: &journal{}}
	o := options(tb, c.path, newSeat(c.bus, primaryRole()))
	o.Logger = c.log.logger()
	for _, f := range change {
		f(&o)
	}
	c.primary = MustOpen(tb, o)
	c.server = httptest.NewServer(repo.NewHandler(c.primary, secret, c.log.logger()))
	tb.Cleanup(c.server.Close)
	c.node = newSeat(c.bus, replicaOf(c.server.URL))
	o = options(tb, c.path, c.node)
	o.LiteFS = true
	c.replica = MustOpen(tb, o)
	return c
}

// MustRaw opens the database beside the repository, for what only a test may do.
func MustRaw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func MustExec(tb testing.TB, db *sql.DB, query string, args ...any) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

func MustCount(tb testing.TB, r *repo.Repo, query string, args ...any) int {
	tb.Helper()
	var n int
	err := r.View(tb.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(tb.Context(), query, args...).Scan(&n)
	})
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return n
}

// eventually polls until ok, and fails the test when that takes too long.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	limit := time.After(15 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("never: %s", what)
		}
	}
}
