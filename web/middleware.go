package web

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"blog/internal/repo"
)

const idCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// requestID gives each request an id: the proxy's own if that is well formed. A forwarded write
// carries it to the primary, and every line of the log has it.
func (s *Site) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if len(id) == 0 || len(id) > 64 || strings.Trim(id, idCharacters) != "" {
			id = s.ids.next()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(repo.WithRequestID(r.Context(), id)))
	})
}

// contentPolicy allows only what the site itself serves, and video and audio of other hosts, which a page
// loads when its reader starts them. It has no nonces, because pages are cached.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src " +
	"https:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; " +
	"base-uri 'none'"

func (s *Site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fixed.set(w.Header())
		next.ServeHTTP(w, r)
	})
}

// varies sets Vary on every answer, redirects and errors included, because a signed-in user gets
// another answer.
func (s *Site) varies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Vary"] = s.fixed.vary
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into an error page.
func (s *Site) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(v)
			}
			s.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}
