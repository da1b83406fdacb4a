package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"blog/internal/posts"
)

// everything returns the addresses of all pages, those where there is nothing included.
func everything(id int64) []string {
	return []string{
		"/", "/posts", "/posts?page=2", "/posts?tag=go", "/posts/first", "/posts/draft", "/posts/old", "/posts/nothing",
		"/tags", "/tags/go", "/tags/nothing",
		"/search", "/search?q=words", "/feed.xml", "/sitemap.xml", "/robots.txt", "/link", "/nothing",
		"/media/" + strings.Repeat("0", 64) + "/a.png",
		"/login", "/setup", "/setup?token=x", "/account", "/admin", "/admin/", "/admin/posts/new",
		fmt.Sprintf("/admin/posts/%d/edit", id), fmt.Sprintf("/admin/posts/%d/delete", id),
		"/admin/posts/999/edit", "/admin/posts/x/edit", "/admin/nothing", "/health", "/readyz", "/live", "/favicon.ico",
		"/posts/",
	}
}

func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustDo(t, w.primary, posts.Create{
		Title: "Old", Body: "Words.", Tags: []string{"go"}, Publish: true, Permalinks: []string{"/link"},
	})
	slug := "first"
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Slug = &slug })
	MustDo(t, w.primary, posts.Create{Title: "Draft"})
	author := MustLogin(t, w.primary)
	before := MustCount(t, w.primary)
	for _, n := range []*node{w.primary, w.replica} {
		for _, b := range []*browser{MustOpen(t, n), author.On(n)} {
			for _, path := range everything(ref.ID) {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					a := b.Do(t, method, path, nil)
					if a.status >= 500 {
						t.Errorf("%s %s: got status %d, want one below 500", method, path, a.status)
					}
					if a.status == http.StatusMethodNotAllowed {
						t.Errorf("%s %s: got status %d, want the method allowed", method, path, a.status)
					}
					if b.Cookie(t, "session") == "" {
						a.expectNoCookie(t)
					}
					if method == http.MethodGet {
						continue
					}
					if a.body != "" {
						t.Errorf("HEAD %s: got the body %.300q, want none", path, a.body)
					}
				}
			}
		}
	}
	if diff := cmp.Diff(before, MustCount(t, w.primary)); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustDo(t, w.primary, posts.Create{
		Title: "First", Body: "Words.", Tags: []string{"go"}, Publish: true, Permalinks: []string{"/link"},
	})
	for _, b := range []*browser{MustOpen(t, w.primary), MustLogin(t, w.primary)} {
		for _, path := range everything(ref.ID) {
			a := b.Get(t, path)
			h := a.header
			policy := h.Get("Content-Security-Policy")
			if want := "default-src 'none'; "; !strings.HasPrefix(policy, want) {
				t.Errorf("%s: got the policy %q, want it to begin with %q", path, policy, want)
			}
			if strings.Contains(policy, "unsafe") {
				t.Errorf("%s: got the policy %q, want it without %q", path, policy, "unsafe")
			}
			a.expectHeader(t, "Referrer-Policy", "strict-origin-when-cross-origin")
			a.expectHeader(t, "X-Content-Type-Options", "nosniff")
			if h.Get("X-Request-Id") == "" {
				t.Errorf("%s: got the headers %v, want X-Request-Id among them", path, h)
			}
			if a.body != "" {
				if h.Get("Content-Type") == "" {
					t.Errorf("%s: got a body without a type, want Content-Type in %v", path, h)
				}
			}
			if !slices.Contains([]string{"/health", "/readyz"}, path) {
				if got := h.Get("Vary"); !strings.Contains(got, "Cookie") {
					t.Errorf("%s: got Vary %q, want Cookie in it", path, got)
				}
			}
			if b.Cookie(t, "session") != "" {
				if got := h.Get("Cache-Control"); strings.HasPrefix(got, "public") {
					t.Errorf("%s of an author: got Cache-Control %q, want it not public", path, got)
				}
			}
			if a.status/100 == 3 {
				if got := h.Get("Location"); !strings.HasPrefix(got, "/") {
					t.Errorf("%s leads to %q, want an address of this site", path, got)
				}
			}
			if strings.HasPrefix(h.Get("Content-Type"), "text/html") && a.status != http.StatusSeeOther &&
				a.status != http.StatusMovedPermanently {
				a.find(t, "script:not([src]), [style], style").Each(func(_ int, s *goquery.Selection) {
					t.Errorf("%s: got %s inline, want none", path, goquery.NodeName(s))
				})
			}
		}
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.primary)
	for path, allow := range map[string]string{
		"/": "GET HEAD", "/posts/first": "GET HEAD", "/login": "GET HEAD POST", "/logout": "POST", "/admin/posts/1": "POST",
		"/admin": "GET HEAD",
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch, "BREW"} {
			a := b.Do(t, method, path, nil).Must(t, http.StatusMethodNotAllowed)
			if got := strings.Join(a.header["Allow"], " "); got != allow {
				t.Errorf("%s %s: got %q allowed, want %q", method, path, got, allow)
			}
		}
	}
	b.Get(t, "/logout").Must(t, http.StatusMethodNotAllowed)
	b.Post(t, "/nothing", nil).Must(t, http.StatusNotFound)
}

