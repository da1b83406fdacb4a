package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/accounts"
	"blog/internal/repo/repotest"
	"blog/web"
)

func TestTheFirstAuthor(t *testing.T) {
	t.Parallel()
	w := MustEmptyWorld(t)
	b := MustOpen(t, w.replica)
	link := "/setup?token=" + url.QueryEscape(w.primary.setup)
	for _, wrong := range []string{"/setup", "/setup?token=", "/setup?token=wrong"} {
		b.Get(t, wrong).Must(t, http.StatusNotFound)
	}
	before := MustCount(t, w.primary)
	for range 2 { // opening the link does not use it up
		a := b.Get(t, link).Must(t, http.StatusOK)
		a.expectHeader(t, "Cache-Control", "no-store")
		a.expectAttr(t, "meta[name=robots]", "content", "noindex")
	}
	if diff := cmp.Diff(before, MustCount(t, w.primary)); diff != "" {
		t.Errorf("rows after a GET (-want +got):\n%s", diff)
	}
	typed := b.Get(t, link).with(t, "main form", "email", "no address", "name", "", "password", "short")
	a := b.Post(t, "/setup", typed).Must(t, http.StatusUnprocessableEntity)
	a.expectCount(t, ".field-error", 3)
	a.expectField(t, "main form", "email", "no address")
	a.expectWithout(t, "short\"")
	typed = a.with(t, "main form", "email", email, "name", "Ada <b>", "password", password)
	wrong := url.Values{"token": {"wrong"}, "email": {email}, "name": {"Eve"}, "password": {password}}
	b.Post(t, "/setup", wrong).Must(t, http.StatusUnprocessableEntity)
	b.Post(t, "/setup", typed).MustRedirect(t, "/admin")
	b.Get(t, "/admin").Must(t, http.StatusOK).expectText(t, ".author-name", "Ada <b>")
	stranger := MustOpen(t, w.primary)
	stranger.Get(t, link).Must(t, http.StatusNotFound)
	stranger.Post(t, "/setup", typed).Must(t, http.StatusNotFound)
	n := MustCount(t, w.primary)
	if n["users"] != 1 {
		t.Errorf("got %d users, want 1", n["users"])
	}
	if n["setup"] != 0 {
		t.Errorf("got %d links for a first author, want 0", n["setup"])
	}
}

func TestLoginGivesNothingAway(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("http://blog.example"))
	var pages []string
	for _, form := range []url.Values{
		{"email": {email}, "password": {"a wrong sentence"}},
		{"email": {"eve@example.org"}, "password": {password}},
	} {
		for _, n := range []*node{w.primary, w.replica} {
			a := MustOpen(t, n).Post(t, "/login", form, header("X-Request-Id", "same")).Must(t, http.StatusUnauthorized)
			a.expectNoCookie(t)
			a.expectField(t, "main form", "email", form.Get("email"))
			pages = append(pages, strings.ReplaceAll(a.body, form.Get("email"), ""))
		}
	}
	for _, p := range pages[1:] {
		if diff := cmp.Diff(pages[0], p); diff != "" {
			t.Errorf("the page of another refusal (-want +got):\n%s", diff)
		}
	}
}

func TestGuessingIsLimited(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, func(o *web.Options) { o.Config.ClientIPHeader = "Fly-Client-IP" })
	b := MustOpen(t, w.primary)
	guess := func(who, from string) *answer {
		return b.Post(t, "/login", url.Values{"email": {who}, "password": {"guess"}}, header("Fly-Client-IP", from))
	}
	for i := range 10 { // one account, from any network
		guess(email, fmt.Sprintf("192.0.2.%d", i)).Must(t, http.StatusUnauthorized)
	}
	a := guess(email, "192.0.2.99").Must(t, http.StatusTooManyRequests)
	a.expectRetryAfter(t)
	a.expectField(t, "main form", "email", email)
	a.expectCount(t, "#form-summary", 1)
	for i := range 20 { // one network, any account
		guess(fmt.Sprintf("nobody%d@example.org", i), fmt.Sprintf("2001:db8:0:1::%x", i)).Must(t, http.StatusUnauthorized)
	}
	guess("more@example.org", "2001:db8:0:1:ffff::1").Must(t, http.StatusTooManyRequests)
	guess("more@example.org", "2001:db8:0:2::1").Must(t, http.StatusUnauthorized)
	w.clock.Advance(time.Minute)
	b.Post(t, "/login", url.Values{"email": {email}, "password": {password}}).MustRedirect(t, "/admin")
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	one, two := MustLogin(t, w.primary), MustLogin(t, w.replica)
	if got := two.Get(t, "/account").Must(t, http.StatusOK).find(t, ".sessions li").Length(); got != 2 {
		t.Errorf("got %d sessions shown, want 2", got)
	}
	// Signed out in one place.
	one.Post(t, "/logout", nil).MustRedirect(t, "/")
	if got := one.Cookie(t, "session"); got != "" {
		t.Errorf("got the session's cookie %q, want none", got)
	}
	one.Get(t, "/admin").MustRedirect(t, "/login?next=%2Fadmin")
	two.Get(t, "/admin").Must(t, http.StatusOK)
	one.Post(t, "/logout", nil).MustRedirect(t, "/") // a second time is no error

	// Renewed: the session has another token, and the old one is not valid.
	old := two.Cookie(t, "session")
	w.clock.Advance(20 * 24 * time.Hour)
	two.Post(t, "/account/renew", nil).MustRedirect(t, "/account")
	if two.Cookie(t, "session") == old {
		t.Errorf("got the token %q again, want another", old)
	}
	thief := MustOpen(t, w.primary)
	thief.SetCookie(t, "session", old)
	thief.Get(t, "/admin").Must(t, http.StatusSeeOther)
	w.clock.Advance(20 * 24 * time.Hour)
	two.Get(t, "/admin").Must(t, http.StatusOK)
	w.clock.Advance(11 * 24 * time.Hour) // reading has not prolonged it
	two.Get(t, "/admin").Must(t, http.StatusSeeOther)

	// Signed out everywhere.
	one, two = MustLogin(t, w.primary), MustLogin(t, w.replica)
	one.Post(t, "/account/logout-all", nil).MustRedirect(t, "/login")
	repotest.Eventually(t, patience, "the other session ends", func() bool {
		return two.Get(t, "/admin").status == http.StatusSeeOther
	})
}

