package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"blog/internal/posts"
)

// Limits of a request. Forms are text, except for the editor's, which accepts files.
const (
	maxForm = 1 << 20 // bytes
	// maxUpload is how much of the editor's form is read, in bytes. It is more than a picture may
	// have, so that the form is shown again when a picture is too large.
	maxUpload = 32 << 20
	// defaultLimit bounds what a request waits for: a forwarded write during an election.
	defaultLimit = 30 * time.Second
	// answerLimit is the time that a request has after that, to show the result.
	answerLimit = 10 * time.Second
)

// Handler returns the public handler. live serves /live.
func (s *Site) Handler(live http.Handler) http.Handler { return s.quick(s.Routes(live)) }

// Routes returns the router of Handler, with every address of the site itself.
func (s *Site) Routes(live http.Handler) chi.Router {
	r := chi.NewRouter()
	r.Use(s.requestID, s.headers, s.recovered, decodedPath, middleware.GetHead)
	r.Get("/health", s.health)
	r.Get("/readyz", s.readyz)
	r.Method(http.MethodGet, s.assets.Base()+"*", s.assets.Handler())

	r.Group(func(r chi.Router) {
		r.Use(s.varies, s.sameOrigin, s.timeLimit, s.withDatabase, s.position, s.signedIn)
		r.Method(http.MethodGet, "/live", live)
		s.readerRoutes(r)
		s.accountRoutes(r)
		s.adminRoutes(r)
		r.NotFound(s.handle(s.elsewhere))
		r.MethodNotAllowed(s.handle(notAllowed))
	})
	return r
}

func (s *Site) readerRoutes(r chi.Router) {
	get := func(path string, h handlerFunc) { r.Get(path, s.handle(h)) }
	get("/", s.home)
	get("/posts", s.postList)
	get("/posts/{slug}", s.post)
	get("/archive", s.archive)
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

// adminRoutes adds the routes of the admin pages. They are no router of their own, which would run
// the middlewares twice for a path without a route, and accept every method at its root.
func (s *Site) adminRoutes(r chi.Router) {
	get := func(path string, h handlerFunc) { r.Get("/admin"+path, s.handle(s.mustSignIn(h))) }
	post := func(path string, h handlerFunc) { r.Post("/admin"+path, s.handle(s.mustSignIn(h))) }
	get("", s.admin)
	get("/posts/new", s.newPost)
	get("/posts/{id}/edit", s.editPost)
	post("/posts/{id}/state", s.changeState)
	get("/posts/{id}/delete", s.confirmDelete)
	post("/posts/{id}/delete", s.deletePost)
	post("/pictures", s.storePicture)
	post("/pictures/seen", s.pictureSeen)
	// Without a session these two still return what was typed.
	r.Post("/admin/posts", s.handle(s.createPost))
	r.Post("/admin/posts/{id}", s.handle(s.updatePost))
}

// decodedPath makes the router match the decoded path: a browser may send the same slug with other
// percent signs.
func decodedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = ""
		next.ServeHTTP(w, r)
	})
}

func (s *Site) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	// Behind a proxy, Host may differ from the browser's Origin.
	if err := protection.AddTrustedOrigin(s.PublicURL.Scheme + "://" + s.PublicURL.Host); err != nil {
		s.log.Error("PUBLIC_URL is no origin", "err", err)
	}
	protection.SetDenyHandler(s.handle(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin() }))
	return protection.Handler(next)
}

// timeLimit gives a request its deadline: that of its write, and some time for the answer.
func (s *Site) timeLimit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live" {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.limit+answerLimit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// writing returns the context of a request's write. It leaves time for the answer, so that a form
// is shown again when there is no primary.
func (s *Site) writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.limit)
}

// elsewhere answers an address that has no route: one with a slash at its end, a permalink, or one
// where there is nothing.
func (s *Site) elsewhere(w http.ResponseWriter, r *http.Request) error {
	trimmed := "/" + strings.Trim(r.URL.Path, "/")
	root, _, _ := strings.Cut(trimmed[1:], "/")
	if reads(r) && strings.HasSuffix(r.URL.Path, "/") && slices.Contains(posts.ReservedRoots(), root) {
		to := url.URL{Path: trimmed, RawQuery: r.URL.RawQuery}
		s.redirect(w, r, to.String(), http.StatusMovedPermanently)
		return nil
	}
	return s.permalink(w, r)
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }
