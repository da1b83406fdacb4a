package upgrade_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

const patience = 30 * time.Second

// world is two candidates in one region and a replica in another, with a reader and an open socket on each.
type world struct {
	releases
	tb        testing.TB
	sites     []*site
	transport *transport.Client
}

// site is a node, with what the test knows about it.
type site struct {
	*cluster.Node
	watcher *watcher

	mu    sync.Mutex
	down  bool
	flips chan struct{} // closed and replaced when down changes
}

// open starts three nodes of the older release, with an author, a first post and readers.
func open(t *testing.T) *world {
	t.Helper()
	r := build(t)
	// All have one public address, as behind a load balancer.
	c := cluster.Start(t, cluster.Options{Consul: true, Binary: r.older, Env: []string{"PUBLIC_URL=http://blog.example"}})
	transport := transport.NewClient(c.Secret)
	t.Cleanup(transport.Close)
	w := &world{releases: r, tb: t, transport: transport}
	for _, n := range c.Nodes {
		w.sites = append(w.sites, &site{Node: n, flips: make(chan struct{})})
	}
	w.must(w.run(w.sites[2], "correct horse battery staple", "user", "add", "ada@example.org", "--name", "Ada",
		"--password-file", "-"))
	w.awaitTwo(w.sites[0])
	w.must(w.create(w.sites[2], "First"))
	w.read(t)
	return w
}

// restart runs the other release on a node: it stops it with SIGTERM and starts it again. The node
// counts as down for its readers all that time.
func (w *world) restart(s *site, binary string) {
	w.tb.Helper()
	s.flip(true)
	if code := s.Stop(w.tb); code != 0 {
		w.tb.Errorf("%s ended with %d", s.Name, code)
	}
	w.start(s, binary)
}

func (w *world) start(s *site, binary string) {
	w.tb.Helper()
	s.Use(binary)
	s.Restart(w.tb)
	s.flip(false)
}

func (s *site) flip(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	close(s.flips)
	s.flips = make(chan struct{})
}

// state returns whether s is down, and a channel that is closed when that changes.
func (s *site) state() (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down, s.flips
}

// answer is what the command line prints with --json.
type answer struct {
	code     int // its exit code
	printed  string
	Seq      int64
	Key      string
	Replayed bool
	Post     struct {
		Slug     string
		Revision int64
	}
	Error *apperr.Error
}

// run runs the command line of the node's release on the node.
func (w *world) run(s *site, stdin string, args ...string) answer {
	w.tb.Helper()
	a, err := try(w.tb.Context(), s, stdin, args...)
	if err != nil {
		w.tb.Fatal(err)
	}
	return a
}

func try(ctx context.Context, s *site, stdin string, args ...string) (answer, error) {
	cmd := s.Command(ctx, append(args, "--json")...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return answer{}, err
	}
	a := answer{code: cmd.ProcessState.ExitCode()}
	a.printed = fmt.Sprintf("blog %s on %s: exit %d, %s%s", strings.Join(args, " "), s.Name, a.code, &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s: %w", a.printed, err)
	}
	return a, nil
}

// must fails unless a command was carried out now, and not before.
func (w *world) must(a answer) {
	w.tb.Helper()
	if a.code != 0 || a.Replayed {
		w.tb.Fatal(a.printed)
	}
}

// replayed fails unless a command was carried out before.
func (w *world) replayed(a answer) {
	w.tb.Helper()
	if a.code != 0 || !a.Replayed {
		w.tb.Fatal(a.printed)
	}
}

// create publishes a post with a command that both releases have. Its slug is its title in lower
// case.
func (w *world) create(s *site, title string) answer {
	w.tb.Helper()
	return w.run(s, "Written on "+s.Name+".", "post", "new", "--title", title, "--slug", strings.ToLower(title), "-")
}

// endorse runs the newer release's command.
func (w *world) endorse(s *site, slug, by, key string) answer {
	w.tb.Helper()
	return w.run(s, "", "post", "endorse", slug, "--by", by, "--key", key)
}

// persist runs it again and again with the same key, until it is done. It closes refused after the
// first try, which has to fail.
func persist(ctx context.Context, s *site, slug, by, key string, refused chan<- struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for first := true; ; first = false {
		a, err := try(ctx, s, "", "post", "endorse", slug, "--by", by, "--key", key)
		if first {
			close(refused)
		}
		switch {
		case err != nil:
			return err
		case a.code == 0 && first:
			return errors.New("done too early: " + a.printed)
		case a.code == 0:
			return nil
		}
	}
}

// createEndorsed runs a command that both releases have, with the newer one's field.
func (w *world) createEndorsed(s *site, title, by, key string) answer {
	w.tb.Helper()
	return w.run(s, "Written on "+s.Name+".", "post", "new", "--title", title, "--slug", strings.ToLower(title),
		"--endorsed-by", by, "--key", key, "-")
}