func TestScriptsAreText(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	b := MustLogin(t, w.primary)
	to := b.Post(t, "/admin/posts",
		editor("title", evil, "slug", "evil", "description", evil, "tags", "a'b,<b>", "body",
			evil+"\n\n[a](javascript:alert(1))\n\n## "+evil, "do", "publish"))
	to.Must(t, http.StatusUnprocessableEntity) // no such tag
	b.Post(t, "/admin/posts",
		editor("title", evil, "slug", "evil", "description", evil, "tags", "a'b", "body",
			evil+"\n\n[a](javascript:alert(1))\n\n## "+evil, "do", "publish")).Must(t, http.StatusSeeOther)
	b.Post(t, "/admin/posts", editor("title", evil, "slug", "draft")).Must(t, http.StatusSeeOther)
	q := url.QueryEscape(evil)
	for _, who := range []*browser{MustOpen(t, w.replica), b} {
		for _, path := range []string{
			"/", "/posts", "/posts/evil", "/posts/draft", "/tags", "/tags/a'b", "/tags/" + url.PathEscape(evil),
			"/posts?tag=" + q, "/posts?page=" + q, "/search?q=" + q, "/search?q=script",
			"/" + url.PathEscape(evil), "/login?next=/" + q, "/setup?token=" + q, "/admin", "/admin/posts/1/edit",
			"/admin/posts/1/delete", "/account",
		} {
			a := who.Get(t, path, header("User-Agent", evil), header("X-Request-Id", evil), header("X-Forwarded-Host", evil),
				header("Referer", evil))
			if a.status >= 500 {
				t.Errorf("%s: got status %d, want one below 500", path, a.status)
			}
			a.expectWithout(t, "<script>")
			a.expectWithout(t, "<img src=x")
			a.expectCount(t, "[onerror], [href^='javascript:']", 0)
		}
	}
	feed := b.Get(t, "/feed.xml").Must(t, http.StatusOK)
	feed.expectWithout(t, "<script")
	if strings.Contains(feed.body, "onerror=alert(1)&gt;") {
		feed.expectWithout(t, "<img src=x")
	}
}

func TestNothingTypedIsAnError(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "First", "Words.", "go")
	b := MustOpen(t, w.primary)
	for _, typed := range []string{
		`"`, `""`, `*`, `(`, `)`, `a AND`, `OR OR`, `NOT`, `-`, `tag:`, `title:"`, `^`, `NEAR(a b)`, `a"b"c`, "\x00",
		"\xff\xfe", "'; DROP TABLE posts; --", "%", "_", "日本", strings.Repeat("a ", 5000), strings.Repeat("(", 1000),
		"\u202e", "{a b}:c", "a + b", "rowid:1", "search MATCH",
	} {
		for _, path := range []string{
			"/search?q=", "/posts?tag=", "/posts?page=", "/search?page=", "/tags?x=", "/posts/first?",
		} {
			if a := b.Get(t, path+url.QueryEscape(typed)).Must(t, http.StatusOK); a.find(t, "h1").Length() == 0 {
				t.Errorf("%s%q: got %s, want a heading", path, typed, a.body)
			}
		}
	}
	for _, query := range []string{
		"%", "%zz", "q=%", "q=%ff", ";", "a;b", "q=a&q=b", "&&&", "page=-1", "page=1e9", "page=999999999999999999999",
		"tag=&tag=", strings.Repeat("tag=a&", 2000),
	} {
		for _, path := range []string{"/search?", "/posts?", "/?", "/login?"} {
			if a := b.Get(t, path+query); a.status != http.StatusOK {
				t.Errorf("%s%.50s: got status %d, want %d", path, query, a.status, http.StatusOK)
			}
		}
	}
	b.Get(t, "/posts?page=2").Must(t, http.StatusNotFound)
	b.Get(t, "/tags/go?page=2").Must(t, http.StatusNotFound)
	b.Post(t, "/login", url.Values{"email": {"\xff\x00"}, "password": {"\xff"}, "next": {"\xff"}}).
		Must(t, http.StatusUnauthorized)
	author := MustLogin(t, w.primary)
	broken := editor("title", "a\xffb", "slug", "\xff", "description", "\x00", "tags", "\xff", "body", "\xff\x00",
		"published_at", "\xff", "do", "save")
	author.Post(t, "/admin/posts", broken).Must(t, http.StatusUnprocessableEntity)
	for _, field := range []string{"title", "slug", "tags", "body", "description"} {
		a := author.Post(t, "/admin/posts", editor(field, "a\xff"))
		if want := []int{http.StatusUnprocessableEntity, http.StatusSeeOther}; !slices.Contains(want, a.status) {
			t.Errorf("%s: got status %d, want one of %d", field, a.status, want)
		}
	}
	if body := author.Get(t, "/admin").Must(t, http.StatusOK).body; !utf8.ValidString(body) {
		t.Errorf("got %q, want no broken text in it", body)
	}
	author.Post(t, "/admin/posts", editor("do", "dance", "body", hostileText)).Must(t, http.StatusBadRequest)
	author.Do(t, http.MethodPost, "/admin/posts", strings.NewReader("no parts"),
		header("Content-Type", "multipart/form-data; boundary=x")).Must(t, http.StatusBadRequest)
	author.Do(t, http.MethodPost, "/admin/posts", strings.NewReader("no parts"),
		header("Content-Type", "multipart/form-data")).Must(t, http.StatusBadRequest)
	author.Do(t, http.MethodPost, "/login", strings.NewReader("a=%zz"),
		header("Content-Type", "application/x-www-form-urlencoded")).Must(t, http.StatusBadRequest)
}

// TestAddressesOfTheSiteAreReserved: a permalink never replaces an address of the site itself.
func TestAddressesOfTheSiteAreReserved(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	n := 0
	err := chi.Walk(w.primary.routes, func(_, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		root, _, _ := strings.Cut(strings.TrimPrefix(route, "/"), "/")
		n++
		if root == "" {
			return nil
		}
		if reserved := posts.ReservedRoots(); !slices.Contains(reserved, root) {
			t.Errorf("%s: got the root %q, want one of the reserved %q", route, root, reserved)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Errorf("got %d routes, want at least 20", n)
	}
}
