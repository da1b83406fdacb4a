package web_test

import (
	"net/http"
	"testing"
)

func TestEveryPage(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "First words", "Some *text*.", "go", "c#")
	MustPublish(t, w.primary, "Zweite Wörter", "More.", "go")
	for _, p := range []struct {
		path, title, canonical string
	}{
		{"/", "A quiet place", "/"},
		{"/posts", "Posts · A quiet place", "/posts"},
		{"/posts?tag=go&tag=c%23", "Posts · A quiet place", "/posts?tag=c%23&tag=go"},
		{"/posts?page=1", "Posts · A quiet place", "/posts"},
		{"/posts/first-words", "First words · A quiet place", "/posts/first-words"},
		{"/posts/zweite-w%C3%B6rter", "Zweite Wörter · A quiet place", "/posts/zweite-w%C3%B6rter"},
		{"/archive", "Archive · A quiet place", "/archive"},
		{"/tags", "Tags · A quiet place", "/tags"},
		{"/tags/go", "go · A quiet place", "/tags/go"},
		{"/tags/c%23", "c# · A quiet place", "/tags/c%23"},
		{"/search", "Search · A quiet place", ""},
		{"/search?q=text", "Search · A quiet place", ""},
		{"/login", "Sign in · A quiet place", ""},
	} {
		for _, n := range []*node{w.primary, w.replica} {
			b := MustOpen(t, n)
			a := b.Get(t, p.path, header("Host", "evil.example")).Must(t, http.StatusOK)
			if got := a.text(t, "title"); got != p.title {
				t.Errorf("%s: title %q, want %q", p.path, got, p.title)
			}
			want := p.canonical
			if want != "" {
				want = n.server.URL + want
			}
			if got := a.attr(t, "link[rel=canonical]", "href"); got != want {
				t.Errorf("%s: canonical %q, want %q", p.path, got, want)
			}
			a.expectWithout(t, "evil.example")
			a.expectCount(t, "h1", 1)
			a.expectCount(t, "main#main", 1)
			h := b.Do(t, http.MethodHead, p.path, nil).Must(t, http.StatusOK)
			if h.body != "" {
				t.Errorf("%s: HEAD gives the body %.300q, want none", p.path, h.body)
			}
			h.expectHeader(t, "Content-Length", a.header.Get("Content-Length"))
			h.expectHeader(t, "ETag", a.header.Get("ETag"))
			a.expectNoCookie(t)
		}
	}
}
