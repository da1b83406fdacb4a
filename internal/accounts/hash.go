package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"blog/internal/apperr"
)

// Params is the cost of an argon2id hash.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultParams returns the cost of new hashes, which is above the minimum of OWASP's Password
// Storage Cheat Sheet (19 MiB, 2 passes). A hash takes about 0.1 s on the small machines that this
// runs on.
func DefaultParams() Params { return Params{Memory: 64 << 10, Time: 2, Threads: 1} }

// Bounds of a stored hash. They prevent that a damaged row stops a node.
const (
	maxMemory  = 256 << 10 // KiB
	maxTime    = 10
	maxThreads = 4
	minSecret  = 16 // bytes of salt and of key
	maxSecret  = 64
	saltBytes  = 16
	keyBytes   = 32
)

// Hasher hashes passwords with argon2id. It bounds how many it hashes at once, because each takes
// Params.Memory and a core.
type Hasher struct {
	params  Params
	slots   chan struct{}
	waiting atomic.Int64
}

// HashesAtOnce is how many passwords a node hashes at the same time.
const HashesAtOnce = 2

// maxWaiting bounds the queue for a slot. In a longer queue no browser would wait to the end.
const maxWaiting = 64

// NewHasher returns a hasher that makes hashes of cost p, HashesAtOnce at a time.
func NewHasher(p Params) *Hasher { return &Hasher{params: p, slots: make(chan struct{}, HashesAtOnce)} }

// Hash returns the PHC string of a password that CheckPassword accepts
// (https://github.com/P-H-C/phc-string-format). It derives the salt from the write's idempotency
// key, which must be unique: the same password sent again with the same key gives the same command,
// which then runs once. It fails with Unavailable and reason Overloaded when the queue is full or
// ctx ends.
func (h *Hasher) Hash(ctx context.Context, password, key string) (string, error) {
	seed := sha256.Sum256([]byte("blog, salt of a password, version 1\x00" + key))
	d := digest{Params: h.params, salt: seed[:saltBytes]}
	var err error
	d.key, err = h.derive(ctx, password, d, keyBytes)
	return d.String(), err
}

// Verify reports whether stored was made from password, and whether stored is stale: its cost is not
// this hasher's, so it has to be made again. With an empty stored, for an unknown user, it takes as
// long and returns false. It fails as Hash does, and when stored is not a hash that this program makes.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	d := digest{Params: h.params, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	if stored != "" {
		if d, err = parseDigest(stored); err != nil {
			return false, false, fmt.Errorf("stored password: %w", err)
		}
	}
	got, err := h.derive(ctx, password, d, len(d.key))
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(got, d.key) == 1
	return same && stored != "" && len(password) <= MaxPassword, d.Params != h.params, nil
}

// derive waits for a slot and computes size bytes of the hash with the parameters of d.
func (h *Hasher) derive(ctx context.Context, password string, d digest, size int) ([]byte, error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return nil, busy()
	}
	defer h.waiting.Add(-1)
	if ctx.Err() != nil { // otherwise select could choose a free slot
		return nil, busy()
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, busy()
	}
	plain := normalPassword(password[:min(len(password), MaxPassword)])
	return argon2.IDKey([]byte(plain), d.salt, d.Time, d.Memory, d.Threads, uint32(size)), nil //nolint:gosec // 16 to 64
}

func busy() error {
	return apperr.NewUnavailable(apperr.Overloaded, "Too many people are signing in just now. Try again in a moment.",
		2*time.Second, nil)
}

// digest is a parsed PHC string.
type digest struct {
	Params
	salt, key []byte
}

func (d digest) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.Memory, d.Time, d.Threads,
		enc.EncodeToString(d.salt), enc.EncodeToString(d.key))
}

var errDigest = errors.New("not an argon2id hash that this program makes")

func parseDigest(s string) (digest, error) {
	var d digest
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return d, errDigest
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &d.Memory, &d.Time, &d.Threads); err != nil {
		return d, errDigest
	}
	var err, err2 error
	d.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	d.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	// Comparing with the string that d gives refuses everything that this program does not write,
	// such as another version or a number with leading zeros.
	if err != nil || err2 != nil || d.String() != s || !d.sane() {
		return d, errDigest
	}
	return d, nil
}

// sane reports whether d is within the bounds of a stored hash.
func (d digest) sane() bool {
	within := func(n int) bool { return n >= minSecret && n <= maxSecret }
	return d.Memory >= 8*uint32(d.Threads) && d.Memory <= maxMemory && d.Time >= 1 && d.Time <= maxTime &&
		d.Threads >= 1 && d.Threads <= maxThreads && within(len(d.salt)) && within(len(d.key))
}

// checkDigest returns what is wrong with a hash, or "". The check prevents that a plain password is
// stored by mistake.
func checkDigest(s string) string {
	if _, err := parseDigest(s); err != nil {
		return "must be an argon2id hash"
	}
	return ""
}
