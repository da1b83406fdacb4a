package upgrade_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/test/cluster"
)

const patience = 60 * time.Second

// world is three nodes of the older release, two of which may be primary, with a reader
// on each.
type world struct {
	*cluster.Cluster
	newer     string
	transport *repo.Transport

	mu    sync.Mutex
	down  map[*cluster.Node]bool // being restarted
	reads map[*cluster.Node]int
	errs  []error
}

func MustWorld(t *testing.T) *world {
	t.Helper()
	w := &world{newer: newer(t), down: map[*cluster.Node]bool{}, reads: map[*cluster.Node]int{}}
	w.Cluster = cluster.Start(t, cluster.Options{Consul: true, Env: []string{"LITEFS_SKIP_SYNC=true"}})
	w.transport = repo.NewTransport(w.Secret)
	t.Cleanup(w.transport.Close)
	cmd := w.Nodes[0].Command(t.Context(), "user", "add", "ann@example.org", "--name", "Ann", "--password-file", "/dev/stdin")
	cmd.Stdin = strings.NewReader("correct horse battery staple\n")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add an author: %v: %s", err, text)
	}
	w.MustSet(t, "node1", "node2")
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for _, n := range w.Nodes {
		readers.Go(func() { w.read(ctx, n) })
	}
	t.Cleanup(func() {
		stop()
		readers.Wait()
	})
	return w
}

// read fetches pages from n all the time. While n is restarted nothing is asked of it.
func (w *world) read(ctx context.Context, n *cluster.Node) {
	for i := 0; ctx.Err() == nil; i++ {
		path := []string{"/", "/posts", "/feed.xml", "/search?q=older"}[i%4]
		began := w.isDown(n)
		status, err := get(ctx, n.PublicURL+path)
		w.mu.Lock()
		switch {
		case began || w.down[n] || ctx.Err() != nil:
		case err != nil || status != http.StatusOK:
			w.errs = append(w.errs, fmt.Errorf("%s%s: status %d, %w", n.Name, path, status, err))
		default:
			w.reads[n]++
		}
		w.mu.Unlock()
	}
}

func (w *world) isDown(n *cluster.Node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[n]
}

// MustBeServed wants that readers on every node have been served, and never refused.
func (w *world) MustBeServed(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.errs {
		t.Error(err)
	}
	for _, n := range w.Nodes {
		if w.reads[n] < 10 {
			t.Errorf("%s served only %d pages", n.Name, w.reads[n])
		}
	}
}

// upgrade starts n again with the newer release, restart with the one that it has.
func (w *world) upgrade(t *testing.T, n *cluster.Node) {
	t.Helper()
	n.Use(w.newer)
	w.restart(t, n)
}

func (w *world) restart(t *testing.T, n *cluster.Node) {
	t.Helper()
	w.mark(n, true)
	if code := n.Stop(t); code != 0 {
		t.Errorf("%s: exit code %d", n.Name, code)
	}
	n.Restart(t)
	w.mark(n, false)
}

func (w *world) mark(n *cluster.Node, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[n] = down
}

// called is what came of a call.
type called struct {
	reply repo.Reply
	ID    int64 `json:"id"`
}

func (w *world) call(t *testing.T, n *cluster.Node, c call, key string) (called, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	call := &repo.Call{
		Name: c.name, Key: key, Actor: repo.Actor{Name: repo.Operator}, Deadline: time.Now().Add(30 * time.Second).UTC(), Body: c.wire(t),
	}
	var out called
	if err := repo.NewClient(n.PrivateURL, w.transport).Call(ctx, call); err != nil {
		return out, err
	}
	out.reply = call.Reply
	if err := json.Unmarshal(call.Reply.Result, &out); err != nil && c.name == "posts.create" {
		t.Fatal(err)
	}
	return out, nil
}

func (w *world) MustCall(t *testing.T, n *cluster.Node, c call, key string) called {
	t.Helper()
	out, err := w.call(t, n, c, key)
	if err != nil {
		t.Fatalf("%s on %s: %v", key, n.Name, err)
	}
	return out
}

func (w *world) ask(ctx context.Context, n *cluster.Node) (app.Status, error) {
	var st app.Status
	return st, w.transport.Ask(ctx, n.PrivateURL, app.PathStatus, &st)
}

// MustStatus asks n how it is.
func (w *world) MustStatus(t *testing.T, n *cluster.Node) app.Status {
	t.Helper()
	st, err := w.ask(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// MustSet waits until the primary says that the sync set is of those, MustLead until n is
// the primary and takes writes.
func (w *world) MustSet(t *testing.T, names ...string) {
	t.Helper()
	cluster.Poll(t, patience, fmt.Sprintf("the sync set is %v", names), func(ctx context.Context) error {
		var last app.Status
		for _, n := range w.Nodes {
			st, err := w.ask(ctx, n)
			if err == nil && st.Role == "primary" {
				last = st
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(last.SyncSet)), names) {
			return fmt.Errorf("%v", last.SyncSet)
		}
		return nil
	})
}

func (w *world) MustLead(t *testing.T, n *cluster.Node) {
	t.Helper()
	cluster.Poll(t, patience, n.Name+" leads", func(ctx context.Context) error {
		st, err := w.ask(ctx, n)
		if err == nil && (st.Role != "primary" || st.Durability == "") {
			err = fmt.Errorf("%s, durability %q", st.Role, st.Durability)
		}
		return err
	})
}

// MustCount reads n's own copy.
func (w *world) MustCount(t *testing.T, n *cluster.Node, query string) int {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+n.Database+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	var count int
	err = db.QueryRowContext(t.Context(), query).Scan(&count)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return count
}

func (w *world) status(t *testing.T, url string) int {
	t.Helper()
	status, err := get(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func get(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}
