package accounts_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	for link, want := range map[string]bool{token: true, token + "x": false} {
		open, err := on.SetupOpen(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		if open != want {
			t.Errorf("%q, where the link is %q: got open %t, want %t", link, token, open, want)
		}
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
	u, _, err := on.Session(t.Context(), s.Token)
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != s.UserID {
		t.Errorf("got the user %+v, want ID %d", u, s.UserID)
	}
	if u.Email != email {
		t.Errorf("got the user %+v, want Email %q", u, email)
	}
	done := &apperr.Error{Code: apperr.Conflict, Reason: accounts.SetupDone}
	if _, err := on.SetupOpen(t.Context(), token); !errors.Is(err, done) {
		t.Errorf("the link afterwards: %v, want %v", err, done)
	}
	if _, err := on.Setup(t.Context(), in); !errors.Is(err, done) {
		t.Errorf("a second setup: %v, want %v", err, done)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{Email: email, Password: password}); err != nil {
		t.Errorf("login: got %v, want no error", err)
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
		open, err := on.SetupOpen(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if open != want {
			t.Errorf("%q of %q and %q: got open %t, want %t", token, first, second, open, want)
		}
	}
}

func TestNoLinkWhereThereIsAnAuthor(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	task, tokens := announcing()
	task(t.Context(), w.primary)
	if got := len(tokens); got != 0 {
		t.Errorf("got %d announced links, want none", got)
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
		if list, err = accounts.List(t.Context(), rd); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, u := range list {
			names = append(names, u.Name)
		}
		if diff := cmp.Diff([]string{"Ada", "Bob"}, names); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		u, ferr := accounts.First(t.Context(), rd)
		if ferr != nil {
			t.Fatal(ferr)
		}
		if u.ID != id {
			t.Errorf("first: got %+v, want ID %d", u, id)
		}
		u, uerr := accounts.UserByEmail(t.Context(), rd, " ADA@EXAMPLE.ORG ")
		if uerr != nil {
			t.Fatal(uerr)
		}
		if u.ID != id {
			t.Errorf("by address: got %+v, want ID %d", u, id)
		}
		if !u.CreatedAt.Equal(w.clock.Now()) {
			t.Errorf("by address: got %+v, want CreatedAt %v", u, w.clock.Now())
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
	id, ok := a.UserID()
	if !ok {
		t.Errorf("%+v: got no user, want one", a)
	}
	if id != 12 {
		t.Errorf("%+v: got the user %d, want 12", a, id)
	}
	if diff := cmp.Diff([]string{"h", "user:12"}, []string{a.Session, a.Name}); diff != "" {
		t.Errorf("session and name (-want +got):\n%s", diff)
	}
	for _, name := range []string{"", "user:", "user:0", "user:-1", "user:x", "operator", "12"} {
		if id, ok := (repo.Actor{Name: name}).UserID(); ok {
			t.Errorf("%q: got the user %d, want none", name, id)
		}
	}
}
