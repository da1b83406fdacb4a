package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/web"
)

type ready struct {
	Ready   bool      `json:"ready"`
	Reason  string    `json:"reason"`
	Writing string    `json:"writing"`
	Seen    time.Time `json:"writing_seen"`
}

func MustReady(tb testing.TB, n *node, status int) ready {
	tb.Helper()
	b := MustOpen(tb, n)
	a := b.Get(tb, "/readyz").Must(tb, status)
	var r ready
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		tb.Fatal(err)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" ||
		(a.header.Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		tb.Errorf("%v", a.header)
	}
	b.Do(tb, http.MethodHead, "/readyz", nil).Must(tb, status)
	b.Get(tb, "/health").Must(tb, http.StatusOK) // whatever the state of the database
	return r
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	for writing, n := range map[string]*node{"fit": w.primary, "elsewhere": w.replica} {
		if r := MustReady(t, n, http.StatusOK); !r.Ready || r.Reason != "" || r.Writing != writing || r.Seen.IsZero() {
			t.Errorf("%+v, want it ready and writing %q", r, writing)
		}
	}
	w.role.Set(repotest.Unknown())
	if r := MustReady(t, w.replica, http.StatusOK); !r.Ready || !strings.Contains(r.Reason, "no primary") ||
		r.Writing != "no_primary" {
		t.Errorf("without a primary: %+v", r)
	}
	MustOpen(t, w.replica).Get(t, "/").Must(t, http.StatusOK)
	w.replica.site.Leave()
	if r := MustReady(t, w.replica, http.StatusServiceUnavailable); r.Ready ||
		!strings.Contains(r.Reason, "shutting down") {
		t.Errorf("leaving: %+v", r)
	}
	MustOpen(t, w.replica).Get(t, "/").Must(t, http.StatusOK) // a reader who is here is served to the end
}

// TestANodeThatShallGetNoReadersYet says so to those who send them, and serves whoever comes.
func TestANodeThatShallGetNoReadersYet(t *testing.T) {
	t.Parallel()
	var why atomic.Pointer[string]
	reason, none := "it has just started", ""
	why.Store(&reason)
	w := MustWorld(t, func(o *web.Options) { o.NotYet = func() string { return *why.Load() } })
	if r := MustReady(t, w.replica, http.StatusServiceUnavailable); r.Ready || r.Reason != reason {
		t.Errorf("%+v", r)
	}
	MustOpen(t, w.replica).Get(t, "/").Must(t, http.StatusOK)
	why.Store(&none)
	if r := MustReady(t, w.replica, http.StatusOK); !r.Ready {
		t.Errorf("%+v", r)
	}
}

func TestANodeWhoseDatabaseHasNotArrived(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	n := w.MustNode(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Unknown()), true)
	if r := MustReady(t, n, http.StatusServiceUnavailable); r.Ready || r.Reason != "no database yet" {
		t.Errorf("%+v", r)
	}
	b := MustOpen(t, n)
	// Every request is answered with the reason.
	expectReason := func(a *answer) {
		t.Helper()
		if got := a.text(t, "main"); !strings.Contains(got, "The database has not arrived on this node yet.") {
			t.Errorf("%s gives no reason: %s", a.path, got)
		}
	}
	for _, path := range []string{
		"/", "/posts", "/posts/x", "/tags/x", "/search?q=x", "/feed.xml", "/x", "/media/x/y", "/setup?token=x", "/login",
		"/admin", "/account", "/archive", "/robots.txt", "/sitemap.xml", "/live?topics=posts&after=0",
	} {
		a := b.Get(t, path).Must(t, http.StatusServiceUnavailable)
		if a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" ||
			a.attr(t, "main .button", "href") != path || strings.Contains(a.body, "sqlite") {
			t.Errorf("%s: %v %s", path, a.header, a.text(t, "main"))
		}
		expectReason(a)
	}
	expectReason(b.Post(t, "/login", url.Values{"email": {"a@b.example"}, "password": {"x"}}).
		Must(t, http.StatusServiceUnavailable))
	expectReason(b.Post(t, "/logout", nil).Must(t, http.StatusServiceUnavailable))
	expectReason(b.Get(t, "//evil.example/x").Must(t, http.StatusServiceUnavailable))
	if got := b.Get(t, "//evil.example/x").attr(t, "main .button", "href"); strings.HasPrefix(got, "//") {
		t.Errorf("the way back leads to %s", got)
	}
}

