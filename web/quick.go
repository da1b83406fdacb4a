package web

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"sync/atomic"
)

// quick answers the most frequent kind of request before any other middleware: a stranger asks for a cached page. Such
// a request has no cookie, so nobody is signed in and there is no position to wait for; it only reads, so its origin
// does not matter; and its answer is in memory, so it needs no deadline. The answer is, but for the id of the request,
// the one that the router would give.
func (s *Site) quick(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.RawQuery != "" || len(r.Header["Cookie"]) > 0 ||
			len(r.Header["X-Request-Id"]) > 0 {
			next.ServeHTTP(w, r)
			return
		}
		doc := s.caches.pages.get(address{path: r.URL.Path})
		if doc == nil {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		s.fixed.set(h)
		h["Vary"] = s.fixed.vary
		h["X-Request-Id"] = []string{s.ids.next()}
		s.send(w, r, doc)
	})
}

// fixed are the values of headers that are the same in all answers. They are made once, shared, and never changed.
type fixed struct {
	all                          []header
	vary, public, private, never []string
}

type header struct {
	name  string // in the form of http.Header
	value []string
}

func newFixed(secure bool) fixed {
	f := fixed{
		vary:   []string{"Cookie, Accept-Encoding"},
		public: []string{"public, no-cache"}, private: []string{"private, no-cache"}, never: []string{"private, no-store"},
		all: []header{
			{"Content-Security-Policy", []string{contentPolicy}},
			// no-referrer would make forms send Origin: null.
			{"Referrer-Policy", []string{"strict-origin-when-cross-origin"}},
			{"X-Content-Type-Options", []string{"nosniff"}},
			{"X-Frame-Options", []string{"DENY"}},
			{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
			{"Permissions-Policy", []string{"camera=(), microphone=(), geolocation=()"}},
		},
	}
	if secure {
		f.all = append(f.all, header{"Strict-Transport-Security", []string{"max-age=31536000"}})
	}
	return f
}

func (f fixed) set(h http.Header) {
	for _, one := range f.all {
		h[one.name] = one.value
	}
}

// requestIDs makes ids that no other process makes: a random name of this process and a number.
type requestIDs struct {
	process string
	last    *atomic.Uint64
}

func newRequestIDs() requestIDs {
	return requestIDs{process: rand.Text()[:12] + "-", last: new(atomic.Uint64)}
}

// next returns an id of 21 characters, so that equal requests get answers of equal length.
func (i requestIDs) next() string {
	const digits = 8
	n := strconv.FormatUint(i.last.Add(1), 36)
	return i.process + "00000000"[:max(0, digits-len(n))] + n
}
