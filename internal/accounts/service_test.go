package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestLoginOnAReplica(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	id := mustUser(t, w)
	on := w.service(w.replica)
	s, err := on.Login(t.Context(), accounts.LoginInput{
		Email: " ADA@Example.org ", Password: password, UserAgent: "Lynx/2.9\r\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.UserID != id {
		t.Errorf("got UserID %d, want %d", s.UserID, id)
	}
	if s.Receipt.Cursor.Zero() {
		t.Errorf("got the receipt %+v, want one with a cursor", s.Receipt)
	}
	if want := w.clock.Now().Add(accounts.SessionLife); !s.ExpiresAt.Equal(want) {
		t.Errorf("got ExpiresAt %v, want %v", s.ExpiresAt, want)
	}
	u, session, err := on.Session(t.Context(), s.Token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{email, "Ada", "Lynx/2.9"}, []string{u.Email, u.Name, session.UserAgent}); diff != "" {
		t.Errorf("the session's address, name and browser (-want +got):\n%s", diff)
	}
	if !session.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("the session: got ExpiresAt %v, want %v", session.ExpiresAt, s.ExpiresAt)
	}
	for _, secret := range []string{s.Token, password} {
		if dump := mustDump(t, w.primary); strings.Contains(dump, secret) {
			t.Errorf("got the database %s, want it without the secret %q", dump, secret)
		}
	}
}

func TestLoginSaysTheSameOfEitherHalf(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.replica)
	_, unknown := on.Login(t.Context(), accounts.LoginInput{Email: "eve@example.org", Password: password})
	for name, in := range map[string]accounts.LoginInput{
		"wrong password":              {Email: email, Password: "another long sentence"},
		"no password":                 {Email: email},
		"no address":                  {Password: password},
		"neither":                     {},
		"no address at all, and long": {Email: strings.Repeat("x", 5000), Password: strings.Repeat("x", 5000)},
		"longer password":             {Email: email, Password: password + strings.Repeat(" ", accounts.MaxPassword)},
		"broken text":                 {Email: "\xff", Password: "\xff"},
	} {
		_, err := on.Login(t.Context(), in)
		if !errors.Is(err, apperr.Unauthorized) {
			t.Fatalf("%s: got %v, want %v", name, err, apperr.Unauthorized)
		}
		if !apperr.HasReason(err, accounts.WrongLogin) {
			t.Errorf("%s: got %v, want the reason %v", name, err, accounts.WrongLogin)
		}
		if err.Error() != unknown.Error() {
			t.Errorf("%s: got %q, want what an unknown author gets, %q", name, err, unknown)
		}
	}
}

// behind is a Store whose copy is behind: the password was changed after this node read it.
type behind struct {
	*repo.Repo
	meanwhile func()
}

func (b behind) Call(ctx context.Context, call *repo.Call) error {
	b.meanwhile()
	return b.Repo.Call(ctx, call)
}

func TestLoginWithAPasswordThatHasJustChanged(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	store := behind{w.replica, func() {
		if _, _, err := accounts.ResetPassword(t.Context(), w.primary, w.hasher, email, "an entirely new sentence",
			""); err != nil {
			t.Error(err)
		}
	}}
	on := accounts.NewService(store, w.hasher, w.limiter, w.clock.Now)
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: password,
	}); !apperr.HasReason(err, accounts.WrongLogin) {
		t.Errorf("got %v, want the reason %v", err, accounts.WrongLogin)
	}
	if dump := mustDump(t, w.primary); strings.Contains(dump, "accounts.login") {
		t.Errorf("the refusal left a row: %s, want without %q", dump, "accounts.login")
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.primary)
	_, token := mustLogin(t, w)
	w.clock.Advance(accounts.SessionLife - time.Second)
	if _, _, err := on.Session(t.Context(), token); err != nil {
		t.Errorf("a second before its end: got %v, want no error", err)
	}
	w.clock.Advance(time.Second)
	if _, _, err := on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("at its end: %v, want %v", err, apperr.NotFound)
	}
}