// TestReadinessGivesNoDetailsAway: the details of a fault are in the log, once.
func TestReadinessGivesNoDetailsAway(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	// The file has a journal mode that a primary under LiteFS refuses.
	n := w.MustNode(t, w.path, repotest.NewNode(repotest.Primary()), true)
	repotest.Eventually(t, patience, "it says that it cannot write, and the log says why", func() bool {
		r := MustReady(t, n, http.StatusOK)
		if !r.Ready || r.Reason != "" || r.Writing != "failing" && r.Writing != "not_yet" {
			t.Errorf("%+v", r)
		}
		return r.Writing == "failing" && strings.Contains(n.log.String(), "journal mode")
	})
	lines := strings.Count(n.log.String(), "msg=readiness")
	for range 10 {
		MustReady(t, n, http.StatusOK)
	}
	if got := strings.Count(n.log.String(), "msg=readiness"); lines == 0 || got > lines+1 {
		t.Errorf("said %d times, then %d times", lines, got)
	}
}

// TestReadyWhileTheWriterIsHeld: /readyz answers while a write has the writing connection, and does
// not wait for its end.
func TestReadyWhileTheWriterIsHeld(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	lock, err := repotest.MustRaw(t, w.path).BeginTx(t.Context(), nil) // immediate, so that writes wait for it
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := repo.Write(repotest.As(t.Context(), repo.Operator), w.primary.repo, posts.Create{
			Title: "Later", Body: "Text.",
		})
		written <- err
	}()
	if r := MustReady(t, w.primary, http.StatusOK); !r.Ready || r.Writing != "fit" {
		t.Errorf("%+v, want it ready, and fit as it was seen last", r)
	}
	if err := lock.Rollback(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	w := MustWorld(t, func(o *web.Options) {
		now := o.Now
		o.Now = func() time.Time {
			if armed.Load() {
				panic("the clock <has> stopped")
			}
			return now()
		}
	})
	ref := MustPublish(t, w.primary, "Title", "Text")
	b := MustLogin(t, w.primary)
	armed.Store(true)
	a := b.Get(t, "/account", header("X-Request-Id", "my-own.id_1")).Must(t, http.StatusInternalServerError)
	if a.text(t, ".request-id code") != "my-own.id_1" || a.header.Get("X-Request-Id") != "my-own.id_1" ||
		strings.Contains(a.body, "clock") || a.attr(t, "meta[name=robots]", "content") != "noindex" {
		t.Errorf("%v %s", a.header, a.text(t, "main"))
	}
	// In any case what was typed is shown again.
	armed.Store(false)
	typed := editor("body", hostileText)
	repotest.MustExec(t, w.path,
		"CREATE TRIGGER fault BEFORE INSERT ON posts BEGIN SELECT RAISE(ABORT, 'a secret fault'); END")
	a = b.Post(t, "/admin/posts", typed).Must(t, http.StatusInternalServerError)
	MustRetain(t, a, typed)
	if strings.Contains(a.body, "secret") || a.find(t, "#form-summary").Length() != 1 {
		t.Errorf("%s", a.text(t, "main"))
	}
	repotest.MustExec(t, w.path, "UPDATE posts SET labels = 'x', updated_at = 'never' WHERE id = ?", ref.ID)
	a = MustOpen(t, w.primary).Get(t, "/posts/title").Must(t, http.StatusInternalServerError)
	if a.header.Get("ETag") != "" || a.header.Get("Cache-Control") != "no-store" || strings.Contains(a.body, "never") {
		t.Errorf("%v %s", a.header, a.text(t, "main"))
	}
	log := w.primary.log.String()
	for want, times := range map[string]int{"my-own.id_1": 1, "the clock": 1, "stored time": 1} {
		if got := strings.Count(log, want); got != times {
			t.Errorf("%q is %d times in the log", want, got)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", "ä", `"`} {
		if got := MustOpen(t, w.primary).Get(t, "/", header("X-Request-Id", id)).header.Get("X-Request-Id"); got == id ||
			len(got) < 14 {
			t.Errorf("the id %q becomes %q", id, got)
		}
	}
}

// TestAnEditOfADraftTouchesNoPage: deleting or editing a draft changes nothing that readers see.
func TestAnEditOfADraftTouchesNoPage(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Public", "Text", "go")
	b := MustOpen(t, w.primary)
	before := map[string]string{}
	pages := []string{"/", "/posts", "/tags", "/tags/go", "/posts/public", "/feed.xml", "/search?q=text"}
	for _, p := range pages {
		before[p] = b.Get(t, p).header.Get("ETag")
	}
	ref := MustDo(t, w.primary, posts.Create{Title: "Draft", Body: "Text", Tags: []string{"go", "hidden"}})
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { body := "Text, text"; u.Body = &body })
	MustDo(t, w.primary, posts.Delete{Target: posts.Target{ID: ref.ID}})
	for _, p := range pages {
		if got := b.Get(t, p).header.Get("ETag"); got != before[p] {
			t.Errorf("%s has changed", p)
		}
	}
}
