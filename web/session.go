package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"blog/internal/accounts"
	"blog/internal/repo"
)

// signedInUser is who a request comes from.
type signedInUser struct {
	user    accounts.User
	session accounts.Session
}

func userOf(ctx context.Context) (signedInUser, bool) {
	u, ok := ctx.Value(sessionKey).(signedInUser)
	return u, ok
}

const sessionCookie = "session"

// sessionToken returns the token that the browser sent, "" when there is none.
func (s *Site) sessionToken(r *http.Request) string {
	c, err := r.Cookie(s.cookieName(sessionCookie))
	if err != nil {
		return ""
	}
	return c.Value
}

// signedIn looks up the session in this node's copy. What it finds decides what
// is shown; what may be written is decided by the primary. A session that is not
// found may still be on its way here, so its cookie stays.
func (s *Site) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := s.sessionToken(r)
		if token == "" {
			next.ServeHTTP(w, r)
			return
		}
		u, session, err := s.accounts.Session(r.Context(), token)
		switch {
		case errors.Is(err, repo.NotFound):
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

// Identity is live.Options.Identity: what ends this session's sockets when it is
// touched, alone or (with no subject) with all sessions of its user.
func (s *Site) Identity(r *http.Request) []repo.Touch {
	if u, ok := userOf(r.Context()); ok {
		return []repo.Touch{{Topic: accounts.SessionsTopic(u.user.ID), Subject: accounts.SessionID(u.session.TokenHash)}}
	}
	return nil
}

func (s *Site) mustSignIn(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, ok := userOf(r.Context()); !ok {
			return repo.Errorf(repo.Unauthorized, "Sign in first.")
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

// end takes the session's cookie away.
func (s *Site) end(w http.ResponseWriter) {
	s.dropCookie(w, s.cookieName(sessionCookie))
	http.SetCookie(w, s.cookie(sessionCookie, "", 0))
}
