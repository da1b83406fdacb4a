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

	"golang.org/x/crypto/argon2"

	"blog/internal/repo"
)

// Params are what an argon2id hash costs.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultParams are above the least that OWASP's Password Storage Cheat Sheet
// asks for (19 MiB, 2 passes): about 0.1 s on the small machines this runs on.
func DefaultParams() Params { return Params{Memory: 64 << 10, Time: 2, Threads: 1} }

// Bounds of a stored hash, so that a broken row cannot stop a node.
const (
	maxMemory  = 256 << 10 // KiB
	maxTime    = 10
	maxThreads = 4
	minSecret  = 16 // bytes of salt and of key
	maxSecret  = 64
	saltBytes  = 16
	keyBytes   = 32
)

// Hasher hashes passwords with argon2id. It bounds how many are hashed at once,
// since each takes Params.Memory and a core.
type Hasher struct {
	params  Params
	slots   chan struct{}
	waiting atomic.Int64
}

// HashesAtOnce is how many passwords a node hashes at the same time.
const HashesAtOnce = 2

// maxWaiting bounds the queue for a slot: past it, waiting would outlast any
// browser's patience.
const maxWaiting = 64

// NewHasher returns a hasher that makes hashes of cost p, HashesAtOnce at a time.
func NewHasher(p Params) *Hasher { return &Hasher{params: p, slots: make(chan struct{}, HashesAtOnce)} }

// Hash returns the PHC string for a password that CheckPassword accepts
// (https://github.com/P-H-C/phc-string-format). The salt is derived from the
// write's idempotency key, which must be unique: the same password sent again
// with the same key gives the same command, and so is carried out once.
func (h *Hasher) Hash(ctx context.Context, password, key string) (string, error) {
	seed := sha256.Sum256([]byte("blog, salt of a password, version 1\x00" + key))
	d := digest{Params: h.params, salt: seed[:saltBytes]}
	var err error
	d.key, err = h.derive(ctx, password, d, keyBytes)
	return d.String(), err
}

// Verify reports whether password is the one that stored was made from, and
// whether stored has another cost than this hasher's, so that it should be made
// anew. With an empty stored it takes as long as with one, and says no: that is
// the answer to an unknown user.
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

func (h *Hasher) derive(ctx context.Context, password string, d digest, size int) ([]byte, error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return nil, busy()
	}
	defer h.waiting.Add(-1)
	if ctx.Err() != nil { // else select could take a free slot all the same
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
	return &repo.Error{Code: repo.Unavailable, Reason: "busy", RetryAfter: 2, Message: "Too many people are signing in just now. Try again in a moment."}
}

// digest is a parsed PHC string.
type digest struct {
	Params
	salt, key []byte
}

func (d digest) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.Memory, d.Time, d.Threads, enc.EncodeToString(d.salt), enc.EncodeToString(d.key))
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
	// Writing it again refuses everything that was not written here, such as
	// another version or a number with zeros before it.
	if err != nil || err2 != nil || d.String() != s || !d.sane() {
		return d, errDigest
	}
	return d, nil
}

func (d digest) sane() bool {
	within := func(n int) bool { return n >= minSecret && n <= maxSecret }
	return d.Memory >= 8*uint32(d.Threads) && d.Memory <= maxMemory && d.Time >= 1 && d.Time <= maxTime &&
		d.Threads >= 1 && d.Threads <= maxThreads && within(len(d.salt)) && within(len(d.key))
}

// checkDigest keeps a plain password from being stored by mistake.
func checkDigest(s string) string {
	if _, err := parseDigest(s); err != nil {
		return "must be an argon2id hash"
	}
	return ""
}
