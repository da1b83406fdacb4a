package web

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"blog/internal/repo"
)

const idCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// requestID gives each request an id, the proxy's own where it sent a sane one.
// It goes to the primary with a forwarded write, and into every log line.
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

// contentPolicy allows what the site itself serves and nothing else. Pages are
// cached, so there are no nonces.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (s *Site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fixed.set(w.Header())
		next.ServeHTTP(w, r)
	})
}

// varies says of every answer, redirects and errors included, that it is one of
// several: who is signed in gets another.
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
