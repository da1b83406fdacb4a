package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo/repotest"
	"blog/web"
)

// quick makes a node give up on a position soon.
func quick(o *web.Options) { o.CatchUp = 50 * time.Millisecond }

// long makes a wait for a position hang the test.
func long(o *web.Options) { o.CatchUp = time.Hour }

// MustCopy starts a node on a copy of the world's database as it is now: a replica that nothing
// reaches any more.
func (w *world) MustCopy(tb testing.TB) *node {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "copy.db")
	repotest.MustExec(tb, w.path, "VACUUM INTO ?", path)
	role := repotest.NewNode(repotest.Unknown())
	n := w.MustNode(tb, path, role, true)
	n.role = role
	return n
}

func editor(pairs ...string) url.Values {
	v := url.Values{"title": {"A title"}, "body": {"Some text."}, "do": {"save"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func TestStrangersHaveNoPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "First words", "Body.")
	author := MustLogin(t, w.primary)
	genuine := author.Cookie(t, "position")
	if genuine == "" {
		t.Fatal("who has written: got no position, want one")
	}
	b := MustOpen(t, w.primary)
	value, mac, _ := strings.Cut(genuine, ".")
	ahead := strings.Replace(value, "-", "0-", 1)
	for name, cookie := range map[string]string{
		"none": "", "garbage": "garbage", "a dot": ".", "not signed": value, "another's signature": ahead + "." + mac,
		"cut": genuine[:len(genuine)-1], "longer": genuine + "A", "an empty value": "." + mac,
		"very long": strings.Repeat("9", 3000) + "." + mac,
	} {
		b.SetCookie(t, "position", cookie)
		a := b.Get(t, "/posts/first-words").Must(t, http.StatusOK)
		if got := a.header["Set-Cookie"]; len(got) > 0 {
			t.Errorf("%s: got the cookies %q, want none", name, got)
		}
		if got, want := a.header.Get("Cache-Control"), "public, no-cache"; got != want {
			t.Errorf("%s: got Cache-Control %q, want %q", name, got, want)
		}
		if got := b.Get(t, "/posts/nothing").Must(t, http.StatusNotFound).header.Get("Retry-After"); got != "" {
			t.Errorf("%s: got Retry-After %q, want none, as nothing is on its way", name, got)
		}
		expectStale(t, name, a, "")
	}
}

func TestAPositionOfAnotherHistoryIsReplaced(t *testing.T) {
	t.Parallel()
	w, other := MustWorld(t, long), MustWorld(t, long)
	MustLogin(t, w.primary)
	b := MustLogin(t, other.primary) // the same seq with another mark
	foreign := b.Cookie(t, "position")
	here := b.On(w.primary)
	a := here.Get(t, "/").Must(t, http.StatusOK)
	position := b.Cookie(t, "position")
	if position == foreign {
		t.Errorf("got the position %q of another history, want one of this", position)
	}
	if got := a.header["Set-Cookie"]; len(got) != 2 {
		t.Errorf("got %d cookies, want 2: %q", len(got), got)
	}
	a.expectHeader(t, "Cache-Control", "private, no-cache")
	here.Get(t, "/").Must(t, http.StatusOK).expectNoCookie(t) // it is not set again
	// What they have seen is gone, and not late.
	expectStale(t, "another history", a, "")
	expectStale(t, "nothing", here.Get(t, "/posts/nothing").Must(t, http.StatusNotFound), "")
	if n := w.primary.site.StaleReads(); n != 0 {
		t.Errorf("got %d stale reads, want 0", n)
	}
}

func TestARedirectThatIsAheadOfItsRow(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	behind := w.MustCopy(t)
	b := MustLogin(t, w.primary)
	answer := b.Post(t, "/admin/posts", editor("do", "publish")).Must(t, http.StatusSeeOther).header
	if assurance := answer.Get("X-Durability"); assurance != "local" {
		t.Errorf("the answer says that it rests on %q, want %q", assurance, "local")
	}
	to := answer.Get("Location")
	far := b.Cookie(t, "position")
	for range 2 { // until the row is here
		a := b.On(behind).Get(t, to).Must(t, http.StatusServiceUnavailable)
		a.expectRetryAfter(t)
		for _, selector := range []string{"h1", "title"} {
			if got, want := a.text(t, selector), "on its way here"; !strings.Contains(got, want) {
				t.Errorf("%s: got %q, want %q in it", selector, got, want)
			}
		}
		a.expectAttr(t, "main a.primary", "href", to)
		if got := b.Cookie(t, "position"); got != far {
			t.Errorf("got the position %q, want %q: the next look would be a 404", got, far)
		}
	}
	a := b.On(behind).Do(t, http.MethodHead, to, nil).Must(t, http.StatusServiceUnavailable)
	a.expectRetryAfter(t)
	// So does a page for authors, because the session is on its way.
	b.On(behind).Get(t, "/admin").Must(t, http.StatusServiceUnavailable).expectRetryAfter(t)
	if got := b.Cookie(t, "position"); got != far {
		t.Errorf("after a page for authors: got the position %q, want %q", got, far)
	}
	b.On(w.replica).Get(t, to).Must(t, http.StatusOK)
}

// TestLogoutWhereTheSessionHasNotArrived: the session goes on, so no answer says that it has ended.
func TestLogoutWhereTheSessionHasNotArrived(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	behind := w.MustCopy(t)
	b := MustLogin(t, w.primary)
	token := b.Cookie(t, "session")
	a := b.On(behind).Post(t, "/logout", nil).Must(t, http.StatusServiceUnavailable)
	a.expectRetryAfter(t)
	if got := b.Cookie(t, "session"); got != token {
		t.Errorf("got the session %q, want %q", got, token)
	}
	b.Get(t, "/admin").Must(t, http.StatusOK)
	b.Post(t, "/logout", nil).MustRedirect(t, "/")
	b.SetCookie(t, "session", token)
	b.Get(t, "/admin").Must(t, http.StatusSeeOther)
}

// gated is a node that hears of changes when the test allows it.
type gated struct {
	*repotest.Node
	wake chan struct{}
}

func (g *gated) Subscribe() (<-chan struct{}, func()) { return g.wake, func() {} }

func TestARequestWaitsForItsPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	g := &gated{repotest.NewNode(repotest.Unknown()), make(chan struct{}, 1)}
	late := w.MustNode(t, w.path, g, true)
	b := MustLogin(t, w.primary)
	to := b.Post(t, "/admin/posts", editor("do", "publish")).Must(t, http.StatusSeeOther).header.Get("Location")
	open := func(r *http.Request) { // once the request is there
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { g.wake <- struct{}{} }}
		*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
	}
	a := b.On(late).Get(t, to, open).Must(t, http.StatusOK)
	a.expectCount(t, ".author-bar", 1)
	a.expectNoCookie(t)
	expectStale(t, "waited for", a, "")
}