func TestALoginReplacesNoForeignSession(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.primary)
	b.SetCookie(t, "session", "chosen-by-somebody-else")
	b.Get(t, "/").Must(t, http.StatusOK)
	login := url.Values{"email": {email}, "password": {password}}
	b.Post(t, "/login", login).MustRedirect(t, "/admin")
	first := b.Cookie(t, "session")
	if first == "chosen-by-somebody-else" {
		t.Errorf("got the token %q, which the browser had, want another", first)
	}
	if len(first) < 40 {
		t.Errorf("got the token %q of %d characters, want at least 40", first, len(first))
	}
	b.Post(t, "/login", login).MustRedirect(t, "/admin")
	if b.Cookie(t, "session") == first {
		t.Errorf("got the token %q of the session before, want another", first)
	}
	if got := MustCount(t, w.primary)["sessions"]; got != 1 {
		t.Errorf("got %d sessions, want 1: the one before ends", got)
	}
	b.Get(t, "/login?next=/posts").MustRedirect(t, "/posts") // a user who is signed in need not do it again
}

func TestChangingThePassword(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b, other := MustLogin(t, w.replica), MustLogin(t, w.primary)
	for _, c := range []struct{ current, password, field string }{
		{
			"a wrong sentence", "a new long sentence", "current",
		}, {password, "short", "password"}, {password, email, "password"},
	} {
		a := b.Post(t, "/account/password", url.Values{"current": {c.current}, "password": {c.password}}).
			Must(t, http.StatusUnprocessableEntity)
		a.expectCount(t, ".field-error", 1)
		a.expectCount(t, "#f-"+c.field+"-error", 1)
	}
	to := b.Post(t, "/account/password", url.Values{"current": {password}, "password": {"a new long sentence"}}).
		Must(t, http.StatusSeeOther).header.Get("Location")
	b.Get(t, to).Must(t, http.StatusOK)
	repotest.Eventually(t, patience, "the other session ends", func() bool {
		return other.Get(t, "/admin").status == http.StatusSeeOther
	})
	other.Post(t, "/login", url.Values{"email": {email}, "password": {password}}).Must(t, http.StatusUnauthorized)
	other.Post(t, "/login", url.Values{"email": {email}, "password": {"a new long sentence"}}).MustRedirect(t, "/admin")
}

func TestCookies(t *testing.T) {
	t.Parallel()
	type attributes struct {
		Path, Domain     string
		MaxAge           int
		Secure, HTTPOnly bool
		SameSite         http.SameSite
	}
	for address, want := range map[string]struct {
		session, position string
		secure            bool
	}{
		"http://blog.example":  {"session", "position", false},
		"https://blog.example": {"__Host-session", "__Host-position", true},
	} {
		w := MustWorld(t, shared(address))
		b := MustOpen(t, w.primary)
		a := b.Post(t, "/login", url.Values{"email": {email}, "password": {password}}).Must(t, http.StatusSeeOther)
		cookies := map[string]*http.Cookie{}
		for _, line := range a.header["Set-Cookie"] {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				t.Fatal(err)
			}
			cookies[c.Name] = c
		}
		session, position := cookies[want.session], cookies[want.position]
		if len(cookies) != 3 {
			t.Fatalf("%s: got %d cookies, want 3: %q", address, len(cookies), a.header["Set-Cookie"])
		}
		if session == nil {
			t.Fatalf("%s: got the cookies %q, want %q among them", address, a.header["Set-Cookie"], want.session)
		}
		if position == nil {
			t.Fatalf("%s: got the cookies %q, want %q among them", address, a.header["Set-Cookie"], want.position)
		}
		for _, c := range cookies {
			want := attributes{"/", "", int(accounts.SessionLife.Seconds()), want.secure, true, http.SameSiteLaxMode}
			got := attributes{c.Path, c.Domain, c.MaxAge, c.Secure, c.HttpOnly, c.SameSite}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: the cookie %s (-want +got):\n%s", address, c.Name, diff)
			}
		}
		if got := a.header.Get("Strict-Transport-Security"); (got != "") != want.secure {
			t.Errorf("%s: got the Strict-Transport-Security %q, want one: %t", address, got, want.secure)
		}
		// The cookies are sent by hand, because this connection is not https.
		sent := header("Cookie", session.Name+"="+session.Value+"; "+position.Name+"="+position.Value)
		MustOpen(t, w.primary).Get(t, "/admin", sent).Must(t, http.StatusOK).expectNoCookie(t)
		if want.secure {
			MustOpen(t, w.primary).Get(t, "/admin", header("Cookie", "session="+session.Value)).Must(t, http.StatusSeeOther)
		}
	}
}

