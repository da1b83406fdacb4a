package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/web/ui"
)

// handlerFunc answers a request, or returns why not.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handle turns an error into a status, a page and a line of the log. No other function does.
func (s *Site) handle(h handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// statusError is an error with a status that no code of apperr has.
type statusError struct {
	status         int
	title, message string
}

func (e *statusError) Error() string { return e.message }

func notAllowed(w http.ResponseWriter, r *http.Request) error {
	routes := chi.RouteContext(r.Context()).Routes
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		as := method
		if method == http.MethodHead {
			as = http.MethodGet
		}
		if routes.Match(chi.NewRouteContext(), as, r.URL.Path) {
			w.Header().Add("Allow", method)
		}
	}
	return &statusError{
		http.StatusMethodNotAllowed, "That does not work here", "This address does not take that kind of request.",
	}
}

func errCrossOrigin() error {
	return &statusError{
		http.StatusForbidden, "Sent from another site",
		"This form was sent from another site, so it was refused. Open the page here and send it again.",
	}
}

func errTooLarge() error {
	return &statusError{http.StatusRequestEntityTooLarge, "Too large", "What was sent is larger than this form takes."}
}

// statusOf returns the status, title and message of an error page.
func statusOf(err error) (status int, title, message string) {
	var statusErr *statusError
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &statusErr):
		return statusErr.status, statusErr.title, statusErr.message
	case errors.As(err, &big):
		return statusOf(errTooLarge())
	case apperr.HasReason(err, accounts.Limited):
		return http.StatusTooManyRequests, "Too many attempts", apperr.From(err).Message
	}
	e := apperr.From(err)
	if e.Reason == apperr.TooLarge {
		return http.StatusRequestEntityTooLarge, "Too large", e.Message
	}
	titles := map[apperr.Code]string{
		apperr.Invalid: "That cannot be done", apperr.NotFound: "Not found", apperr.Conflict: "Changed meanwhile",
		apperr.Unauthorized: "Sign in first", apperr.Forbidden: "Not allowed", apperr.Unavailable: "Not right now",
		apperr.Internal: "Something went wrong",
	}
	return e.Code.Status(), titles[e.Code], e.Message
}

func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, title, message := statusOf(err)
	e := apperr.From(err)
	s.logFailure(r, status, err)
	away := missing(r.Context()) && reads(r)
	sessionAway := away && s.sessionToken(r) != ""
	if status == http.StatusUnauthorized && reads(r) && !sessionAway {
		s.redirect(w, r, "/login?next="+url.QueryEscape(localPath(r.URL.RequestURI())), http.StatusSeeOther)
		return
	}
	v := ui.ErrorView{
		Page: s.page(r, title, ""), Status: status, Title: title, Message: message, RequestID: repo.RequestID(r.Context()),
		Key: e.Key,
	}
	v.Page.NoIndex = true
	v.RetryAfter = e.RetryAfter
	if reads(r) && (v.RetryAfter > 0 || away) {
		v.RetryURL = localPath(r.URL.RequestURI())
	}
	component := ui.Error(v)
	switch {
	case away && (status == http.StatusNotFound || status == http.StatusUnauthorized):
		// The row that the reader was sent to, or their session's row, may still arrive.
		status = http.StatusServiceUnavailable
		v.Status, v.Title, v.Message, v.RetryAfter = status, "Saved, on its way here", "", 2
		v.Page.Title = v.Title
		component = ui.OnItsWay(v)
	case status == http.StatusNotFound:
		component = ui.NotFound(v)
	}
	if v.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(v.RetryAfter))
	}
	s.write(w, r, status, component)
}

// logFailure writes the only line of the log about a request that failed through no fault of its
// sender.
func (s *Site) logFailure(r *http.Request, status int, err error) {
	level := slog.LevelError
	switch {
	case status < http.StatusInternalServerError, errors.Is(r.Context().Err(), context.Canceled):
		return
	case status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	}
	s.log.Log(r.Context(), level, "request failed", "method", r.Method, "path", r.URL.Path, "status", status,
		"request_id", repo.RequestID(r.Context()), "err", err)
}

// write sends a page that no cache stores: forms with what was typed, and errors. A browser may store it for its back
// button, so that what was typed comes back too.
func (s *Site) write(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	body, err := bytesOf(r.Context(), c)
	if err != nil {
		s.log.Error("render page", "path", r.URL.Path, "request_id", repo.RequestID(r.Context()), "err", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeHTML)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if _, signed := userOf(r.Context()); signed || !reads(r) {
		h.Set("Cache-Control", "private, no-cache")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // it fails when the browser has closed the connection
	}
}

type ctxKey int

const (
	sessionKey ctxKey = iota
	readingKey
)