// expectStale checks that the answer says for which row, by its seq, the node has waited in vain;
// "" means none.
func expectStale(t *testing.T, what string, a *answer, seq string) {
	t.Helper()
	if got := a.header.Get("X-Stale-Read"); got != seq {
		t.Errorf("%s: %s says that row %q is missing, want %q", what, a.path, got, seq)
	}
}

// seqOf returns the seq of the row in a position cookie.
func seqOf(position string) string {
	seq, _, _ := strings.Cut(position, "-")
	return seq
}

func TestAWaitInVainIsSaidOnEveryAnswer(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	MustPublish(t, w.primary, "Old", "Body.")
	behind := w.MustCopy(t)
	stranger := MustOpen(t, behind)
	var etag string
	for range 2 { // first rendered, then cached
		a := stranger.Get(t, "/posts/old").Must(t, http.StatusOK)
		expectStale(t, "a stranger", a, "")
		etag = a.header.Get("Etag")
	}
	b := MustLogin(t, w.primary)
	far := b.Cookie(t, "position")
	here := b.On(behind)
	typed := func() *answer { return here.Post(t, "/admin/posts", editor()) }
	get := func(path string, changes ...change) func() *answer {
		return func() *answer { return here.Get(t, path, changes...) }
	}
	var said uint64
	for _, c := range []struct {
		what   string
		status int
		ask    func() *answer
	}{
		{"a page that is kept", http.StatusOK, get("/posts/old")},
		{"a page that the browser has", http.StatusNotModified, get("/posts/old", header("If-None-Match", etag))},
		{"a page that is not kept", http.StatusOK, get("/posts?tag=none")},
		{"HEAD", http.StatusOK, func() *answer { return here.Do(t, http.MethodHead, "/posts/old", nil) }},
		{"a redirect", http.StatusMovedPermanently, get("/posts/")},
		{"what may be on its way", http.StatusServiceUnavailable, get("/posts/nothing")},
		{"a page for authors", http.StatusServiceUnavailable, get("/admin")},
		{"a form that comes back", http.StatusServiceUnavailable, typed},
	} {
		b.SetCookie(t, "position", far)
		a := c.ask().Must(t, c.status)
		expectStale(t, c.what, a, seqOf(far))
		if c.status < 500 {
			if got := a.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("%s: got Cache-Control %q, want no-store in it", c.what, got)
			}
		}
		said++
		if c.status == http.StatusServiceUnavailable {
			continue // the position stays
		}
		expectStale(t, "after "+c.what, here.Get(t, "/posts/old").Must(t, http.StatusOK), seqOf(far))
		said++
	}
	if n := behind.site.StaleReads(); n != said {
		t.Errorf("%d stale reads are counted, want %d", n, said)
	}
	expectStale(t, "a node that has the row", b.On(w.replica).Get(t, "/posts/old").Must(t, http.StatusOK), "")
	expectStale(t, "a stranger", stranger.Get(t, "/posts/old").Must(t, http.StatusOK), "")
}

