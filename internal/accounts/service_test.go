package accounts_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

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
	if want := w.clock.Now().Add(accounts.SessionLife); s.UserID != id || s.Receipt.Cursor.Zero() ||
		!s.ExpiresAt.Equal(want) {
		t.Errorf("got %+v, want UserID %d, a cursor and ExpiresAt %v", s, id, want)
	}
	u, session, err := on.Session(t.Context(), s.Token)
	if err != nil || u.Email != email || u.Name != "Ada" || session.UserAgent != "Lynx/2.9" ||
		!session.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("got %+v %+v %v, want no error, Email %v, Name %q, UserAgent %q and ExpiresAt %v", u, session, err, email,
			"Ada", "Lynx/2.9", s.ExpiresAt)
	}
	if dump := mustDump(t, w.primary); strings.Contains(dump, s.Token) || strings.Contains(dump, password) {
		t.Errorf("the database holds a secret: %s, want without %v and without %v", dump, s.Token, password)
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
		if !errors.Is(err, apperr.Unauthorized) || !apperr.HasReason(err, accounts.WrongLogin) ||
			err.Error() != unknown.Error() {
			t.Errorf("%s: got %v, an unknown author gives %v", name, err, unknown)
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
		t.Errorf("a second before its end: %v", err)
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
	if _, _, err := on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the old token still works: %v, want %v", err, apperr.NotFound)
	}
	if _, session, err := on.Session(t.Context(), s.Token); err != nil ||
		!session.ExpiresAt.Equal(w.clock.Now().Add(accounts.SessionLife)) {
		t.Errorf("got %+v %v", session, err)
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
	if e := apperr.From(err); e.Code != apperr.Unauthorized || e.Message != "Your session has ended: sign in again." {
		t.Errorf("got %v, Code %v, Message %v, want Code %v and Message %q", err, e.Code, e.Message, apperr.Unauthorized,
			"Your session has ended: sign in again.")
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
	if dump := mustDump(t, w.primary); strings.Contains(dump, accounts.HashToken(old)) ||
		!strings.Contains(dump, accounts.HashToken(s.Token)) {
		t.Errorf("got %s", dump)
	}
	var list []accounts.Session
	if err := w.replica.View(t.Context(), func(rd repo.Reader) (err error) {
		list, err = accounts.Sessions(t.Context(), rd, id, w.clock.Now())
		return err
	}); err != nil || len(list) != 1 || list[0].TokenHash != accounts.HashToken(s.Token) {
		t.Errorf("got %+v %v", list, err)
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
	if got := mustTouches(t, w, receipt); len(got) != 1 ||
		got[0] != (repo.Touch{Topic: accounts.SessionsTopic(id), Subject: accounts.SessionID(accounts.HashToken(token))}) {
		t.Errorf("touched %v", got)
	}
	if _, _, err := on.Session(t.Context(), other); err != nil {
		t.Errorf("the other session: %v", err)
	}
	if _, err := on.Logout(ctx); err != nil {
		t.Errorf("logging out again: %v", err)
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
	if err != nil || ended != (accounts.Ended{UserID: id, Sessions: 2}) {
		t.Fatalf("got %+v %v, want no error and %+v", ended, err, accounts.Ended{UserID: id, Sessions: 2})
	}
	if got := mustTouches(t, w, receipt); len(got) != 1 || got[0] != (repo.Touch{Topic: accounts.SessionsTopic(id)}) {
		t.Errorf("touched %v", got)
	}
	if _, _, err := on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the session lives: %v, want %v", err, apperr.NotFound)
	}
	mustLogin(t, w)
	if ended, _, err := accounts.LogoutUser(t.Context(), w.replica, "ADA@example.org", "k"); err != nil ||
		ended.Sessions != 1 {
		t.Errorf("by the operator: %+v %v, want no error and Sessions 1", ended, err)
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
	if _, _, err := on.Session(t.Context(), token); !errors.Is(err, apperr.NotFound) {
		t.Errorf("the old session lives: %v, want %v", err, apperr.NotFound)
	}
	if u, session, err := on.Session(t.Context(), s.Token); err != nil || u.Revision != 2 ||
		!session.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("the new session: %+v %+v %v, want no error, Revision 2 and ExpiresAt %v", u, session, err, s.ExpiresAt)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: password,
	}); !apperr.HasReason(err, accounts.WrongLogin) {
		t.Errorf("the old password: %v, want the reason %v", err, accounts.WrongLogin)
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{Email: email, Password: changedTo}); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestOperatorsRetryIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w) // its write has the key ada
	again := accounts.NewUser{Email: email, Name: "Ada", Password: password, Key: "ada"}
	if _, receipt, err := accounts.AddUser(t.Context(), w.replica, w.hasher, again); err != nil || !receipt.Replayed {
		t.Errorf("got %+v %v, want no error and Replayed true", receipt, err)
	}
	again.Password = "another long sentence"
	if _, _, err := accounts.AddUser(t.Context(), w.replica, w.hasher, again); !apperr.HasReason(err, apperr.KeyReused) {
		t.Errorf("with another password: %v, want the reason %v", err, apperr.KeyReused)
	}
	_, receipt, err := accounts.AddUser(t.Context(), w.replica, w.hasher, accounts.NewUser{Email: "x", Password: email})
	repotest.WantFields(t, err, "email", "name")
	if receipt.Key == "" {
		t.Error("a refusal has no key")
	}
	for range 2 {
		if ref, _, err := accounts.ResetPassword(t.Context(), w.replica, w.hasher, email, "another long sentence",
			"reset"); err != nil || ref.Revision != 2 {
			t.Errorf("got %+v %v, want no error and Revision 2", ref, err)
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
		if dump := mustDump(t, w.primary); !strings.Contains(dump, "$m=64,t=2,p=1$") ||
			strings.Contains(dump, "$m=64,t=1,p=1$") {
			t.Errorf("got %s, want with %q and without %q", dump, "$m=64,t=2,p=1$", "$m=64,t=1,p=1$")
		}
	}
}

func TestLoginIsLimited(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.replica)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i & 0xff)}) }
	for _, who := range []string{email, "nobody@example.org"} {
		for i := range 10 {
			if _, err := on.Login(t.Context(), accounts.LoginInput{
				Email: who, Password: "guess", Addr: addr(i),
			}); !apperr.HasReason(err, accounts.WrongLogin) {
				t.Fatalf("attempt %d: %v, want the reason %v", i, err, accounts.WrongLogin)
			}
		}
		_, err := on.Login(t.Context(), accounts.LoginInput{Email: strings.ToUpper(who), Password: password, Addr: addr(11)})
		if e := apperr.From(err); e.Reason != accounts.Limited || e.RetryAfter != 60 {
			t.Errorf("%s: got %v %d, Reason %v, want Reason %v and 60", who, err, e.RetryAfter, e.Reason, accounts.Limited)
		}
	}
	w.clock.Advance(time.Minute)
	if _, err := on.Login(long(t.Context(), t), accounts.LoginInput{
		Email: email, Password: password, Addr: addr(11),
	}); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestStrangersCannotPreventAChangeOfPassword(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	on := w.service(w.replica)
	ctx, _ := mustLogin(t, w)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i & 0xff)}) }
	for i := range 11 {
		_, _ = on.Login(t.Context(), accounts.LoginInput{Email: email, Password: "guess", Addr: addr(i)})
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: password, Addr: addr(20),
	}); !apperr.HasReason(err, accounts.Limited) {
		t.Fatalf("got %v, want the reason %v", err, accounts.Limited)
	}
	change := accounts.PasswordInput{Current: mistyped, Password: changedTo, Addr: addr(21)}
	for range 10 {
		_, err := on.ChangePassword(ctx, change)
		repotest.WantFields(t, err, "current")
	}
	if _, err := on.ChangePassword(ctx, change); !apperr.HasReason(err, accounts.Limited) {
		t.Errorf("guesses of who is signed in: %v, want the reason %v", err, accounts.Limited)
	}
	w.clock.Advance(time.Minute)
	change.Current = password
	if _, err := on.ChangePassword(long(ctx, t), change); err != nil {
		t.Errorf("the author: %v", err)
	}
}
