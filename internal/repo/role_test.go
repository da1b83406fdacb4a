package repo_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// pair is two nodes under LiteFS's rules on one file: a is primary first.
type pair struct {
	path         string
	a, b         *repo.Repo
	nodeA, nodeB *repotest.Node
	urlA, urlB   string
}

func MustPair(t *testing.T, change ...func(*repo.Options)) *pair {
	t.Helper()
	p := &pair{path: filepath.Join(t.TempDir(), "blog.db")}
	p.nodeA = repotest.NewNode(repotest.Primary())
	p.nodeB = p.nodeA.Beside(repotest.Unknown())
	open := func(node *repotest.Node) (*repo.Repo, string) {
		o := options(t, p.path, node)
		o.LiteFS = true
		for _, f := range change {
			f(&o)
		}
		r := repotest.MustOpen(t, o)
		s := httptest.NewServer(repo.NewHandler(r, repotest.Secret, new(repotest.Journal).JSON()))
		t.Cleanup(s.Close)
		return r, s.URL
	}
	p.a, p.urlA = open(p.nodeA)
	repotest.Eventually(t, patience, "a takes writes", func() bool { return p.a.Writing().State == repo.WriteFit })
	p.b, p.urlB = open(p.nodeB)
	p.nodeB.Set(repotest.Replica(p.urlA))
	return p
}

// failover makes b primary; in between nobody is.
func (p *pair) failover() {
	p.nodeA.Set(repotest.Unknown())
	p.nodeB.Set(repotest.Unknown())
	p.nodeB.Set(repotest.Primary())
	p.nodeA.Set(repotest.Replica(p.urlB))
}

func TestFailover(t *testing.T) {
	var running atomic.Int64
	p := MustPair(t, func(o *repo.Options) {
		o.Tasks = []repo.Task{func(ctx context.Context, r *repo.Repo) {
			running.Add(1)
			defer running.Add(-1)
			_, _ = repo.Write(ctx, r, put{Item: "by the task"})
			<-ctx.Done()
		}}
	})
	repotest.Eventually(t, patience, "the task runs on a",
		func() bool { return MustCount(t, p.b, "SELECT COUNT(*) FROM items") == 1 })
	first := MustPut(t, p.b, "one")
	repo.MustWrite(operator(), p.b, put{Item: "two"}, repo.WithKey("k"))
	p.failover()
	// Exactly once, to the new primary, too.
	_, receipt, err := repo.Do(operator(), p.a, put{Item: "two"}, repo.WithKey("k"))
	expectReplayed(t, "asked again after the failover", receipt, err, true)
	MustPut(t, p.a, "three")
	MustPut(t, p.b, "four")
	if got := locate(t, p.a, first); got != repo.Here {
		t.Errorf("the first row is %v, want %v", got, repo.Here)
	}
	repotest.Eventually(t, patience, "one task runs", func() bool { return running.Load() == 1 })
	if err := p.b.Close(); err != nil {
		t.Error(err)
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d tasks run after Close, want 0", n)
	}
}

func TestWritesGoOnThroughFailovers(t *testing.T) {
	p := MustPair(t)
	const writers, each = 4, 15
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			r := p.a
			if w%2 == 0 {
				r = p.b
			}
			var err error
			for i := 0; i < each && err == nil; i++ {
				_, err = repo.Write(operator(), r, put{Item: fmt.Sprintf("%d-%d", w, i)})
			}
			done <- err
		}()
	}
	p.failover()
	p.nodeB.Set(repotest.Unknown())
	p.nodeA.Set(repotest.Primary())
	p.nodeB.Set(repotest.Replica(p.urlA))
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, query := range []string{"SELECT COUNT(*) FROM writes", "SELECT COUNT(*) FROM items",
		"SELECT MAX(seq) FROM writes"} {
		if n := MustCount(t, p.a, query); n != writers*each {
			t.Errorf("%s: %d, want %d", query, n, writers*each)
		}
	}
}

