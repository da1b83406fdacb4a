package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"blog/internal/accounts"
	"blog/internal/apperr"
)

func TestHash(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(cheap())
	stored, err := h.Hash(t.Context(), password, "key")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=64,t=1,p=1$"; !strings.HasPrefix(stored, want) {
		t.Fatalf("got %q, want it to begin with %q", stored, want)
	}
	if again, _ := h.Hash(t.Context(), password, "key"); again != stored {
		t.Errorf("the same password and key: got %q, want %q", again, stored)
	}
	if other, _ := h.Hash(t.Context(), password, "other key"); other == stored {
		t.Errorf("another key: got %q again, want another salt", other)
	}
	for _, c := range []struct {
		stored, password string
		want             bool
	}{
		{stored, password, true},
		{stored, password + " ", false},
		{stored, "", false},
		{"", password, false},
		{"", "", false},
	} {
		ok, stale, verifyErr := h.Verify(t.Context(), c.stored, c.password)
		if verifyErr != nil {
			t.Errorf("Verify(%q, %q): got the error %v, want none", c.stored, c.password, verifyErr)
		}
		if ok != c.want {
			t.Errorf("Verify(%q, %q): got ok %t, want %t", c.stored, c.password, ok, c.want)
		}
		if stale {
			t.Errorf("Verify(%q, %q): got stale true, want false", c.stored, c.password)
		}
	}
	dearer := accounts.NewHasher(accounts.Params{Memory: 128, Time: 1, Threads: 1})
	ok, stale, err := dearer.Verify(t.Context(), stored, password)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Error("a hash of another cost: got ok false, want true")
	}
	if !stale {
		t.Error("a hash of another cost: got stale false, want true")
	}
}

// TestHashKnowsOneTextInTwoForms: two machines can send one text in two forms, such as é as one
// code point or as two.
func TestHashKnowsOneTextInTwoForms(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(cheap())
	stored, err := h.Hash(t.Context(), "caf\u00e9 au lait", "key")
	if err != nil {
		t.Fatal(err)
	}
	ok, _, err := h.Verify(t.Context(), stored, "cafe\u0301 au lait")
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Error("the other form of the password: got ok false, want true")
	}
}

func TestDefaultParamsWork(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(accounts.DefaultParams())
	stored, err := h.Hash(t.Context(), password, "key")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=65536,t=2,p=1$"; !strings.HasPrefix(stored, want) {
		t.Fatalf("got %q, want it to begin with %q", stored, want)
	}
	ok, _, err := h.Verify(t.Context(), stored, password)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Error("got ok false, want true")
	}
}

func TestVerifyRefusesABrokenRow(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(cheap())
	good := phc
	for _, stored := range []string{
		password, "$", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=064", 1), strings.Replace(good, "m=64", "m=4194304", 1),
		strings.Replace(good, "m=64", "m=4", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=99", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=300", 1), good + "=", good + "$", good[:60],
	} {
		ok, _, err := h.Verify(t.Context(), stored, password)
		if ok {
			t.Errorf("%q: got ok true, want false", stored)
		}
		if err == nil {
			t.Errorf("%q: got no error, want one", stored)
		}
	}
}

func TestHashEndsWithItsContext(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(cheap())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, password, "key"); !errors.Is(err, apperr.Unavailable) {
		t.Errorf("got %v, want %v", err, apperr.Unavailable)
	}
}

// TestHashBoundsTheQueue: each hash takes memory and a core, so most callers have to wait, and
// those for whom the queue is too long get an error at once.
func TestHashBoundsTheQueue(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(accounts.Params{Memory: 1 << 10, Time: 1, Threads: 1})
	const many = 500
	start := make(chan struct{})
	results := make(chan error, many)
	for range many {
		go func() {
			<-start
			_, err := h.Hash(t.Context(), password, "key")
			results <- err
		}()
	}
	close(start)
	done := 0
	for range many {
		switch err := <-results; {
		case err == nil:
			done++
		case !errors.Is(err, apperr.Unavailable):
			t.Errorf("got %v, want a hash or %v", err, apperr.Unavailable)
		}
	}
	if done < accounts.HashesAtOnce {
		t.Errorf("%d of %d were hashed, want at least %d", done, many, accounts.HashesAtOnce)
	}
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		password string
		ok       bool
	}{
		{"", false},
		{"ninechars", false},
		{"ten chars!", true},
		{"ééééééééé", false},
		{"éééééééééé", true},
		{"🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", true},
		{strings.Repeat("x", accounts.MaxPassword), true},
		{strings.Repeat("x", accounts.MaxPassword+1), false},
		{strings.Repeat("\ufdfa", 300), false}, // 900 bytes, which NFKC makes longer
		{"ADA@example.org", false},
		{"not \xff UTF-8 at all", false},
	} {
		if msg := accounts.CheckPassword(c.password, email); (msg == "") != c.ok {
			t.Errorf("%.40q: got the message %q, want none: %t", c.password, msg, c.ok)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	a, b := accounts.NewToken(), accounts.NewToken()
	if a == b {
		t.Errorf("got the token %q twice, want two", a)
	}
	if len(a) != 43 {
		t.Errorf("got the token %q of %d characters, want 43", a, len(a))
	}
	// SHA-256 of "abc": FIPS 180-4, appendix.
	if got := accounts.HashToken("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %s, want %q", got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	}
}
