package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheQuickAnswerIsTheSame: an answer before the router equals the router's, except for the
// request's id and the date.
func TestTheQuickAnswerIsTheSame(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Title", "Some text that is long enough.", "tag")
	for _, path := range []string{"/", "/posts", "/posts/title", "/tags", "/tags/tag", "/feed.xml", "/sitemap.xml"} {
		b := MustOpen(t, w.primary)
		first := b.Get(t, path).Must(t, http.StatusOK)
		quick := b.Get(t, path).Must(t, http.StatusOK)
		// A request with an id of its own goes through the router.
		long := b.Get(t, path, header("X-Request-Id", "mine")).Must(t, http.StatusOK)
		for _, a := range []*answer{first, quick, long} {
			if a.header.Get("X-Request-Id") == "" {
				t.Errorf("%s: got no X-Request-Id in %v, want one", path, a.header)
			}
			a.header.Del("X-Request-Id")
			a.header.Del("Date")
		}
		for way, got := range map[string]*answer{"cached": quick, "with a cookie": long} {
			if diff := cmp.Diff(first.header, got.header); diff != "" {
				t.Errorf("%s %s: the header (-first +got):\n%s", path, way, diff)
			}
			if diff := cmp.Diff(first.body, got.body); diff != "" {
				t.Errorf("%s %s: the body (-first +got):\n%s", path, way, diff)
			}
		}
		quick = b.Get(t, path, header("If-None-Match", quick.header.Get("ETag"))).Must(t, http.StatusNotModified)
		if quick.body != "" {
			t.Errorf("%s: a 304 with the body %.300q, want none", path, quick.body)
		}
	}
}

// answerTo returns what a handler answers to a request in its wire form, or nil when net/http
// refuses the request. It makes the ids of requests equal, which error pages show.
func answerTo(tb testing.TB, h http.Handler, wire string) *httptest.ResponseRecorder {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return nil
	}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r.WithContext(tb.Context()))
	out.Header().Del("X-Request-Id")
	out.Body = bytes.NewBufferString(requestID.ReplaceAllString(out.Body.String(), "ID"))
	return out
}

// mustBeTheRouters fails when the public handler and the router alone answer differently.
func mustBeTheRouters(tb testing.TB, n *node, wire string) {
	tb.Helper()
	got, want := answerTo(tb, n.server.Config.Handler, wire), answerTo(tb, n.routes, wire)
	if got == nil || want == nil {
		return
	}
	if got.Code != want.Code {
		tb.Errorf("%.300q: got status %d, want the router's %d", wire, got.Code, want.Code)
	}
	if diff := cmp.Diff(want.Header(), got.Header()); diff != "" {
		tb.Errorf("%.300q: the header (-router +public handler):\n%s", wire, diff)
	}
	if diff := cmp.Diff(want.Body.String(), got.Body.String()); diff != "" {
		tb.Errorf("%.300q: the body (-router +public handler):\n%s", wire, diff)
	}
}

var requestID = regexp.MustCompile(`[A-Z2-7]{12}-[0-9a-z]{8}`)

// mustWarm returns a node whose cache has every page that can be cached, pages of lists included.
func mustWarm(tb testing.TB) *node {
	tb.Helper()
	w := MustWorld(tb)
	for i := range 21 { // two pages of each list
		MustPublish(tb, w.primary, fmt.Sprintf("Title %d", i), "Text.", "tag", "c#", "ünder")
	}
	b := MustOpen(tb, w.primary)
	for _, path := range warm {
		b.Get(tb, path).Must(tb, http.StatusOK)
	}
	return w.primary
}

var warm = []string{
	"/", "/posts", "/posts?page=2", "/posts?tag=tag", "/posts?tag=tag&page=2", "/posts/title-1", "/archive", "/tags",
	"/tags/tag",
	"/tags/tag?page=2", "/tags/c%23", "/tags/%C3%BCnder", "/feed.xml", "/sitemap.xml", "/robots.txt", "/search?q=title",
}

