package accounts_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// mustLag returns the repository of a replica whose copy is as the primary's is now, and stays so.
func mustLag(t *testing.T, w *world) *repo.Repo {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	repotest.MustExec(t, w.path, "VACUUM INTO ?", path)
	return repotest.MustOpen(t, repo.Options{
		Path: path, LiteFS: true, Node: repotest.NewNode(w.node.Role()), Authorize: accounts.Authorize, Now: w.clock.Now,
		Registry: repotest.MustRegistry(t, accounts.Commands()),
	})
}

// behindNow returns a world with ada, and a replica that has neither her new password nor bob.
func behindNow(t *testing.T) (*world, *repo.Repo) {
	t.Helper()
	w := mustWorld(t)
	mustUser(t, w)
	old := mustLag(t, w)
	if _, _, err := accounts.ResetPassword(t.Context(), w.primary, w.hasher, email, changedTo, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := accounts.AddUser(t.Context(), w.primary, w.hasher, accounts.NewUser{
		Email: "bob@example.org", Name: "Bob", Password: password,
	}); err != nil {
		t.Fatal(err)
	}
	return w, old
}

// TestLoginOnACopyThatIsBehind: a user whom the copy does not know, or knows with another password,
// is not told that theirs is wrong. Neither is a user whom no copy knows: the answers are the same.
func TestLoginOnACopyThatIsBehind(t *testing.T) {
	t.Parallel()
	w, old := behindNow(t)
	for name, in := range map[string]accounts.LoginInput{
		"the new password": {Email: email, Password: changedTo},
		"a new account":    {Email: "bob@example.org", Password: password},
		"a wrong password": {Email: email, Password: mistyped},
		"an unknown one":   {Email: "eve@example.org", Password: password},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the copy
			_, err := w.service(old).Login(t.Context(), in)
			e := apperr.From(err)
			if e.Code != apperr.Unavailable {
				t.Errorf("got the code %v, want %v", e.Code, apperr.Unavailable)
			}
			if e.Reason != accounts.Unconfirmed {
				t.Errorf("got the reason %v, want %v", e.Reason, accounts.Unconfirmed)
			}
			if e.RetryAfter < 1 {
				t.Errorf("got RetryAfter %d, want at least 1 s", e.RetryAfter)
			}
			want := "unavailable (unconfirmed): The password cannot be checked just now: this copy of the blog may be " +
				"behind. Try again in a moment."
			if got := e.Error(); got != want {
				t.Errorf("got the error %q, want %q", got, want)
			}
		})
	}
	t.Run("the old password", func(t *testing.T) {
		t.Parallel()
		_, err := w.service(old).Login(t.Context(), accounts.LoginInput{Email: email, Password: password})
		if !apperr.HasReason(err, accounts.WrongLogin) {
			t.Errorf("got %v, want the reason %v", err, accounts.WrongLogin)
		}
	})
}

// arriving is a copy that is behind until the primary was asked.
type arriving struct {
	*repo.Repo
	old   *repo.Repo
	asked []string
}

func (a *arriving) Call(ctx context.Context, call *repo.Call) error {
	a.asked = append(a.asked, call.Name)
	return a.Repo.Call(ctx, call)
}

func (a *arriving) View(ctx context.Context, fn func(rd repo.Reader) error) error {
	if len(a.asked) == 0 {
		return a.old.View(ctx, fn)
	}
	return a.Repo.View(ctx, fn)
}

// TestLoginWaitsForTheCopy: the password is compared with what arrives in time.
func TestLoginWaitsForTheCopy(t *testing.T) {
	t.Parallel()
	w, old := behindNow(t)
	for _, c := range []struct {
		in    accounts.LoginInput
		asked string
		wrong bool
	}{
		{accounts.LoginInput{Email: email, Password: changedTo}, "[accounts.confirm accounts.login]", false},
		{accounts.LoginInput{Email: "bob@example.org", Password: password}, "[accounts.confirm accounts.login]", false},
		{accounts.LoginInput{Email: email, Password: mistyped}, "[accounts.confirm]", true},
		{accounts.LoginInput{Email: "eve@example.org", Password: password}, "[accounts.confirm]", true},
	} {
		store := &arriving{Repo: w.replica, old: old}
		_, err := accounts.NewService(store, w.hasher, w.limiter, w.clock.Now).Login(t.Context(), c.in)
		if got := apperr.HasReason(err, accounts.WrongLogin); got != c.wrong {
			t.Errorf("%s, %s: has %v the reason %v: %t, want %t", c.in.Email, c.in.Password, err, accounts.WrongLogin, got,
				c.wrong)
		}
		if refused := err != nil; refused != c.wrong {
			t.Errorf("%s, %s: got the error %v, want one: %t", c.in.Email, c.in.Password, err, c.wrong)
		}
		if got := fmt.Sprint(store.asked); got != c.asked {
			t.Errorf("%s, %s: the primary was asked %s, want %s", c.in.Email, c.in.Password, got, c.asked)
		}
	}
}

// hurried is a copy that has arrived, for a caller who does not wait for the password's second comparison.
type hurried struct {
	*arriving
	leave context.CancelFunc
}

func (h *hurried) Call(ctx context.Context, call *repo.Call) error {
	defer h.leave()
	return h.arriving.Call(ctx, call)
}