// refused fails unless a primary of the older release has refused a command.
func (w *world) refused(a answer) {
	w.tb.Helper()
	const unavailable = 3
	if a.code != unavailable || a.Error == nil || a.Error.Code != apperr.Unavailable ||
		a.Error.Reason != apperr.UnknownCommand || a.Error.RetryAfter <= 0 || a.Error.Key == "" {
		w.tb.Fatal(a.printed)
	}
}

// call sends the newer release's command to a private listener, as a program would. It returns
// status and Retry-After.
func (w *world) call(s *site, slug, by, key string) (status int, retryAfter string) {
	w.tb.Helper()
	body, err := json.Marshal(repo.Call{
		Name: "posts.endorse", Key: key, Actor: repo.Actor{Name: repo.Operator}, Deadline: time.Now().Add(patience),
		Body: json.RawMessage(fmt.Sprintf(`{"post":%q,"by":%q}`, slug, by)),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.tb.Context(), http.MethodPost, s.PrivateURL+repo.PathCall,
		bytes.NewReader(body))
	if err != nil {
		w.tb.Fatal(err)
	}
	req.Header = w.transport.Header()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.tb.Fatal(err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	cluster.MustClose(w.tb, "the answer", errors.Join(err, res.Body.Close()))
	return res.StatusCode, res.Header.Get("Retry-After")
}

// count runs a query that counts on the node's own copy.
func (w *world) count(ctx context.Context, s *site, query string, args ...any) int64 {
	w.tb.Helper()
	// It is opened for each query, because an open file prevents that a mount ends.
	db, err := sql.Open("sqlite3", "file:"+s.Database+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		w.tb.Fatal(err)
	}
	var n int64
	err = db.QueryRowContext(ctx, query, args...).Scan(&n)
	if err = errors.Join(err, db.Close()); err != nil {
		w.tb.Fatalf("%s on %s: %v", query, s.Name, err)
	}
	return n
}

// nothingOf checks that no copy has anything of a call.
func (w *world) nothingOf(key, title string) {
	w.tb.Helper()
	for _, s := range w.sites {
		if n := w.count(w.tb.Context(), s, "SELECT COUNT(*) FROM writes WHERE key = ?", key); n != 0 {
			w.tb.Errorf("%s has %d rows of %s, which was refused", s.Name, n, key)
		}
		if n := w.count(w.tb.Context(), s, "SELECT COUNT(*) FROM posts WHERE title = ?", title); n != 0 {
			w.tb.Errorf("%s has %d posts %q, which was refused", s.Name, n, title)
		}
	}
}

// once checks that every copy has each call once.
func (w *world) once(keys ...string) {
	w.tb.Helper()
	for _, s := range w.sites {
		for _, key := range keys {
			w.awaitCount(s, 1, "SELECT COUNT(*) FROM writes WHERE key = ?", key)
		}
	}
}

func (w *world) awaitCount(s *site, want int64, query string, args ...any) {
	w.tb.Helper()
	cluster.Poll(w.tb, patience, s.Name+": "+query, func(ctx context.Context) error {
		if got := w.count(ctx, s, query, args...); got != want {
			return fmt.Errorf("%d, want %d", got, want)
		}
		return nil
	})
}

// status asks the node for its status.
func (w *world) status(ctx context.Context, s *site) (app.Status, error) {
	var st app.Status
	return st, w.transport.Ask(ctx, s.PrivateURL, app.PathStatus, &st)
}

// awaitStatus waits until check accepts the node's status.
func (w *world) awaitStatus(s *site, what string, check func(app.Status) bool) {
	w.tb.Helper()
	cluster.Poll(w.tb, patience, s.Name+" "+what, func(ctx context.Context) error {
		st, err := w.status(ctx, s)
		if err == nil && !check(st) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
}

// awaitTwo waits until s is primary and has a standby.
func (w *world) awaitTwo(s *site) {
	w.tb.Helper()
	w.awaitStatus(s, "leads, with a standby", func(st app.Status) bool {
		return st.Role == "primary" && len(st.SyncSet) == 2
	})
}

// isReady checks that status and /readyz say that s is ready, on this schema, and what is missing;
// "" means nothing.
func (w *world) isReady(s *site, release string, schema int64, missing string) {
	w.tb.Helper()
	says := func(reason string) bool {
		return missing == "" && reason == "" || missing != "" && strings.Contains(reason, missing)
	}
	w.awaitStatus(s, "is ready", func(st app.Status) bool {
		return st.Ready && st.Release == release && st.Schema == schema && says(st.Reason)
	})
	res, err := fetch(w.tb.Context(), s.PublicURL+"/readyz")
	if err != nil {
		w.tb.Fatalf("%s: %v", s.Name, err)
	}
	var ready struct {
		Ready  bool   `json:"ready"`
		Schema int64  `json:"schema"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(res), &ready); err != nil || !ready.Ready || ready.Schema != schema ||
		!says(ready.Reason) {
		w.tb.Errorf("%s: /readyz says %s", s.Name, res)
	}
}
