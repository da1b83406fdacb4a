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
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("got %q %v, want no error and beginning with %q", stored, err, "$argon2id$v=19$m=64,t=1,p=1$")
	}
	if again, _ := h.Hash(t.Context(), password, "key"); again != stored {
		t.Error("the same password and key give another hash")
	}
	if other, _ := h.Hash(t.Context(), password, "other key"); other == stored {
		t.Error("another key gives the same salt")
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
		if ok, stale, err := h.Verify(t.Context(), c.stored, c.password); ok != c.want || stale || err != nil {
			t.Errorf("Verify(%q, %q) = %v %v %v, want %v, false and no error", c.stored, c.password, ok, stale, err, c.want)
		}
	}
	dearer := accounts.NewHasher(accounts.Params{Memory: 128, Time: 1, Threads: 1})
	if ok, stale, err := dearer.Verify(t.Context(), stored, password); !ok || !stale || err != nil {
		t.Errorf("a hash of another cost: %v %v %v, want true, true and no error", ok, stale, err)
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
	if ok, _, err := h.Verify(t.Context(), stored, "cafe\u0301 au lait"); !ok || err != nil {
		t.Errorf("got %v %v, want true and no error", ok, err)
	}
}

func TestDefaultParamsWork(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(accounts.DefaultParams())
	stored, err := h.Hash(t.Context(), password, "key")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=65536,t=2,p=1$") {
		t.Fatalf("got %q %v, want no error and beginning with %q", stored, err, "$argon2id$v=19$m=65536,t=2,p=1$")
	}
	if ok, _, err := h.Verify(t.Context(), stored, password); !ok || err != nil {
		t.Errorf("got %v %v, want true and no error", ok, err)
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
		if ok, _, err := h.Verify(t.Context(), stored, password); ok || err == nil {
			t.Errorf("%q: got %v %v, want false and an error", stored, ok, err)
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
			t.Errorf("got %v", err)
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
			t.Errorf("%.40q: %q", c.password, msg)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	a, b := accounts.NewToken(), accounts.NewToken()
	if a == b || len(a) != 43 {
		t.Errorf("got %q and %q, want not %q and 43 of them", a, b, b)
	}
	// SHA-256 of "abc": FIPS 180-4, appendix.
	if got := accounts.HashToken("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %s, want %q", got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	}
}
