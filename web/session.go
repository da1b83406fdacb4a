package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
)

// signedInUser is the user that a request comes from.
type signedInUser struct {
	user    accounts.User
	session accounts.Session
}

func userOf(ctx context.Context) (signedInUser, bool) {
	u, ok := ctx.Value(sessionKey).(signedInUser)
	return u, ok
}

const sessionCookie = "session"

// sessionToken returns the token that the browser sent, or "".
func (s *Site) sessionToken(r *http.Request) string {
	c, err := r.Cookie(s.cookieName(sessionCookie))
	if err != nil {
		return ""
	}
	return c.Value
}

// signedIn reads the session from the copy of this node. The result decides what is shown; the primary decides what may
// be written. A session that is not found may not have arrived here yet, so its cookie stays.
func (s *Site) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := s.sessionToken(r)
		if token == "" {
			next.ServeHTTP(w, r)
			return
		}
		u, session, err := s.accounts.Session(r.Context(), token)
		switch {
		case errors.Is(err, apperr.NotFound):
			next.ServeHTTP(w, r)
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		ctx := r.Context()
		if readingOf(ctx) == nil && r.URL.Path != "/live" {
			at := s.repo.Feed().Position()
			s.setPosition(w, at)
			ctx = context.WithValue(ctx, readingKey, &reading{place: repo.Here, at: at})
		}
		ctx = context.WithValue(ctx, sessionKey, signedInUser{user: u, session: session})
		ctx = repo.As(ctx, session.Actor())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Identity implements live.Options.Identity. It returns the touch that ends the sockets of this session. A
// touch of its topic without a subject ends those of all sessions of the user.
func (s *Site) Identity(r *http.Request) []repo.Touch {
	if u, ok := userOf(r.Context()); ok {
		return []repo.Touch{{Topic: accounts.SessionsTopic(u.user.ID), Subject: accounts.SessionID(u.session.TokenHash)}}
	}
	return nil
}

func (s *Site) mustSignIn(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, ok := userOf(r.Context()); !ok {
			return apperr.Errorf(apperr.Unauthorized, "Sign in first.")
		}
		return h(w, r)
	}
}

// begin sets the cookies of a session that has just begun.
func (s *Site) begin(w http.ResponseWriter, r *http.Request, signed accounts.Signed) {
	s.dropCookie(w, s.cookieName(sessionCookie))
	http.SetCookie(w, s.cookie(sessionCookie, signed.Token, signed.ExpiresAt.Sub(s.now()).Round(time.Second)))
	s.wrote(w, r, signed.Receipt)
}

// end removes the cookie of the session.
func (s *Site) end(w http.ResponseWriter) {
	s.dropCookie(w, s.cookieName(sessionCookie))
	http.SetCookie(w, s.cookie(sessionCookie, "", 0))
}