// long gives a context a deadline far behind a clock that the test has set forward.
func long(ctx context.Context, tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithDeadline(ctx, time.Now().Add(100*24*time.Hour))
	tb.Cleanup(cancel)
	return ctx
}

func TestRenewGivesANewTokenAndAFullLife(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.replica)
	ctx, token := mustLogin(t, w)
	w.clock.Advance(20 * 24 * time.Hour)
	s, err := on.Renew(long(ctx, t), "Lynx")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the old token still works: %v, want %v", err, apperr.NotFound)
	}
	_, session, err := on.Session(t.Context(), s.Token)
	if err != nil {
		t.Fatal(err)
	}
	if want := w.clock.Now().Add(accounts.SessionLife); !session.ExpiresAt.Equal(want) {
		t.Errorf("the renewed session: got ExpiresAt %v, want %v", session.ExpiresAt, want)
	}
	if _, err := on.Renew(long(ctx, t), "Lynx"); !apperr.HasReason(err, accounts.SessionOver) {
		t.Errorf("a renewal by the old session: %v, want the reason %v", err, accounts.SessionOver)
	}
}

func TestAWriteAfterTheSessionsEndIsRefused(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	ctx, _ := mustLogin(t, w)
	w.clock.Advance(accounts.SessionLife)
	_, _, err := w.service(w.replica).LogoutAll(long(ctx, t))
	e := apperr.From(err)
	if e.Code != apperr.Unauthorized {
		t.Errorf("got the code %v, want %v", e.Code, apperr.Unauthorized)
	}
	if want := "Your session has ended: sign in again."; e.Message != want {
		t.Errorf("got the message %q, want %q", e.Message, want)
	}
}

