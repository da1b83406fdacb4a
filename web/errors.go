package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"blog/internal/accounts"
	"blog/internal/repo"
	"blog/web/ui"
)

// handlerFunc answers a request or says why not.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handle is the one place where an error becomes a status, a page and a log line.
func (s *Site) handle(h handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// statusError is an error with a status that no code of the repository has.
type statusError struct {
	status         int
	title, message string
}

func (e *statusError) Error() string { return e.message }

func notAllowed(http.ResponseWriter, *http.Request) error {
	return &statusError{http.StatusMethodNotAllowed, "That does not work here", "This address does not take that kind of request."}
}

func errCrossOrigin() error {
	return &statusError{http.StatusForbidden, "Sent from another site", "This form was sent from another site, so it was refused. Open the page here and send it again."}
}

func errTooLarge() error {
	return &statusError{http.StatusRequestEntityTooLarge, "Too large", "What was sent is larger than this form takes."}
}

// statusOf returns the status, title and message of an error page.
func statusOf(err error) (status int, title, message string) {
	var own *statusError
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own.status, own.title, own.message
	case errors.As(err, &big):
		return statusOf(errTooLarge())
	case repo.HasReason(err, accounts.Limited):
		return http.StatusTooManyRequests, "Too many attempts", repo.AsError(err).Message
	}
	e := repo.AsError(err)
	titles := map[repo.Code]string{
		repo.Invalid: "That cannot be done", repo.NotFound: "Not found", repo.Conflict: "Changed meanwhile",
		repo.Unauthorized: "Sign in first", repo.Forbidden: "Not allowed", repo.Unavailable: "Not right now", repo.Internal: "Something went wrong",
	}
	return e.Code.Status(), titles[e.Code], e.Message
}

func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, title, message := statusOf(err)
	e := repo.AsError(err)
	id := repo.RequestID(r.Context())
	if status >= http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", status, "request_id", id, "err", err)
	}
	if e.Code == repo.Unauthorized && r.Method == http.MethodGet && status == http.StatusUnauthorized {
		http.Redirect(w, r, "/login?next="+queryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	v := ui.ErrorView{Page: s.page(r, title, ""), Status: status, Title: title, Message: message, RequestID: id, Key: e.Key}
	v.Page.NoIndex = true
	v.RetryAfter = e.RetryAfter
	component := ui.Error(v)
	switch {
	case status == http.StatusNotFound && missing(r.Context()):
		// The row that the reader was sent to is on its way here.
		status = http.StatusServiceUnavailable
		v.Status, v.Title, v.Message, v.RetryAfter, v.RetryURL = status, "Saved, on its way here", "", 2, r.URL.RequestURI()
		component = ui.OnItsWay(v)
	case status == http.StatusNotFound:
		component = ui.NotFound(v)
	case r.Method == http.MethodGet && v.RetryAfter > 0:
		v.RetryURL = r.URL.RequestURI()
		component = ui.Error(v)
	}
	if v.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(v.RetryAfter))
	}
	s.write(w, r, status, component)
}

// write sends a page that is not kept: forms with what was typed, errors.
func (s *Site) write(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	body, err := bytesOf(r.Context(), c)
	if err != nil {
		s.log.Error("render page", "path", r.URL.Path, "request_id", repo.RequestID(r.Context()), "err", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser is gone: nobody to tell
	}
}

type ctxKey int

const (
	sessionKey ctxKey = iota
	placeKey
)

// missing reports whether the reader's own newest write has not arrived here.
func missing(ctx context.Context) bool {
	p, _ := ctx.Value(placeKey).(repo.Place)
	return p == repo.Ahead
}
