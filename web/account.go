package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/web/ui"
)

// form parses a form of at most maxForm bytes. It fails with 413 for a longer one.
func form(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > maxForm { // of whatever type
		return errTooLarge()
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm(err)
	}
	return nil
}

func errForm(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return errTooLarge()
	}
	return &statusError{http.StatusBadRequest, "Not a form", "What was sent could not be read as a form."}
}

// refused returns how a form shows a refusal: the status, messages by field and a message about the
// whole. ok is false for an error that gets an error page.
func refused(w http.ResponseWriter, err error) (status int, f ui.Form, ok bool) {
	status, _, message := statusOf(err)
	e := apperr.From(err)
	if status == http.StatusInternalServerError {
		return status, ui.Form{Message: message}, false
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	return status, ui.Form{Message: message, Errors: e.Fields}, true
}

// maxNext is the length in bytes of the longest address that is remembered during a login.
const maxNext = 2000

// localPath returns next if every browser reads it as a path of this site, and "" otherwise.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || len(next) > maxNext || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") ||
		strings.Contains(next, "\\") || strings.ContainsFunc(next, unicode.IsControl) {
		return "/admin"
	}
	return next
}

func (s *Site) loginForm(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if _, ok := userOf(r.Context()); ok {
		s.redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	s.write(w, r, http.StatusOK,
		ui.Login(ui.LoginView{Page: s.private(r, "Sign in", ""), Form: ui.Form{Action: "/login"}, Next: next}))
	return nil
}

// private returns the frame of a page that belongs to one user and that search engines must not index.
func (s *Site) private(r *http.Request, title, active string) ui.Page {
	p := s.page(r, title, active)
	p.NoIndex = true
	return p
}

func (s *Site) login(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	next := localPath(r.PostForm.Get("next"))
	in := accounts.LoginInput{
		Email: r.PostForm.Get("email"), Password: r.PostForm.Get("password"),
		Addr: accounts.ClientAddr(r, s.ClientIPHeader), UserAgent: r.UserAgent(), OldToken: s.sessionToken(r),
	}
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	signed, err := s.accounts.Login(ctx, in)
	setAssurance(w, signed.Receipt.Assurance)
	if err != nil {
		status, f, ok := refused(w, err)
		if !ok {
			return err
		}
		f.Action = "/login"
		s.write(w, r, status, ui.Login(ui.LoginView{Page: s.private(r, "Sign in", ""), Form: f, Email: in.Email, Next: next}))
		return nil
	}
	s.begin(w, r, signed)
	s.redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	_, ok := userOf(r.Context())
	switch {
	case ok:
		ctx, cancel := s.writing(r.Context())
		defer cancel()
		receipt, err := s.accounts.Logout(ctx)
		setAssurance(w, receipt.Assurance)
		if err != nil {
			return err
		}
		s.wrote(w, r, receipt)
	case s.sessionToken(r) != "" && missing(r.Context()):
		// Only the browser would forget the session, which has not arrived on this node and would
		// go on.
		return apperr.NewUnavailable("", "Your session has not arrived at this copy of the blog yet, "+
			"so you are still signed in. Sign out again in a moment.", 2*time.Second, nil)
	}
	s.end(w)
	s.redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *Site) setupForm(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	open, err := s.accounts.SetupOpen(r.Context(), token)
	if err != nil && !apperr.HasReason(err, accounts.SetupDone) {
		return err
	}
	if !open {
		return errUsedUp()
	}
	s.write(w, r, http.StatusOK,
		ui.Setup(ui.SetupView{Page: s.private(r, "Welcome", ""), Form: ui.Form{Action: "/setup"}, Token: token}))
	return nil
}

// errUsedUp returns the error for a one-time link that was used or never existed: its address does
// not exist.
func errUsedUp() error {
	return &statusError{
		http.StatusNotFound, "This link is of no use any more",
		"It makes the first author, once. If there is one, sign in; else start the blog again and follow the link that its " +
			"primary prints.",
	}
}

func (s *Site) setup(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	in := accounts.SetupInput{
		Token: r.PostForm.Get("token"), Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"),
		Password: r.PostForm.Get("password"),
		Addr:     accounts.ClientAddr(r, s.ClientIPHeader), UserAgent: r.UserAgent(),
	}
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	signed, err := s.accounts.Setup(ctx, in)
	setAssurance(w, signed.Receipt.Assurance)
	if apperr.HasReason(err, accounts.SetupDone) {
		return errUsedUp()
	}
	if err != nil {
		status, f, ok := refused(w, err)
		if !ok {
			return err
		}
		f.Action = "/setup"
		s.write(w, r, status,
			ui.Setup(ui.SetupView{Page: s.private(r, "Welcome", ""), Form: f, Token: in.Token, Email: in.Email, Name: in.Name}))
		return nil
	}
	s.begin(w, r, signed)
	s.redirect(w, r, "/admin", http.StatusSeeOther)
	return nil
}

func (s *Site) accountPage(w http.ResponseWriter, r *http.Request) error {
	return s.showAccount(w, r, http.StatusOK, ui.Form{}, r.URL.Query().Has("changed"))
}

func (s *Site) showAccount(w http.ResponseWriter, r *http.Request, status int, password ui.Form, changed bool) error {
	u, _ := userOf(r.Context())
	var sessions []accounts.Session
	err := s.readAndAdvance(w, r, func(ctx context.Context, rd repo.Reader) error {
		var err error
		sessions, err = accounts.Sessions(ctx, rd, u.user.ID, s.now())
		return err
	})
	if err != nil {
		return err
	}
	password.Action = "/account/password"
	v := ui.AccountView{
		Page: s.private(r, "Account", ui.NavAccount), Name: u.user.Name, Email: u.user.Email, Password: password,
		LogoutAll: ui.Form{Action: "/account/logout-all"}, Renew: ui.Form{Action: "/account/renew"},
		MinPasswordLen: accounts.MinPassword, PasswordChanged: changed,
	}
	for _, one := range sessions {
		v.Sessions = append(v.Sessions, ui.Session{
			Label: one.UserAgent, CreatedAt: one.CreatedAt, ExpiresAt: one.ExpiresAt,
			Current: one.TokenHash == u.session.TokenHash,
		})
	}
	s.write(w, r, status, ui.Account(v))
	return nil
}

func (s *Site) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	signed, err := s.accounts.ChangePassword(ctx, accounts.PasswordInput{
		Current: r.PostForm.Get("current"), Password: r.PostForm.Get("password"),
		Addr: accounts.ClientAddr(r, s.ClientIPHeader), UserAgent: r.UserAgent(),
	})
	setAssurance(w, signed.Receipt.Assurance)
	if err != nil {
		status, f, ok := refused(w, err)
		if !ok || errors.Is(err, apperr.Unauthorized) {
			return err
		}
		return s.showAccount(w, r, status, f, false)
	}
	s.begin(w, r, signed)
	s.redirect(w, r, "/account?changed", http.StatusSeeOther)
	return nil
}

func (s *Site) logoutAll(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	_, receipt, err := s.accounts.LogoutAll(ctx)
	setAssurance(w, receipt.Assurance)
	if err != nil {
		return err
	}
	s.wrote(w, r, receipt)
	s.end(w)
	s.redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func (s *Site) renew(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	signed, err := s.accounts.Renew(ctx, r.UserAgent())
	setAssurance(w, signed.Receipt.Assurance)
	if err != nil {
		return err
	}
	s.begin(w, r, signed)
	s.redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}
