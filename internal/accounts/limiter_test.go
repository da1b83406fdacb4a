package accounts_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo/repotest"
)

func mustLimiter(tb testing.TB) (*accounts.Limiter, *repotest.Clock) {
	tb.Helper()
	c := repotest.NewClock(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	return accounts.NewLimiter(c.Now), c
}

func v4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16 & 0xff), byte(i >> 8 & 0xff), byte(i & 0xff)})
}

// attempts returns how many of the next hundred attempts are allowed.
func attempts(tb testing.TB, try func(i int) error) (n int) {
	tb.Helper()
	for i := range 100 {
		err := try(i)
		if err == nil {
			n++
			continue
		}
		if !apperr.HasReason(err, accounts.Limited) {
			tb.Errorf("attempt %d: got %v, want the reason %v", i, err, accounts.Limited)
		}
		if got := apperr.From(err).RetryAfter; got < 1 {
			tb.Errorf("attempt %d: got RetryAfter %d, want at least 1 s", i, got)
		}
	}
	return n
}

func TestLimiterByAccount(t *testing.T) {
	t.Parallel()
	l, c := mustLimiter(t)
	try := func(i int) error { return l.Try(email, v4(i)) }
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 10}, {0, 0}, {time.Minute, 1}, {3 * time.Minute, 3}, {24 * time.Hour, 10}} {
		c.Advance(step.pass)
		if got := attempts(t, try); got != step.want {
			t.Errorf("after %v: %d attempts, want %d", step.pass, got, step.want)
		}
	}
	l.Succeeded(email, v4(1))
	if got := attempts(t, try); got != 10 {
		t.Errorf("after a success: %d attempts, want 10", got)
	}
	l.GiveBack(email, v4(1))
	if got := attempts(t, try); got != 1 {
		t.Errorf("after one that was given back: %d attempts, want 1", got)
	}
}

func TestLimiterByAddress(t *testing.T) {
	t.Parallel()
	l, _ := mustLimiter(t)
	from := func(addr func(i int) netip.Addr) func(i int) error {
		return func(i int) error { return l.Try(fmt.Sprintf("%d@example.org", i), addr(i)) }
	}
	one := v4(1)
	if got := attempts(t, from(func(int) netip.Addr { return one })); got != 20 {
		t.Errorf("IPv4: %d attempts, want 20", got)
	}
	// One subscriber has a whole /64.
	inOne64 := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)) }
	if got := attempts(t, from(inOne64)); got != 20 {
		t.Errorf("IPv6 in one /64: %d attempts, want 20", got)
	}
	in64s := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", i+1)) }
	if got := attempts(t, from(in64s)); got != 100 {
		t.Errorf("IPv6 in many: %d attempts, want 100", got)
	}
	if got := attempts(t, from(func(int) netip.Addr { return netip.Addr{} })); got != 20 {
		t.Errorf("no address: %d attempts, want 20", got)
	}
	// A success frees the account alone, so an attacker who has an account gains no guesses.
	l.Succeeded(email, one)
	if got := attempts(t, func(int) error { return l.TryAddr(one) }); got != 1 {
		t.Errorf("after a success: %d attempts, want 1", got)
	}
}

// TestLimiterForgetsNoAccount: attempts at one account stay used up, whatever else is tried
// meanwhile.
func TestLimiterForgetsNoAccount(t *testing.T) {
	t.Parallel()
	l, _ := mustLimiter(t)
	guesses := 0
	for round := range 3 {
		for l.Try(email, v4(round)) == nil {
			guesses++
		}
		for i := range 12_000 { // from one address, which is soon refused, and from as many addresses
			_ = l.Try(fmt.Sprintf("%d@example.org", i), v4(10))
			_ = l.Try(fmt.Sprintf("%d-%d@example.com", round, i), v4(20+i))
		}
	}
	if guesses != 10 {
		t.Errorf("%d guesses, want 10", guesses)
	}
}

// TestLimiterAsksTheAddressFirst: an attempt from an address that is refused does not count at the
// account.
func TestLimiterAsksTheAddressFirst(t *testing.T) {
	t.Parallel()
	l, _ := mustLimiter(t)
	one := v4(1)
	if got := attempts(t, func(int) error { return l.TryAddr(one) }); got != 20 {
		t.Fatalf("%d attempts, want 20", got)
	}
	if got := attempts(t, func(int) error { return l.Try(email, one) }); got != 0 {
		t.Errorf("%d attempts from an address that is refused, want 0", got)
	}
	if got := attempts(t, func(i int) error { return l.Try(email, v4(i+2)) }); got != 10 {
		t.Errorf("%d attempts from others, want 10", got)
	}
}

func TestLimiterForgetsTheLongestUnusedAddress(t *testing.T) {
	t.Parallel()
	l, _ := mustLimiter(t)
	fill := func(from, n int) {
		for i := range n {
			if err := l.TryAddr(v4(from + i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := attempts(t, func(int) error { return l.TryAddr(v4(1)) }); got != 20 {
		t.Fatalf("%d attempts, want 20", got)
	}
	fill(2, 9_999)
	if err := l.TryAddr(v4(1)); err == nil {
		t.Error("with 9,999 others: got no error, want the address still limited")
	}
	fill(30_000, 10_000)
	if err := l.TryAddr(v4(1)); err != nil {
		t.Errorf("with 10,000 others: got %v, want the address forgotten, as the table has a bound", err)
	}
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remote, header string
		values         []string
		want           string
	}{
		{"192.0.2.1:5555", "", []string{"198.51.100.7"}, "192.0.2.1"},
		{"192.0.2.1:5555", "Fly-Client-IP", []string{"198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:5555", "Fly-Client-IP", nil, "192.0.2.1"},
		{"192.0.2.1:5555", "Fly-Client-IP", []string{"<script>"}, "192.0.2.1"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"10.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"10.0.0.1", "10.0.0.2,198.51.100.8"}, "198.51.100.8"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"10.0.0.1, "}, "192.0.2.1"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"198.51.100.7:443"}, "198.51.100.7"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"192.0.2.1:5555", "X-Forwarded-For", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"[fe80::1%eth0]:5555", "", nil, "fe80::1"},
		{"@", "", nil, "invalid IP"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		r.Header["Fly-Client-Ip"] = c.values
		r.Header["X-Forwarded-For"] = c.values
		if got := accounts.ClientAddr(r, c.header).String(); got != c.want {
			t.Errorf("%+v: got %s, want %v", c, got, c.want)
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
		e := apperr.From(err)
		if e.Reason != accounts.Limited {
			t.Errorf("%s: got %v with the reason %v, want %v", who, err, e.Reason, accounts.Limited)
		}
		if e.RetryAfter != 60 {
			t.Errorf("%s: got RetryAfter %d, want 60", who, e.RetryAfter)
		}
	}
	w.clock.Advance(time.Minute)
	if _, err := on.Login(long(t.Context(), t), accounts.LoginInput{
		Email: email, Password: password, Addr: addr(11),
	}); err != nil {
		t.Errorf("a minute later: got %v, want no error", err)
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
		t.Errorf("the author: got %v, want no error", err)
	}
}
