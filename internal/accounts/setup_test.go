package accounts_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func announcing() (repo.Task, <-chan string) {
	tokens := make(chan string, 8)
	return accounts.SetupTask(func(token string) { tokens <- token }, slog.New(slog.DiscardHandler)), tokens
}

func TestFirstAuthorByTheLink(t *testing.T) {
	t.Parallel()
	task, tokens := announcing()
	w := mustWorld(t, task)
	token := <-tokens
	on := w.service(w.replica)
	if open, err := on.SetupOpen(t.Context(), token); err != nil || !open {
		t.Errorf("the link: %v %v, want no error and true", open, err)
	}
	if open, err := on.SetupOpen(t.Context(), token+"x"); err != nil || open {
		t.Errorf("another link: %v %v, want no error and false", open, err)
	}
	in := accounts.SetupInput{Token: token, Email: "Ada@example.org", Name: "Ada", Password: password, UserAgent: "Lynx"}
	bad := in
	bad.Email, bad.Name, bad.Password = "ada", "", "short"
	_, err := on.Setup(t.Context(), bad)
	repotest.WantFields(t, err, "email", "name", "password")
	bad = in
	bad.Token += "x"
	_, err = on.Setup(t.Context(), bad)
	repotest.WantFields(t, err, "token")

	s, err := on.Setup(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if u, _, err := on.Session(t.Context(), s.Token); err != nil || u.ID != s.UserID || u.Email != email {
		t.Errorf("got %+v %v, want no error, ID %v and Email %v", u, err, s.UserID, email)
	}
	done := &apperr.Error{Code: apperr.Conflict, Reason: accounts.SetupDone}
	if _, err := on.SetupOpen(t.Context(), token); !errors.Is(err, done) {
		t.Errorf("the link afterwards: %v, want %v", err, done)
	}
	if _, err := on.Setup(t.Context(), in); !errors.Is(err, done) {
		t.Errorf("a second setup: %v, want %v", err, done)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{Email: email, Password: password}); err != nil {
		t.Errorf("login: %v", err)
	}
}

func TestANewOfferReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	task, tokens := announcing()
	w := mustWorld(t, task)
	first := <-tokens
	task(repotest.As(t.Context(), repo.System), w.primary)
	second := <-tokens
	on := w.service(w.replica)
	for token, want := range map[string]bool{first: false, second: true} {
		if open, err := on.SetupOpen(t.Context(), token); err != nil || open != want {
			t.Errorf("got %v %v, want %v", open, err, want)
		}
	}
}

func TestNoLinkWhereThereIsAnAuthor(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	task, tokens := announcing()
	task(t.Context(), w.primary)
	if len(tokens) != 0 {
		t.Error("a link was announced")
	}
}

func TestSetupIsLimited(t *testing.T) {
	t.Parallel()
	task, tokens := announcing()
	w := mustWorld(t, task)
	<-tokens
	in := accounts.SetupInput{
		Token: "guess", Email: email, Name: "Ada", Password: password, Addr: netip.MustParseAddr("192.0.2.1"),
	}
	for range 20 {
		_, err := w.service(w.primary).Setup(t.Context(), in)
		repotest.WantFields(t, err, "token")
	}
	if _, err := w.service(w.primary).Setup(t.Context(), in); !apperr.HasReason(err, accounts.Limited) {
		t.Errorf("got %v, want the reason %v", err, accounts.Limited)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	view := func(fn func(rd repo.Reader) error) error { return w.replica.View(t.Context(), fn) }
	err := view(func(rd repo.Reader) error { _, err := accounts.First(t.Context(), rd); return err })
	if !errors.Is(err, apperr.NotFound) {
		t.Errorf("first of none: %v, want %v", err, apperr.NotFound)
	}
	id := mustUser(t, w)
	bob := accounts.NewUser{Email: "bob@example.org", Name: "Bob", Password: password}
	if _, _, err = accounts.AddUser(t.Context(), w.primary, w.hasher, bob); err != nil {
		t.Fatal(err)
	}
	err = view(func(rd repo.Reader) error {
		var list []accounts.User
		if list, err = accounts.List(t.Context(), rd); err != nil || len(list) != 2 || list[0].Name != "Ada" ||
			list[1].Name != "Bob" {
			t.Errorf("list: %+v %v, want no error, 2 of them, %q and %q", list, err, "Ada", "Bob")
		}
		if u, ferr := accounts.First(t.Context(), rd); ferr != nil || u.ID != id {
			t.Errorf("first: %+v %v, want no error and ID %v", u, ferr, id)
		}
		if u, uerr := accounts.UserByEmail(t.Context(), rd, " ADA@EXAMPLE.ORG "); uerr != nil || u.ID != id ||
			!u.CreatedAt.Equal(w.clock.Now()) {
			t.Errorf("by address: %+v %v", u, uerr)
		}
		if _, err = accounts.ByID(t.Context(), rd, 77); !errors.Is(err, apperr.NotFound) {
			t.Errorf("by an unknown id: %v, want %v", err, apperr.NotFound)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestActors(t *testing.T) {
	t.Parallel()
	a := accounts.Session{UserID: 12, TokenHash: "h"}.Actor()
	if id, ok := a.UserID(); !ok || id != 12 || a.Session != "h" || a.Name != "user:12" {
		t.Errorf("got %+v %d %v, want true, 12, Session %q and Name %q", a, id, ok, "h", "user:12")
	}
	for _, name := range []string{"", "user:", "user:0", "user:-1", "user:x", "operator", "12"} {
		if _, ok := (repo.Actor{Name: name}).UserID(); ok {
			t.Errorf("%q is a user", name)
		}
	}
}
