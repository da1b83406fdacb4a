package web

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// Limits of a request. Forms are text; only the editor takes files.
const (
	maxForm   = 1 << 20  // bytes
	maxUpload = 12 << 20 // bytes
	// defaultLimit bounds what a request waits for: a forwarded write with an
	// election in the middle.
	defaultLimit = 30 * time.Second
)

// Handler returns the public handler. live serves /live.
func (s *Site) Handler(live http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(s.requestID, s.recovered, s.headers, decodedPath)
	r.Get("/health", s.health)
	r.Get("/readyz", s.readyz)
	r.Method(http.MethodGet, s.assets.Base()+"*", s.assets.Handler())
	r.Method(http.MethodHead, s.assets.Base()+"*", s.assets.Handler())

	r.Group(func(r chi.Router) {
		r.Use(s.sameOrigin, s.timeLimit, s.position, s.signedIn)
		r.Method(http.MethodGet, "/live", live)
		s.readerRoutes(r)
		s.accountRoutes(r)
		r.Route("/admin", s.adminRoutes)
		r.NotFound(s.handle(s.permalink))
		r.MethodNotAllowed(s.handle(notAllowed))
	})
	return r
}

func (s *Site) readerRoutes(r chi.Router) {
	get := func(path string, h handlerFunc) {
		r.Get(path, s.handle(h))
		r.Head(path, s.handle(h))
	}
	get("/", s.home)
	get("/posts", s.postList)
	get("/posts/{slug}", s.post)
	get("/tags", s.tagList)
	get("/tags/{label}", s.tag)
	get("/search", s.search)
	get("/feed.xml", s.feed)
	get("/robots.txt", s.robots)
	get("/sitemap.xml", s.sitemap)
	get("/media/{hash}/{name}", s.media)
}

func (s *Site) accountRoutes(r chi.Router) {
	r.Get("/login", s.handle(s.loginForm))
	r.Post("/login", s.handle(s.login))
	r.Post("/logout", s.handle(s.logout))
	r.Get("/setup", s.handle(s.setupForm))
	r.Post("/setup", s.handle(s.setup))
	r.Get("/account", s.handle(s.mustSignIn(s.accountPage)))
	r.Post("/account/password", s.handle(s.mustSignIn(s.changePassword)))
	r.Post("/account/logout-all", s.handle(s.mustSignIn(s.logoutAll)))
	r.Post("/account/renew", s.handle(s.mustSignIn(s.renew)))
}

func (s *Site) adminRoutes(r chi.Router) {
	get := func(path string, h handlerFunc) { r.Get(path, s.handle(s.mustSignIn(h))) }
	post := func(path string, h handlerFunc) { r.Post(path, s.handle(s.mustSignIn(h))) }
	get("/", s.admin)
	get("/posts/new", s.newPost)
	post("/posts", s.createPost)
	get("/posts/{id}/edit", s.editPost)
	post("/posts/{id}", s.updatePost)
	post("/posts/{id}/state", s.changeState)
	get("/posts/{id}/delete", s.confirmDelete)
	post("/posts/{id}/delete", s.deletePost)
}

// decodedPath makes the router match what a path means and not how it was
// written: a browser may send the same slug with other percent signs.
func decodedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

func (s *Site) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	// Behind a proxy Host may not be what the browser's Origin says.
	if err := protection.AddTrustedOrigin(s.PublicURL.Scheme + "://" + s.PublicURL.Host); err != nil {
		s.log.Error("PUBLIC_URL is no origin", "err", err)
	}
	protection.SetDenyHandler(s.handle(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin() }))
	return protection.Handler(next)
}

// timeLimit gives a request its deadline, which goes with its writes. The answer
// is rendered and sent after it, too: a form must come back.
func (s *Site) timeLimit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live" {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