// TestTheQuickAnswerIsTheRouters: this holds for each way of writing an address, and for each
// header by which answers differ.
func TestTheQuickAnswerIsTheRouters(t *testing.T) {
	t.Parallel()
	n := mustWarm(t)
	targets := slices.Clone(warm)
	for _, path := range warm {
		targets = append(targets,
			strings.ReplaceAll(path, "?", "%3F"), strings.ReplaceAll(path, "?", "%3f"),
			strings.ReplaceAll(path, "/", "%2F"), "/"+strings.ReplaceAll(path[1:], "/", "%2f"),
			path+"?", path+"%3F", path+"#", path+"%23", path+"/", path+"//", "/"+path, path+";", path+";x=y", path+"%3B",
			path+"/.", path+"/..", "/."+path, "/x/.."+path, "/%2e"+path, strings.ToUpper(path), path+"%00", path+"%20", path+"%",
			"http://other.example"+path, "https://user@other.example:1"+path, "//other.example"+path,
			path+"?page=1", path+"&page=2", path+"?utm=x", path[1:])
	}
	targets = append(targets, "*", "http://other.example", "http://other.example?page=2", "/%2F", "/%3Fpage=2", "",
		"/posts/title%2D1", "/posts/Title-1", "/posts%2Ftitle-1", "/tags/TAG", "/tags/c#", "/%70osts",
		"/search%3Fq=title", "/live", "/live%3Ftopics=posts", "/health", "/readyz")
	heads := []string{
		"", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br;q=0, *\r\n", "Range: bytes=0-9\r\n", "If-None-Match: *\r\n",
		"If-Modified-Since: Mon, 01 Jan 2040 00:00:00 GMT\r\n", "Cookie: position=1\r\n", "Cookie:\r\n", "Cookie: x=y\r\n",
		"X-Request-Id:\r\n", "Origin: null\r\nSec-Fetch-Site: cross-site\r\n", "X-Forwarded-Host: other.example\r\n",
		"X-Http-Method-Override: POST\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n",
	}
	for i, target := range targets {
		mustBeTheRouters(t, n, "GET "+target+" HTTP/1.1\r\nHost: blog.example\r\n"+heads[i%len(heads)]+"\r\n")
		mustBeTheRouters(t, n, []string{"GET", "HEAD", "OPTIONS", "get", "POST"}[i%5]+" "+target+" HTTP/1.0\r\n\r\n")
	}
	for _, target := range warm {
		for _, head := range heads {
			mustBeTheRouters(t, n, "GET "+target+" HTTP/1.1\r\nHost: blog.example\r\n"+head+"\r\n")
		}
	}
	// The same with addresses made of pieces.
	pieces := []string{
		"/", "/", "posts", "tags", "tag", "title-1", "?", "%3F", "%3f", "page=2", "tag=tag", "&", "%26", "#", "%23", ";",
		".", "..",
		"%2e", "%2F", "%252F", "+", "%20", "c", "feed.xml", "P", "%C3%BC", "nder", "\\", "%5c",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		target := "/"
		for range 1 + random.IntN(6) {
			target += pieces[random.IntN(len(pieces))]
		}
		mustBeTheRouters(t, n, "GET "+target+" HTTP/1.1\r\nHost: blog.example\r\n"+heads[random.IntN(len(heads))]+"\r\n")
	}
}

// FuzzQuick searches for a request that the public handler and the router alone answer differently.
func FuzzQuick(f *testing.F) {
	for _, target := range append([]string{"/posts%3Fpage=2", "/tags/tag%3fpage=2", "/posts%3Ftag=tag"}, warm...) {
		f.Add(target, "Accept", "*/*")
	}
	n := mustWarm(f)
	f.Fuzz(func(t *testing.T, target, name, value string) {
		mustBeTheRouters(t, n, "GET "+target+" HTTP/1.1\r\nHost: blog.example\r\n"+name+": "+value+"\r\n\r\n")
	})
}
