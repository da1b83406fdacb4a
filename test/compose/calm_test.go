package compose_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
	"blog/test/compose"
)

// TestModelOnOneNode: when nothing is wrong, and all nodes are one node on a plain file, the model
// finds nothing, and every participant does its work.
func TestModelOnOneNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	server, err := app.Open(t.Context(), app.Config{DatabasePath: path, ListenAddr: "127.0.0.1:0",
		PrivateAddr: "127.0.0.1:0"},
		app.Options{Logger: slog.New(slog.DiscardHandler), Out: io.Discard, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cluster.MustClose(t, "server", server.Close(context.WithoutCancel(t.Context())))
	})
	hash, err := accounts.NewHasher(accounts.DefaultParams()).Hash(t.Context(), compose.Password, repo.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	repo.MustWrite(repo.As(t.Context(), repo.Actor{Name: repo.Operator}), server.Repo,
		accounts.Create{Email: compose.Email, FullName: "Ada", PasswordHash: hash})
	transport := transport.NewClient(server.Secret)
	t.Cleanup(transport.Close)
	var nodes []*compose.Node
	for _, name := range []string{compose.Fra1, compose.Fra2, compose.Iad1, compose.Nrt1} {
		nodes = append(nodes, &compose.Node{Name: name, Public: "http://" + server.PublicAddr.String(),
			Private: "http://" + server.PrivateAddr.String()})
	}
	s := compose.NewStorm()
	s.Seed = 1
	s.On(t, transport, nodes...)
	s.Board.Schedule(true)
	s.Go()
	cluster.Poll(t, time.Minute, "everybody has done something", func(context.Context) error { return busy(s) })
	s.HasIdled(t)
	start := s.Ledger.Now()
	var copies []*compose.Copy
	cluster.Poll(t, time.Minute, "no post is scheduled", func(ctx context.Context) error {
		copies = nil
		for i, n := range nodes {
			c, err := copyOf(ctx, path, filepath.Join(t.TempDir(), fmt.Sprintf("copy%d.db", i)))
			if err != nil {
				return err
			}
			c.Node = n.Name
			copies = append(copies, c)
		}
		return copies[0].CheckDue(time.Now().Add(time.Hour))
	})
	s.Check(t, copies, start)
}

// busy returns an error that says what has not been done yet.
func busy(s *compose.Storm) error {
	done := map[string]int{}
	for _, a := range s.Ledger.Asks() {
		if a.Outcome == compose.OK {
			done[string(a.Kind)]++
			if a.Reader != "" {
				done["form"]++
			}
		}
	}
	for _, e := range s.Events() {
		if e.Known && !e.Alive {
			done["session over: "+string(e.Kind)]++
		}
	}
	for what, want := range map[string]int{
		"create": 4, "edit": 20, "form": 8, "session over: logout": 1, "session over: write": 1, "session over: page": 1,
	} {
		if done[what] < want {
			return fmt.Errorf("%d of %s, want %d: %v", done[what], what, want, done)
		}
	}
	return nil
}

// copyOf copies the database and reads the copy.
func copyOf(ctx context.Context, path, to string) (*compose.Copy, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return nil, err
	}
	return compose.ReadCopy(ctx, to)
}
