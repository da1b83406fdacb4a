package repo_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

func as(name string) context.Context { return repotest.As(context.Background(), name) }
func operator() context.Context      { return as(repo.Operator) }

// schemaTo returns the tests' migrations up to version n: the real first one, a
// table for the test's commands, and empty ones.
func schemaTo(tb testing.TB, n int) fstest.MapFS {
	tb.Helper()
	further := []string{"CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL);\n"}
	for v := 3; v <= n; v++ {
		further = append(further, fmt.Sprintf("CREATE TABLE later%d (id INTEGER PRIMARY KEY);\n", v))
	}
	return repotest.MustSchema(tb, further[:n-1]...)
}

func registry(tb testing.TB) *repo.Registry {
	tb.Helper()
	return repotest.MustRegistry(tb, []repo.Registration{
		repo.Register[put](), repo.Register[fail](), repo.Register[guess](), repo.Register[loud](),
		repo.Register[remove](), repo.Register[idle](),
		repo.Register[create](),
		repo.Register[odd](), repo.Register[piece](),
	})
}

func options(tb testing.TB, path string, node repo.Node) repo.Options {
	tb.Helper()
	t := transport.NewClient(repotest.Secret)
	tb.Cleanup(t.Close)
	return repo.Options{
		Path: path, Node: node, Registry: registry(tb), Migrations: schemaTo(tb, 2), Transport: t,
		Now: time.Now, Logger: new(repotest.Journal).JSON(), Authorize: func(context.Context, *repo.Tx) error { return nil },
	}
}

// cluster is a primary and a replica on one file: replication without a delay,
// forwarding over real HTTP.
type cluster struct {
	path             string
	primary, replica *repo.Repo
	node             *repotest.Node // the replica's
	server           *httptest.Server
	log              *repotest.Journal // the primary's
}

func MustCluster(tb testing.TB, change ...func(*repo.Options)) *cluster {
	tb.Helper()
	c := &cluster{path: filepath.Join(tb.TempDir(), "blog.db"), log: &repotest.Journal{}}
	node := repotest.NewNode(repotest.Primary())
	o := options(tb, c.path, node)
	o.Logger = c.log.JSON()
	for _, f := range change {
		f(&o)
	}
	c.primary = repotest.MustOpen(tb, o)
	c.server = httptest.NewServer(repo.NewHandler(c.primary, repotest.Secret, c.log.JSON()))
	tb.Cleanup(c.server.Close)
	c.node = node.Beside(repotest.Replica(c.server.URL))
	o = options(tb, c.path, c.node)
	o.LiteFS = true
	c.replica = repotest.MustOpen(tb, o)
	return c
}

// mustStillWait, in a bubble of synctest, fails when something comes on c although everybody waits for the test.
func mustStillWait[T any](t *testing.T, c <-chan T, what string) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		t.Fatalf("%s: got %v, want nothing yet", what, got)
	default:
	}
}

// expectReplayed fails unless a write succeeded, and was answered with the row of an earlier one if want, with its own
// otherwise.
func expectReplayed(tb testing.TB, what string, receipt repo.Receipt, err error, want bool) {
	tb.Helper()
	if err != nil {
		tb.Errorf("%s: got the error %v, want none", what, err)
		return
	}
	if receipt.Replayed != want {
		tb.Errorf("%s: got %+v, want Replayed %t", what, receipt, want)
	}
}

// expectCode fails unless err is an error with that code, and returns it as its caller sees it.
func expectCode(tb testing.TB, what string, err error, code apperr.Code) apperr.Error {
	tb.Helper()
	e := apperr.From(err)
	if err == nil {
		tb.Errorf("%s: got no error, want the code %v", what, code)
	} else if e.Code != code {
		tb.Errorf("%s: got the code %v, want %v: %v", what, e.Code, code, err)
	}
	return *e
}

// expectReason is expectCode of an error that must have that reason, too.
func expectReason(tb testing.TB, what string, err error, code apperr.Code, reason string) apperr.Error {
	tb.Helper()
	e := expectCode(tb, what, err, code)
	if e.Reason != reason {
		tb.Errorf("%s: got the reason %q, want %q: %v", what, e.Reason, reason, err)
	}
	return e
}

// expectUnknown fails unless err says that the outcome is unknown, and has the receipt's key to ask again with.
func expectUnknown(tb testing.TB, what string, receipt repo.Receipt, err error) apperr.Error {
	tb.Helper()
	e := expectReason(tb, what, err, apperr.Unavailable, apperr.OutcomeUnknown)
	if e.Key == "" {
		tb.Errorf("%s: got %v without a key, want one", what, err)
	}
	if e.Key != receipt.Key {
		tb.Errorf("%s: got the key %q, want the receipt's, %q", what, e.Key, receipt.Key)
	}
	return e
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