// TestAWaitInVainBeforeTheFirstRow: a node without a row sets no position, and its answer is still
// for this reader alone.
func TestAWaitInVainBeforeTheFirstRow(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	b := MustLogin(t, w.primary)
	far := b.Cookie(t, "position")
	b.SetCookie(t, "session", "lost") // otherwise the page is private in any case
	repotest.MustExec(t, w.path, "DELETE FROM writes")
	repotest.MustExec(t, w.path, "DELETE FROM topics")
	a := b.On(w.MustCopy(t)).Get(t, "/posts").Must(t, http.StatusOK)
	expectStale(t, "no row", a, seqOf(far))
	a.expectNoCookie(t)
	a.expectHeader(t, "Cache-Control", "private, no-store")
}

func TestWhoLeavesIsNotGivenUpOn(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	behind := w.MustCopy(t)
	far := MustLogin(t, w.primary).Cookie(t, "position")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "position", Value: far}) //nolint:gosec // a browser's own side
	behind.server.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
	if n := behind.site.StaleReads(); n != 0 {
		t.Errorf("got %d stale reads, want 0", n)
	}
}

func TestPositionsOnlyMoveOn(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	ref := MustPublish(t, w.primary, "Title", "Body.")
	b := MustLogin(t, w.replica)
	before := b.Cookie(t, "position")
	title := "Changed by another"
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
	b.On(w.primary).Get(t, "/posts/title").Must(t, http.StatusOK).expectHeader(t, "Cache-Control", "private, no-cache")
	after := b.Cookie(t, "position")
	if after == before {
		t.Errorf("got the position %q as before, want what was read to count", after)
	}
	repotest.Eventually(t, patience, "the replica is as far", func() bool {
		return w.replica.repo.Feed().Position() == w.primary.repo.Feed().Position()
	})
	b.Get(t, "/posts/title").Must(t, http.StatusOK)
	if got := b.Cookie(t, "position"); got != after {
		t.Errorf("got the position %q, want %q, as nothing has changed", got, after)
	}
	// A form that is sent twice is answered with an older write.
	form := editor("key", "twice", "do", "save")
	b.Post(t, "/admin/posts", form).Must(t, http.StatusSeeOther)
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Body = &title })
	b.Get(t, "/admin").Must(t, http.StatusOK)
	newest := b.Cookie(t, "position")
	b.Post(t, "/admin/posts", form).Must(t, http.StatusSeeOther)
	if got := b.Cookie(t, "position"); got != newest {
		t.Errorf("after a replayed write: got the position %q, want %q", got, newest)
	}
}

// TestACachedPageMovesNobodyBack: a cached page can be older than what its reader has seen
// elsewhere.
func TestACachedPageMovesNobodyBack(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	MustOpen(t, w.primary).Get(t, "/tags/quiet").Must(t, http.StatusOK)
	b := MustLogin(t, w.primary)
	b.Post(t, "/logout", nil).MustRedirect(t, "/")
	newest := b.Cookie(t, "position")
	a := b.Get(t, "/tags/quiet").Must(t, http.StatusOK)
	a.expectNoCookie(t)
	if got := b.Cookie(t, "position"); got != newest {
		t.Errorf("got the position %q, want %q", got, newest)
	}
	a.expectHeader(t, "Cache-Control", "public, no-cache")
}

func TestWhoIsSignedInHasAPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	b := MustLogin(t, w.replica)
	b.SetCookie(t, "position", "lost")
	b.SetCookie(t, "written", "lost")
	a := b.Get(t, "/posts").Must(t, http.StatusOK)
	if got := a.header["Set-Cookie"]; len(got) != 1 {
		t.Errorf("got %d cookies, want 1: %q", len(got), got)
	}
	a.expectHeader(t, "Cache-Control", "private, no-cache")
	b.Get(t, "/posts").Must(t, http.StatusOK).expectNoCookie(t) // it is not set again
}
