package web_test

import (
	"net/http"
	"strings"
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
			if strings.Contains(a.body, "evil.example") || a.find(t, "h1").Length() != 1 ||
				a.find(t, "main#main").Length() != 1 {
				t.Errorf("%s: one heading, one main and nothing of Host, please", p.path)
			}
			h := b.Do(t, http.MethodHead, p.path, nil).Must(t, http.StatusOK)
			if h.body != "" || h.header.Get("Content-Length") != a.header.Get("Content-Length") ||
				h.header.Get("ETag") != a.header.Get("ETag") {
				t.Errorf("%s: HEAD gives %v, GET %v", p.path, h.header, a.header)
			}
			if len(a.header["Set-Cookie"]) > 0 {
				t.Errorf("%s: a stranger gets a cookie: %v", p.path, a.header["Set-Cookie"])
			}
		}
	}
}
