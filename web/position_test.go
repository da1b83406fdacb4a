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
		t.Fatal("who has written has no position")
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
		if len(a.header["Set-Cookie"]) > 0 || a.header.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: %v", name, a.header)
		}
		if b.Get(t, "/posts/nothing").Must(t, http.StatusNotFound).header.Get("Retry-After") != "" {
			t.Errorf("%s: something is on its way", name)
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
	if position == foreign || len(a.header["Set-Cookie"]) != 2 || a.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("the position is still %s: %v", position, a.header)
	}
	if again := here.Get(t, "/").Must(t, http.StatusOK); len(again.header["Set-Cookie"]) > 0 {
		t.Errorf("set again: %v", again.header)
	}
	// What they have seen is gone, and not late.
	expectStale(t, "another history", a, "")
	expectStale(t, "nothing", here.Get(t, "/posts/nothing").Must(t, http.StatusNotFound), "")
	if n := w.primary.site.StaleReads(); n != 0 {
		t.Errorf("%d stale reads", n)
	}
}

func TestARedirectThatIsAheadOfItsRow(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	behind := w.MustCopy(t)
	b := MustLogin(t, w.primary)
	answer := b.Post(t, "/admin/posts", editor("do", "publish")).Must(t, http.StatusSeeOther).header
	if assurance := answer.Get("X-Durability"); assurance != "local" {
		t.Errorf("the answer says that it rests on %q", assurance)
	}
	to := answer.Get("Location")
	far := b.Cookie(t, "position")
	for range 2 { // until the row is here
		a := b.On(behind).Get(t, to).Must(t, http.StatusServiceUnavailable)
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.text(t, "h1"), "on its way here") ||
			!strings.Contains(a.text(t, "title"), "on its way here") ||
			a.attr(t, "main a.primary", "href") != to {
			t.Errorf("got %v %s", a.header, a.text(t, "main"))
		}
		if b.Cookie(t, "position") != far {
			t.Error("the position is lost: the next look would be a 404")
		}
	}
	a := b.On(behind).Do(t, http.MethodHead, to, nil).Must(t, http.StatusServiceUnavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("HEAD says nothing of when")
	}
	// So does a page for authors, because the session is on its way.
	if b.On(behind).Get(t, "/admin").Must(t, http.StatusServiceUnavailable).header.Get("Retry-After") == "" ||
		b.Cookie(t, "position") != far {
		t.Error("the author was sent away")
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
	if a.header.Get("Retry-After") == "" || b.Cookie(t, "session") != token {
		t.Errorf("got %v and the session %q, want when to try again and %q", a.header, b.Cookie(t, "session"), token)
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
	if a.find(t, ".author-bar").Length() != 1 || len(a.header["Set-Cookie"]) > 0 {
		t.Errorf("not waited for: %v", a.header)
	}
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
		if caching := a.header.Get("Cache-Control"); c.status < 500 && !strings.Contains(caching, "no-store") {
			t.Errorf("%s is kept: %s", c.what, caching)
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
	if len(a.header["Set-Cookie"]) > 0 || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", a.header)
	}
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
		t.Errorf("%d stale reads", n)
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
	if a := b.On(w.primary).Get(t, "/posts/title").
		Must(t, http.StatusOK); a.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("caching: %v", a.header)
	}
	after := b.Cookie(t, "position")
	if after == before {
		t.Error("what was read does not count")
	}
	repotest.Eventually(t, patience, "the replica is as far", func() bool {
		return w.replica.repo.Feed().Position() == w.primary.repo.Feed().Position()
	})
	b.Get(t, "/posts/title").Must(t, http.StatusOK)
	if b.Cookie(t, "position") != after {
		t.Error("the position has changed where nothing has")
	}
	// A form that is sent twice is answered with an older write.
	form := editor("key", "twice", "do", "save")
	b.Post(t, "/admin/posts", form).Must(t, http.StatusSeeOther)
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Body = &title })
	b.Get(t, "/admin").Must(t, http.StatusOK)
	newest := b.Cookie(t, "position")
	b.Post(t, "/admin/posts", form).Must(t, http.StatusSeeOther)
	if b.Cookie(t, "position") != newest {
		t.Error("a replayed write took the reader back")
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
	if len(a.header["Set-Cookie"]) > 0 || b.Cookie(t, "position") != newest ||
		a.header.Get("Cache-Control") != "public, no-cache" {
		t.Errorf("%v", a.header)
	}
}

func TestWhoIsSignedInHasAPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	b := MustLogin(t, w.replica)
	b.SetCookie(t, "position", "lost")
	b.SetCookie(t, "written", "lost")
	if a := b.Get(t, "/posts").Must(t, http.StatusOK); len(a.header["Set-Cookie"]) != 1 ||
		a.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%v", a.header)
	}
	if a := b.Get(t, "/posts").Must(t, http.StatusOK); len(a.header["Set-Cookie"]) != 0 {
		t.Errorf("set again: %v", a.header)
	}
}