// TestCloseWaits, in bubbles of synctest: for what is under way.
func TestCloseWaits(t *testing.T) {
	// held opens a repository with a write under way and a task, each of which
	// ends when its channel is closed.
	held := func(t *testing.T, endWrite, endTask chan struct{}) (written, closed chan error) {
		t.Helper()
		entered := make(chan struct{})
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
		o.Authorize = func(context.Context, *repo.Tx) error { close(entered); <-endWrite; return nil }
		o.Tasks = []repo.Task{func(ctx context.Context, _ *repo.Repo) { <-ctx.Done(); <-endTask }}
		r, err := repo.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		written, closed = make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := repo.Write(as("user:1"), r, put{Item: "a"})
			written <- err
		}()
		<-entered
		go func() { closed <- r.Close() }()
		return written, closed
	}
	over := make(chan struct{})
	close(over)
	for name, ends := range map[string]func(c chan struct{}) (endWrite, endTask chan struct{}){
		"for the transaction under way": func(c chan struct{}) (_, _ chan struct{}) { return c, over },
		"for the tasks":                 func(c chan struct{}) (_, _ chan struct{}) { return over, c },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				endWrite, endTask := ends(end)
				written, closed := held(t, endWrite, endTask)
				synctest.Wait()
				select {
				case err := <-closed:
					close(end)
					t.Fatalf("closed with %v, want it to wait", err)
				default:
				}
				close(end)
				if err := <-written; err != nil {
					t.Errorf("the write under way: got %v, want no error", err)
				}
				if err := <-closed; err != nil {
					t.Errorf("close: got %v, want no error", err)
				}
			})
		})
	}
}

// mustHaveSchema returns the path of a database, without a write-ahead log, whose schema has that version; 0: it has
// another program's tables.
func mustHaveSchema(t *testing.T, version int) string {
	t.Helper()
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	if version == 0 {
		repotest.MustExec(t, o.Path, "CREATE TABLE other (id INTEGER)")
		return o.Path
	}
	o.Migrations = schemaTo(t, version)
	r, err := repo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// As on a replica, there is nobody to recover a write-ahead log.
	repotest.MustExec(t, o.Path, "PRAGMA journal_mode = delete")
	return o.Path
}

