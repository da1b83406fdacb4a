// Package repotest is what the tests of package repo, and of the packages on top of it, have in common: nodes
// whose role the test moves, repositories on one file, a clock and a log of the test's own, and ways to the
// database that no command has. It knows no post. What only one package's tests need stays with them.
package repotest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/migrations"
)

// Secret is the cluster's secret in the tests.
const Secret = "a secret of the tests"

// MustRegistry returns a registry of all these commands.
func MustRegistry(tb testing.TB, lists ...[]repo.Registration) *repo.Registry {
	tb.Helper()
	g, err := repo.NewRegistry(lists...)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// MustSchema returns the real first migration, on which all writes rest, and one more for each of further: the
// tables of the test's own commands.
func MustSchema(tb testing.TB, further ...string) fstest.MapFS {
	tb.Helper()
	const first = "00001_writes.sql"
	data, err := migrations.FS.ReadFile(first)
	if err != nil {
		tb.Fatal(err)
	}
	out := fstest.MapFS{first: {Data: data}}
	for i, up := range further {
		out[fmt.Sprintf("%05d_test.sql", i+2)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up)}
	}
	return out
}

// MustOpen opens a repository that is closed when the test ends. What o leaves out is the blog's schema, a
// transport that knows Secret, the real time, and a log that nobody reads.
func MustOpen(tb testing.TB, o repo.Options) *repo.Repo {
	tb.Helper()
	if o.Migrations == nil {
		o.Migrations = migrations.FS
	}
	if o.Transport == nil {
		o.Transport = transport.NewClient(Secret)
		tb.Cleanup(o.Transport.Close)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := repo.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Errorf("close the repository: %v", err)
		}
	})
	return r
}

// MustPair opens o's file as a primary and as a replica, and returns the replica's node as well. Replication needs no
// time, and forwarding goes over real HTTP.
func MustPair(tb testing.TB, o repo.Options) (primary, replica *repo.Repo, node *Node) {
	tb.Helper()
	first := NewNode(Primary())
	o.Node = first
	primary = MustOpen(tb, o)
	server := httptest.NewServer(repo.NewHandler(primary, Secret, slog.New(slog.DiscardHandler)))
	tb.Cleanup(server.Close)
	node = first.Beside(Replica(server.URL))
	o.Node, o.LiteFS = node, true
	return primary, MustOpen(tb, o), node
}

// As returns the context of what the actor called name does.
func As(ctx context.Context, name string) context.Context {
	return repo.As(ctx, repo.Actor{Name: name})
}

// WantFields fails unless err is Invalid with messages for exactly these fields.
func WantFields(tb testing.TB, err error, fields ...string) {
	tb.Helper()
	e := apperr.From(err)
	if err == nil {
		tb.Errorf("got no error, want messages for %q", fields)
		return
	}
	if e.Code != apperr.Invalid {
		tb.Errorf("got %v, want %v with messages for %q", err, apperr.Invalid, fields)
		return
	}
	if len(e.Fields) != len(fields) {
		tb.Errorf("got messages for %d fields, want for %q: %v", len(e.Fields), fields, err)
		return
	}
	for _, f := range fields {
		if e.Fields[f] == "" {
			tb.Errorf("got no message for %s, want one: %v", f, err)
		}
	}
}

// Eventually polls until ok, and ends the test when that takes longer than limit.
func Eventually(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	over := time.After(limit)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}
