package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	a.expectHeader(tb, "Content-Type", "application/json")
	a.expectHeader(tb, "Cache-Control", "no-store")
	if got, later := a.header.Get("Retry-After"), status == http.StatusServiceUnavailable; (got != "") != later {
		tb.Errorf("/readyz: got status %d and the Retry-After %q, want one: %t", status, got, later)
	}
	b.Do(tb, http.MethodHead, "/readyz", nil).Must(tb, status)
	b.Get(tb, "/health").Must(tb, http.StatusOK) // whatever the state of the database
	return r
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	for writing, n := range map[string]*node{"fit": w.primary, "elsewhere": w.replica} {
		r := MustReady(t, n, http.StatusOK)
		if diff := cmp.Diff(ready{Ready: true, Writing: writing, Seen: r.Seen}, r); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.Seen.IsZero() {
			t.Errorf("got %+v, want it to say when that was seen", r)
		}
	}
	w.role.Set(repotest.Unknown())
	r := MustReady(t, w.replica, http.StatusOK)
	if diff := cmp.Diff(ready{Ready: true, Reason: r.Reason, Writing: "no_primary", Seen: r.Seen}, r); diff != "" {
		t.Errorf("without a primary (-want +got):\n%s", diff)
	}
	if want := "no primary"; !strings.Contains(r.Reason, want) {
		t.Errorf("without a primary: got the reason %q, want %q in it", r.Reason, want)
	}
	MustOpen(t, w.replica).Get(t, "/").Must(t, http.StatusOK)
	w.replica.site.Leave()
	r = MustReady(t, w.replica, http.StatusServiceUnavailable)
	if r.Ready {
		t.Errorf("leaving: got %+v, want it not ready", r)
	}
	if want := "shutting down"; !strings.Contains(r.Reason, want) {
		t.Errorf("leaving: got the reason %q, want %q in it", r.Reason, want)
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
	r := MustReady(t, w.replica, http.StatusServiceUnavailable)
	if r.Ready {
		t.Errorf("got %+v, want it not ready", r)
	}
	if r.Reason != reason {
		t.Errorf("got the reason %q, want %q", r.Reason, reason)
	}
	MustOpen(t, w.replica).Get(t, "/").Must(t, http.StatusOK)
	why.Store(&none)
	if r = MustReady(t, w.replica, http.StatusOK); !r.Ready {
		t.Errorf("got %+v, want it ready", r)
	}
}

func TestANodeWhoseDatabaseHasNotArrived(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	n := w.MustNode(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Unknown()), true)
	r := MustReady(t, n, http.StatusServiceUnavailable)
	if r.Ready {
		t.Errorf("got %+v, want it not ready", r)
	}
	if want := "no database yet"; r.Reason != want {
		t.Errorf("got the reason %q, want %q", r.Reason, want)
	}
	b := MustOpen(t, n)
	// Every request is answered with the reason.
	expectReason := func(a *answer) {
		t.Helper()
		want := "The database has not arrived on this node yet."
		if got := a.text(t, "main"); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want the reason %q in it", a.path, got, want)
		}
	}
	for _, path := range []string{
		"/", "/posts", "/posts/x", "/tags/x", "/search?q=x", "/feed.xml", "/x", "/media/x/y", "/setup?token=x", "/login",
		"/admin", "/account", "/archive", "/robots.txt", "/sitemap.xml", "/live?topics=posts&after=0",
	} {
		a := b.Get(t, path).Must(t, http.StatusServiceUnavailable)
		a.expectRetryAfter(t)
		a.expectHeader(t, "Cache-Control", "no-store")
		a.expectAttr(t, "main .button", "href", path)
		a.expectWithout(t, "sqlite")
		expectReason(a)
	}
	expectReason(b.Post(t, "/login", url.Values{"email": {"a@b.example"}, "password": {"x"}}).
		Must(t, http.StatusServiceUnavailable))
	expectReason(b.Post(t, "/logout", nil).Must(t, http.StatusServiceUnavailable))
	expectReason(b.Get(t, "//evil.example/x").Must(t, http.StatusServiceUnavailable))
	if got := b.Get(t, "//evil.example/x").attr(t, "main .button", "href"); strings.HasPrefix(got, "//") {
		t.Errorf("the way back leads to %q, want an address of this site", got)
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
		if !r.Ready {
			t.Errorf("got %+v, want it ready", r)
		}
		if r.Reason != "" {
			t.Errorf("got the reason %q, want none", r.Reason)
		}
		if want := []string{"failing", "not_yet"}; !slices.Contains(want, r.Writing) {
			t.Errorf("got writing %q, want one of %q", r.Writing, want)
		}
		return r.Writing == "failing" && strings.Contains(n.log.String(), "journal mode")
	})
	lines := strings.Count(n.log.String(), "msg=readiness")
	for range 10 {
		MustReady(t, n, http.StatusOK)
	}
	if lines == 0 {
		t.Errorf("got no line on the readiness in the log, want one: %s", n.log.String())
	}
	if got := strings.Count(n.log.String(), "msg=readiness"); got > lines+1 {
		t.Errorf("said %d times, then %d times, want at most one more", lines, got)
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
	r := MustReady(t, w.primary, http.StatusOK)
	if !r.Ready {
		t.Errorf("got %+v, want it ready", r)
	}
	if r.Writing != "fit" {
		t.Errorf("got writing %q, want %q, as it was seen last", r.Writing, "fit")
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
	a.expectText(t, ".request-id code", "my-own.id_1")
	a.expectHeader(t, "X-Request-Id", "my-own.id_1")
	a.expectWithout(t, "clock")
	a.expectAttr(t, "meta[name=robots]", "content", "noindex")
	// In any case what was typed is shown again.
	armed.Store(false)
	typed := editor("body", hostileText)
	repotest.MustExec(t, w.path,
		"CREATE TRIGGER fault BEFORE INSERT ON posts BEGIN SELECT RAISE(ABORT, 'a secret fault'); END")
	a = b.Post(t, "/admin/posts", typed).Must(t, http.StatusInternalServerError)
	MustRetain(t, a, typed)
	a.expectWithout(t, "secret")
	a.expectCount(t, "#form-summary", 1)
	repotest.MustExec(t, w.path, "UPDATE posts SET labels = 'x', updated_at = 'never' WHERE id = ?", ref.ID)
	a = MustOpen(t, w.primary).Get(t, "/posts/title").Must(t, http.StatusInternalServerError)
	a.expectHeader(t, "ETag", "")
	a.expectHeader(t, "Cache-Control", "no-store")
	a.expectWithout(t, "never")
	log := w.primary.log.String()
	for want, times := range map[string]int{"my-own.id_1": 1, "the clock": 1, "stored time": 1} {
		if got := strings.Count(log, want); got != times {
			t.Errorf("got %q %d times in the log, want %d: %s", want, got, times, log)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", "ä", `"`} {
		got := MustOpen(t, w.primary).Get(t, "/", header("X-Request-Id", id)).header.Get("X-Request-Id")
		if got == id {
			t.Errorf("the id %q: got it back, want another", id)
		}
		if len(got) < 14 {
			t.Errorf("the id %q: got %q of %d characters, want at least 14", id, got, len(got))
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
			t.Errorf("%s: got the ETag %s, want %s as before", p, got, before[p])
		}
	}
}