func TestLoginRemovesExpiredSessions(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	id := mustUser(t, w)
	_, old := mustLogin(t, w)
	w.clock.Advance(accounts.SessionLife)
	s, err := w.service(w.replica).Login(long(t.Context(), t), accounts.LoginInput{Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	dump := mustDump(t, w.primary)
	if hash := accounts.HashToken(old); strings.Contains(dump, hash) {
		t.Errorf("got the database %s, want it without the old session %q", dump, hash)
	}
	if hash := accounts.HashToken(s.Token); !strings.Contains(dump, hash) {
		t.Errorf("got the database %s, want it with the new session %q", dump, hash)
	}
	var hashes []string
	if err := w.replica.View(t.Context(), func(rd repo.Reader) error {
		list, err := accounts.Sessions(t.Context(), rd, id, w.clock.Now())
		hashes = nil
		for _, session := range list {
			hashes = append(hashes, session.TokenHash)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{accounts.HashToken(s.Token)}, hashes); diff != "" {
		t.Errorf("the user's sessions (-want +got):\n%s", diff)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	id := mustUser(t, w)
	on := w.service(w.replica)
	ctx, token := mustLogin(t, w)
	_, other := mustLogin(t, w)
	receipt, err := on.Logout(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []repo.Touch{{Topic: accounts.SessionsTopic(id), Subject: accounts.SessionID(accounts.HashToken(token))}}
	if diff := cmp.Diff(want, mustTouches(t, w, receipt)); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	if _, _, err := on.Session(t.Context(), other); err != nil {
		t.Errorf("the other session: got %v, want no error", err)
	}
	if _, err := on.Logout(ctx); err != nil {
		t.Errorf("logging out again: got %v, want no error", err)
	}
}

func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	id := mustUser(t, w)
	on := w.service(w.replica)
	ctx, token := mustLogin(t, w)
	mustLogin(t, w)
	ended, receipt, err := on.LogoutAll(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accounts.Ended{UserID: id, Sessions: 2}, ended); diff != "" {
		t.Fatalf("ended (-want +got):\n%s", diff)
	}
	touches := []repo.Touch{{Topic: accounts.SessionsTopic(id)}}
	if diff := cmp.Diff(touches, mustTouches(t, w, receipt)); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	if _, _, err = on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the session lives: %v, want %v", err, apperr.NotFound)
	}
	mustLogin(t, w)
	ended, _, err = accounts.LogoutUser(t.Context(), w.replica, "ADA@example.org", "k")
	if err != nil {
		t.Fatal(err)
	}
	if ended.Sessions != 1 {
		t.Errorf("by the operator: got %d sessions that ended, want 1", ended.Sessions)
	}
}

// mustTouches returns the touches of the receipt's write.
func mustTouches(tb testing.TB, w *world, receipt repo.Receipt) []repo.Touch {
	tb.Helper()
	var rows []repo.Row
	err := w.primary.View(tb.Context(), func(rd repo.Reader) (err error) {
		rows, err = repo.After(tb.Context(), rd, repo.Cursor{}, []string{accounts.SessionsTopic(1)})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, row := range rows {
		if row.Cursor == receipt.Cursor {
			return row.Touches
		}
	}
	return nil
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.replica)
	ctx, token := mustLogin(t, w)
	_, err := on.ChangePassword(ctx, accounts.PasswordInput{Current: mistyped, Password: changedTo})
	repotest.WantFields(t, err, "current")
	_, err = on.ChangePassword(ctx, accounts.PasswordInput{Current: password, Password: "short"})
	repotest.WantFields(t, err, "password")
	if _, err = on.ChangePassword(t.Context(), accounts.PasswordInput{
		Current: password, Password: changedTo,
	}); !errors.Is(err, apperr.Unauthorized) {
		t.Errorf("a visitor: %v, want %v", err, apperr.Unauthorized)
	}
	s, err := on.ChangePassword(ctx, accounts.PasswordInput{Current: password, Password: changedTo})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the old session lives: %v, want %v", err, apperr.NotFound)
	}
	u, session, err := on.Session(t.Context(), s.Token)
	if err != nil {
		t.Fatal(err)
	}
	if u.Revision != 2 {
		t.Errorf("the new session's user: got Revision %d, want 2", u.Revision)
	}
	if !session.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("the new session: got ExpiresAt %v, want %v", session.ExpiresAt, s.ExpiresAt)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: password,
	}); !apperr.HasReason(err, accounts.WrongLogin) {
		t.Errorf("the old password: %v, want the reason %v", err, accounts.WrongLogin)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{Email: email, Password: changedTo}); err != nil {
		t.Errorf("the new password: got %v, want no error", err)
	}
}

func TestOperatorsRetryIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w) // its write has the key ada
	again := accounts.NewUser{Email: email, Name: "Ada", Password: password, Key: "ada"}
	_, receipt, err := accounts.AddUser(t.Context(), w.replica, w.hasher, again)
	if err != nil {
		t.Fatal(err)
	}
	if !receipt.Replayed {
		t.Errorf("got %+v, want Replayed true", receipt)
	}
	again.Password = "another long sentence"
	if _, _, err = accounts.AddUser(t.Context(), w.replica, w.hasher, again); !apperr.HasReason(err, apperr.KeyReused) {
		t.Errorf("with another password: %v, want the reason %v", err, apperr.KeyReused)
	}
	_, receipt, err = accounts.AddUser(t.Context(), w.replica, w.hasher, accounts.NewUser{Email: "x", Password: email})
	repotest.WantFields(t, err, "email", "name")
	if receipt.Key == "" {
		t.Errorf("a refusal: got %+v, want a key", receipt)
	}
	for range 2 {
		ref, _, err := accounts.ResetPassword(t.Context(), w.replica, w.hasher, email, "another long sentence", "reset")
		if err != nil {
			t.Fatal(err)
		}
		if ref.Revision != 2 {
			t.Errorf("got %+v, want Revision 2", ref)
		}
	}
}

func TestLoginRenewsAHashOfAnotherCost(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	dearer := cheap()
	dearer.Time = 2
	w.hasher = accounts.NewHasher(dearer)
	for range 2 {
		mustLogin(t, w)
		dump := mustDump(t, w.primary)
		if want := "$m=64,t=2,p=1$"; !strings.Contains(dump, want) {
			t.Errorf("got %s, want it with %q", dump, want)
		}
		if before := "$m=64,t=1,p=1$"; strings.Contains(dump, before) {
			t.Errorf("got %s, want it without %q", dump, before)
		}
	}
}