// TestAGuessCountsAfterItsCallerHasLeft: a password that fits needs one comparison, so whoever gets no answer by then
// has learnt that theirs does not.
func TestAGuessCountsAfterItsCallerHasLeft(t *testing.T) {
	t.Parallel()
	w, old := behindNow(t)
	guess := func(i int) error {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		store := &hurried{&arriving{Repo: w.replica, old: old}, leave}
		_, err := accounts.NewService(store, w.hasher, w.limiter, w.clock.Now).Login(ctx, accounts.LoginInput{
			Email: email, Password: mistyped, Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i & 0xff)}),
		})
		return err
	}
	for i := range 10 {
		if err := guess(i); !apperr.HasReason(err, accounts.Unconfirmed) {
			t.Errorf("guess %d: %v, want the reason %s", i, err, accounts.Unconfirmed)
		}
	}
	if err := guess(10); !apperr.HasReason(err, accounts.Limited) {
		t.Errorf("one guess too many: %v, want the reason %s", err, accounts.Limited)
	}
}

// cutOff is a node that reaches no primary.
type cutOff struct{ *repo.Repo }

func (cutOff) Call(context.Context, *repo.Call) error {
	return apperr.NewUnavailable(apperr.NoPrimary, "None.", 0, nil)
}

// TestAPasswordThatFitsWithoutAPrimary: it is no attempt, and clears none, since this copy may have the password of
// before. Once the primary has confirmed it by the write, the attempts at the account are cleared.
func TestAPasswordThatFitsWithoutAPrimary(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	ctx, _ := mustLogin(t, w)
	on := accounts.NewService(cutOff{w.replica}, w.hasher, w.limiter, w.clock.Now)
	addrs := 0
	addr := func() netip.Addr { addrs++; return netip.AddrFrom4([4]byte{192, 0, 2, byte(addrs & 0xff)}) }
	for name, try := range map[string]func(on *accounts.Service, password string) error{
		"sign in": func(on *accounts.Service, password string) error {
			_, err := on.Login(t.Context(), accounts.LoginInput{Email: email, Password: password, Addr: addr()})
			return err
		},
		"change the password": func(on *accounts.Service, password string) error {
			_, err := on.ChangePassword(ctx, accounts.PasswordInput{Current: password, Password: changedTo, Addr: addr()})
			return err
		},
	} {
		tried := func(what, password, reason string) {
			t.Helper()
			if err := try(on, password); !apperr.HasReason(err, reason) {
				t.Errorf("%s, %s: %v, want %s", name, what, err, reason)
			}
		}
		for range 9 {
			tried("one of nine guesses", mistyped, accounts.Unconfirmed)
			tried("the password, between guesses", password, apperr.NoPrimary)
		}
		tried("the tenth guess", mistyped, accounts.Unconfirmed)
		tried("one guess too many", mistyped, accounts.Limited)
		w.clock.Advance(time.Minute) // for one more attempt
		tried("the password, a minute later", password, apperr.NoPrimary)
		tried("the guess of that minute", mistyped, accounts.Unconfirmed)
		tried("one more", mistyped, accounts.Limited)
	}
	w.clock.Advance(time.Minute)
	signIn := accounts.LoginInput{Email: email, Password: password, Addr: addr()}
	if _, err := w.service(w.replica).Login(long(t.Context(), t), signIn); err != nil {
		t.Fatal(err)
	}
	signIn.Password = mistyped
	for i := range 10 {
		if _, err := on.Login(t.Context(), signIn); !apperr.HasReason(err, accounts.Unconfirmed) {
			t.Errorf("guess %d after a session was written: got %v, want the reason %v", i, err, accounts.Unconfirmed)
		}
	}
}

// TestGuessingWithoutAPrimary: a password that does not fit counts as an attempt, although nothing
// is known about the primary's. One that fits goes on to the write, which says what is missing.
func TestGuessingWithoutAPrimary(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	mustUser(t, w)
	ctx, _ := mustLogin(t, w)
	on := accounts.NewService(cutOff{w.replica}, w.hasher, w.limiter, w.clock.Now)
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: password,
	}); !apperr.HasReason(err, apperr.NoPrimary) {
		t.Errorf("the right password: got %v, want the reason %v", err, apperr.NoPrimary)
	}
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i & 0xff)}) }
	for i := range 10 {
		if _, err := on.Login(t.Context(), accounts.LoginInput{
			Email: email, Password: "guess", Addr: addr(i),
		}); !apperr.HasReason(err, accounts.Unconfirmed) {
			t.Errorf("guess %d: got %v, want the reason %v", i, err, accounts.Unconfirmed)
		}
		if _, err := on.ChangePassword(ctx, accounts.PasswordInput{
			Current: mistyped, Password: changedTo, Addr: addr(i),
		}); !apperr.HasReason(err, accounts.Unconfirmed) {
			t.Errorf("guess %d of who is signed in: got %v, want the reason %v", i, err, accounts.Unconfirmed)
		}
	}
	if _, err := on.Login(t.Context(), accounts.LoginInput{
		Email: email, Password: "guess", Addr: addr(20),
	}); !apperr.HasReason(err, accounts.Limited) {
		t.Errorf("one guess too many: got %v, want the reason %v", err, accounts.Limited)
	}
	if _, err := on.ChangePassword(ctx, accounts.PasswordInput{
		Current: mistyped, Password: changedTo, Addr: addr(20),
	}); !apperr.HasReason(err, accounts.Limited) {
		t.Errorf("one guess too many of who is signed in: got %v, want the reason %v", err, accounts.Limited)
	}
}
