package ui_test

import "net/http"

// csp is the policy with which the blog's pages are served.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src https:; " +
	"connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// withCSP adds the policy to every answer.
func withCSP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", csp)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