func TestHealth(t *testing.T) {
	for name, x := range map[string]struct {
		have, want int
		ready      bool
		reason     string
	}{
		"no schema":      {0, 4, false, "no schema"},
		"older by two":   {2, 4, false, "too old"},
		"older by one":   {3, 4, true, "migration 4"},
		"as it is":       {4, 4, true, "no primary is known"},
		"newer":          {5, 4, true, "no primary is known"},
		"first release":  {0, 1, false, "no schema"},
		"second, on one": {1, 2, true, "migration 2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, mustHaveSchema(t, x.have), repotest.NewNode(repotest.Unknown()))
			o.LiteFS, o.Migrations = true, schemaTo(t, x.want)
			h := repotest.MustOpen(t, o).Health(t.Context())
			if h.Ready != x.ready {
				t.Errorf("got ready %t, want %t: %+v", h.Ready, x.ready, h)
			}
			if diff := cmp.Diff([]int64{int64(x.have), int64(x.want)}, []int64{h.SchemaHave, h.SchemaWant}); diff != "" {
				t.Errorf("the schema that is there and the one that is wanted (-want +got):\n%s", diff)
			}
			if !strings.Contains(h.Reason, x.reason) {
				t.Errorf("got the reason %q, want %q in it", h.Reason, x.reason)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		o := options(t, filepath.Join(t.TempDir(), "none.db"), repotest.NewNode(repotest.Unknown()))
		o.LiteFS = true
		h := repotest.MustOpen(t, o).Health(t.Context())
		if h.Ready {
			t.Errorf("got %+v, want it not ready", h)
		}
		if h.Reason == "" {
			t.Errorf("got %+v, want a reason", h)
		}
	})
}

// TestHealthInARole: a newer schema and what is known of writing, by whether this node leads or follows.
func TestHealthInARole(t *testing.T) {
	t.Run("newer, where this node leads or follows", func(t *testing.T) {
		// What a newer release has brought is reported, and the node is ready all the same.
		o := options(t, mustHaveSchema(t, 5), repotest.NewNode(repotest.Replica("http://primary.example")))
		o.LiteFS, o.Migrations = true, schemaTo(t, 4)
		path := filepath.Join(t.TempDir(), "blog.db")
		newer := options(t, path, repotest.NewNode(repotest.Primary()))
		newer.Migrations = schemaTo(t, 5)
		repotest.MustOpen(t, newer)
		older := options(t, path, repotest.NewNode(repotest.Primary()))
		older.Migrations = schemaTo(t, 4)
		for role, r := range map[string]*repo.Repo{"replica": repotest.MustOpen(t, o),
			"primary": repotest.MustOpen(t, older)} {
			h := r.Health(t.Context())
			if !h.Ready {
				t.Errorf("%s: got %+v, want it ready", role, h)
			}
			if want := "schema 5 is a newer release's"; !strings.Contains(h.Reason, want) {
				t.Errorf("%s: got the reason %q, want %q in it", role, h.Reason, want)
			}
			if h.SchemaHave != 5 {
				t.Errorf("%s: got schema %d, want 5", role, h.SchemaHave)
			}
		}
	})
	t.Run("primary and replica", func(t *testing.T) {
		c := MustCluster(t)
		MustPut(t, c.replica, "a")
		for want, r := range map[repo.WriteState]*repo.Repo{repo.WriteFit: c.primary, repo.WriteElsewhere: c.replica} {
			h := r.Health(t.Context())
			if !h.Ready {
				t.Errorf("writing %s: got %+v, want it ready", want, h)
			}
			if h.Reason != "" {
				t.Errorf("writing %s: got the reason %q, want none", want, h.Reason)
			}
			if h.Writing.State != want {
				t.Errorf("got state %s, want %s", h.Writing.State, want)
			}
			if h.Writing.Seen.IsZero() {
				t.Errorf("writing %s: got %+v, want a time", want, h.Writing)
			}
		}
	})
	t.Run("the writing connection cannot be opened", func(t *testing.T) {
		c := MustCluster(t) // in WAL mode, which LiteFS must not have
		c.node.Set(repotest.Primary())
		repotest.Eventually(t, patience, "the reason is told, and readers are served", func() bool {
			h := c.replica.Health(t.Context())
			return h.Ready && h.Writing.State == repo.WriteFailing && strings.Contains(h.Writing.Err.Error(), "journal mode")
		})
	})
}

func TestOpenMigratesAndAcceptsAnyNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	for _, version := range []int{2, 4, 3} {
		o := options(t, path, repotest.NewNode(repotest.Primary()))
		o.Migrations = schemaTo(t, version)
		r, err := repo.Open(t.Context(), o)
		if err != nil {
			t.Fatalf("release with schema %d: got %v, want no error", version, err)
		}
		MustPut(t, r, fmt.Sprint(version))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegistryRefusesTwoOfOneName(t *testing.T) {
	_, err := repo.NewRegistry([]repo.Registration{repo.Register[put]()}, []repo.Registration{repo.Register[put]()})
	if err == nil {
		t.Error("got no error, want one")
	}
	if names := registry(t).Names(); len(names) != 9 {
		t.Errorf("got %d names, want 9: %q", len(names), names)
	}
}

func TestCallsWhileThePrimaryStartsDoNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	repotest.MustExec(t, path, "CREATE TABLE other (id INTEGER)")
	lock, err := repotest.MustRaw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	node := repotest.NewNode(repotest.Unknown())
	o := options(t, path, node)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	s := httptest.NewServer(repo.NewHandler(r, repotest.Secret, new(repotest.Journal).JSON()))
	t.Cleanup(s.Close)
	node.Set(repotest.Primary()) // its migrations wait for the lock
	call := &repo.Call{Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator},
		Body: []byte(`{"item":"a"}`), Deadline: time.Now().Add(time.Minute)}
	err = repo.Send(t.Context(), o.Transport, s.URL, repo.PathSuper, call)
	if !apperr.HasReason(err, apperr.NotNow) {
		t.Errorf("got %v, want the reason %v", err, apperr.NotNow)
	}
	if err := lock.Rollback(); err != nil {
		t.Error(err)
	}
	MustPut(t, r, "as soon as it has started")
}

// TestCloseCheckpointsTheLog: a plain file that was closed is the whole database, to
// be copied by whoever wants a copy.
func TestCloseCheckpointsTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	r, err := repo.Open(t.Context(), options(t, path, repotest.NewNode(repotest.Primary())))
	if err != nil {
		t.Fatal(err)
	}
	MustPut(t, r, "kept")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want %v", suffix, err, os.ErrNotExist)
		}
	}
}