func TestLoginRedirectsNowhereElse(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.primary)
	for next, want := range map[string]string{
		"/posts": "/posts", "/admin/posts/1/edit?saved": "/admin/posts/1/edit?saved", "": "/admin",
		"/search?q=a%2Fb%20c": "/search?q=a%2Fb%20c",
		"//evil.example":      "/admin", `/\evil.example`: "/admin", `\\evil.example`: "/admin",
		"https://evil.example": "/admin",
		"javascript:alert(1)":  "/admin",
		"/\t/evil.example":     "/admin", "/\n/evil.example": "/admin", "/\r\nSet-Cookie: a=b": "/admin",
		" //evil.example": "/admin", "evil.example": "/admin",
		"/%5cevil.example": "/%5cevil.example", "///evil.example": "/admin", "/" + strings.Repeat("a", 5000): "/admin",
		"/%zz": "/admin", "/\x00": "/admin",
	} {
		a := b.Post(t, "/login", url.Values{"email": {email}, "password": {password}, "next": {next}})
		a.MustRedirect(t, want)
		if got := a.header["Set-Cookie"]; len(got) != 3 {
			t.Errorf("%q: got %d cookies, want 3: %q", next, len(got), got)
		}
		b.Get(t, "/login?next="+url.QueryEscape(next)).MustRedirect(t, want)
		shown := MustOpen(t, w.primary).Get(t, "/login?next="+url.QueryEscape(next)).Must(t, http.StatusOK)
		if got := shown.form(t, "main form").Get("next"); got != want {
			t.Errorf("%q: got %q in the form, want %q", next, got, want)
		}
	}
	// An address that is not this site's, behind one that is.
	stranger := MustOpen(t, w.primary)
	if got := stranger.Get(t, "//evil.example/admin"); got.status != http.StatusNotFound {
		t.Errorf("got %d to %q, want %d", got.status, got.header.Get("Location"), http.StatusNotFound)
	}
}

func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("https://blog.example"))
	n := w.primary
	login := url.Values{"email": {email}, "password": {password}}
	for name, c := range map[string]struct {
		headers []change
		status  int
	}{
		"same origin":    {[]change{header("Sec-Fetch-Site", "same-origin")}, http.StatusSeeOther},
		"typed":          {[]change{header("Sec-Fetch-Site", "none")}, http.StatusSeeOther},
		"no browser":     {nil, http.StatusSeeOther},
		"an old browser": {[]change{header("Origin", n.server.URL)}, http.StatusSeeOther},
		"behind a proxy": {
			[]change{header("Origin", "https://blog.example"), header("Host", "10.0.0.1:4000")}, http.StatusSeeOther,
		},
		"another site": {
			[]change{header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")}, http.StatusForbidden,
		},
		"a sister": {
			[]change{header("Sec-Fetch-Site", "same-site"), header("Origin", "https://sister.blog.example")},
			http.StatusForbidden,
		},
		"another, an old browser":   {[]change{header("Origin", "https://evil.example")}, http.StatusForbidden},
		"no origin, an old browser": {[]change{header("Origin", "null")}, http.StatusForbidden},
		"the same without https": {
			[]change{header("Origin", "http://blog.example"), header("Sec-Fetch-Site", "cross-site")}, http.StatusForbidden,
		},
	} {
		a := MustOpen(t, n).Post(t, "/login", login, c.headers...)
		if a.status != c.status {
			t.Errorf("%s: got status %d, want %d", name, a.status, c.status)
		}
		if a.status == http.StatusForbidden {
			a.expectCount(t, "h1", 1)
			a.expectNoCookie(t)
		}
	}
	for _, path := range []string{
		"/logout", "/account/renew", "/account/logout-all", "/account/password", "/admin/posts", "/admin/posts/1",
		"/admin/posts/1/state", "/admin/posts/1/delete", "/setup",
	} {
		MustOpen(t, n).Post(t, path, url.Values{}, header("Sec-Fetch-Site", "cross-site")).Must(t, http.StatusForbidden)
	}
	MustOpen(t, n).Get(t, "/", header("Sec-Fetch-Site", "cross-site")).Must(t, http.StatusOK)
}
