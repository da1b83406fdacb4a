package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"blog/internal/accounts"
	"blog/internal/repo"
)

// signedInUser is who a request comes from.
type signedInUser struct {
	user    accounts.User
	session accounts.Session
	token   string
}

func userOf(ctx context.Context) (signedInUser, bool) {
	u, ok := ctx.Value(sessionKey).(signedInUser)
	return u, ok
}

// sessionCookie has the prefix that binds it to this host where that is allowed,
// which is over https.
func (s *Site) sessionCookie() string {
	if s.secure() {
		return "__Host-session"
	}
	return "session"
}

// signedIn looks up the session in this node's copy. What it finds decides what
// is shown; what may be written is decided by the primary.
func (s *Site) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(s.sessionCookie())
		if err != nil || c.Value == "" {
			next.ServeHTTP(w, r)
			return
		}
		u, session, err := s.accounts.Session(r.Context(), c.Value)
		switch {
		case errors.Is(err, repo.NotFound):
			if !missing(r.Context()) { // else it may be on its way
				http.SetCookie(w, s.cookie(s.sessionCookie(), "", 0))
			}
			next.ServeHTTP(w, r)
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		if _, has := s.seen(r); !has {
			s.setPosition(w, s.repo.Feed().Position())
		}
		ctx := context.WithValue(r.Context(), sessionKey, signedInUser{user: u, session: session, token: c.Value})
		ctx = repo.As(ctx, repo.Actor{Name: "user:" + strconv.FormatInt(u.ID, 10), Session: accounts.HashToken(c.Value)})
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
func (s *Site) begin(w http.ResponseWriter, signed accounts.Signed) {
	s.dropCookie(w, s.sessionCookie())
	http.SetCookie(w, s.cookie(s.sessionCookie(), signed.Token, signed.ExpiresAt.Sub(s.now()).Round(time.Second)))
	s.setPosition(w, signed.Receipt.Cursor)
}
