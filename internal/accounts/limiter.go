package accounts

import (
	"hash/maphash"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"blog/internal/apperr"
)

// Limits of attempts to sign in, on one node.
const (
	accountBurst = 10              // attempts at once for one e-mail address, known or not
	accountEvery = time.Minute     // then one more per
	networkBurst = 20              // attempts at once from one IPv4 address or IPv6 /64
	networkEvery = 6 * time.Second // then one more per
	maxNetworks  = 10_000          // remembered; the one unused for longest is forgotten first
	maxAccounts  = 1 << 16         // buckets; none is ever forgotten
)

// Limiter bounds how often passwords can be guessed, per account and per network of clients, in the
// memory of this node. Callers ask it before they look anything up, so that its answers are the
// same for accounts that do not exist.
type Limiter struct {
	now func() time.Time

	seed maphash.Seed

	mu sync.Mutex
	// A hash selects the bucket of an account, so two accounts may share one, and nobody can find
	// out which ones do. A table that forgot an account to make room for others would give new
	// guesses at it to a client that fills the table.
	accounts []bucket
	networks *simplelru.LRU[netip.Prefix, *bucket]
}

// NewLimiter returns a limiter at which no attempt was made yet. now returns the present time.
func NewLimiter(now func() time.Time) *Limiter {
	networks, err := simplelru.NewLRU[netip.Prefix, *bucket](maxNetworks, nil)
	if err != nil {
		panic(err) // only for a size of 0 or less
	}
	return &Limiter{now: now, seed: maphash.MakeSeed(), accounts: make([]bucket, maxAccounts), networks: networks}
}

// Try counts one attempt. It fails with Unavailable, the reason Limited and a RetryAfter when there
// are too many, and then counts nothing. The attempt counts before its outcome is known, so that
// guesses made at the same time count as well.
func (l *Limiter) Try(email string, addr netip.Addr) error { return l.try(byEmail(email), addr) }

func (l *Limiter) try(a account, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	net := l.network(addr, now)
	if wait := net.wait(networkEvery); wait > 0 {
		return limited(wait)
	}
	b := l.bucket(a, now)
	if wait := b.wait(accountEvery); wait > 0 {
		return limited(wait)
	}
	b.tokens--
	net.tokens--
	return nil
}

// TryAddr is Try for an attempt at no account.
func (l *Limiter) TryAddr(addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	net := l.network(addr, l.now())
	if wait := net.wait(networkEvery); wait > 0 {
		return limited(wait)
	}
	net.tokens--
	return nil
}

// succeeded deletes the failed attempts at the account, and the one attempt of the network that has
// succeeded.
func (l *Limiter) succeeded(a account, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.bucket(a, now).tokens = accountBurst
	l.giveBack(addr, now)
}

// written counts an attempt whose password fits this node's copy. err is the outcome of the write that names the
// password's revision. Only a write that is done deletes the failed attempts: on a copy that is behind, whoever knows
// the password of before could otherwise delete theirs again and again, and guess at the new one without a limit.
// Where nothing could be written the attempt is undone, since a password that fits is no guess. A refusal leaves it
// counted.
func (l *Limiter) written(a account, addr netip.Addr, err error) {
	if err == nil {
		l.succeeded(a, addr)
		return
	}
	switch apperr.From(err).Code {
	case apperr.Unavailable, apperr.Internal:
		l.undo(a, addr)
	}
}

// GiveBack undoes a Try that the node could not answer, since the caller has learnt nothing by it.
func (l *Limiter) GiveBack(email string, addr netip.Addr) { l.undo(byEmail(email), addr) }

func (l *Limiter) undo(a account, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucket(a, now)
	b.tokens = min(accountBurst, b.tokens+1)
	l.giveBack(addr, now)
}

func (l *Limiter) giveBack(addr netip.Addr, now time.Time) {
	b := l.network(addr, now)
	b.tokens = min(networkBurst, b.tokens+1)
}

// account is the name of what an attempt guesses at.
type account string

// byEmail returns the account that a login names, whether it exists or not.
func byEmail(email string) account { return account("email:" + NormalEmail(email)) }

// byUser returns the account of a user who is signed in and enters the current password. It differs
// from that of logins: strangers cannot use up its attempts, and a thief of the session gets no
// more by renewing it.
func byUser(id int64) account { return account("signed in:" + strconv.FormatInt(id, 10)) }

// bucket returns the bucket of an account, refilled for the time now.
func (l *Limiter) bucket(a account, now time.Time) *bucket {
	b := &l.accounts[maphash.String(l.seed, string(a))%maxAccounts]
	b.fill(now, accountBurst, accountEvery)
	return b
}

// limited returns the error for an attempt that is allowed after wait.
func limited(wait time.Duration) error {
	return apperr.NewUnavailable(Limited, "Too many attempts to sign in. Wait a minute and try again.", wait, nil)
}

// network returns the bucket of the network that addr is in, refilled for the time now.
func (l *Limiter) network(addr netip.Addr, now time.Time) *bucket {
	key := network(addr)
	b, ok := l.networks.Get(key)
	if !ok {
		b = &bucket{}
		l.networks.Add(key, b)
	}
	b.fill(now, networkBurst, networkEvery)
	return b
}

// bucket counts the attempts that are left; the zero bucket is full. A Limiter of
// golang.org/x/time/rate does not fit: it gives nothing back once the time of an event has come,
// and takes two and a half times the memory.
type bucket struct {
	tokens float64
	at     time.Time
}

// fill adds the attempts for the time since the last fill, one per every, up to burst.
func (b *bucket) fill(now time.Time, burst float64, every time.Duration) {
	if b.at.IsZero() {
		b.tokens, b.at = burst, now
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(burst, b.tokens+float64(passed)/float64(every))
		b.at = now
	}
}

// wait returns how long it takes until an attempt is allowed, 0 when one is allowed now.
func (b *bucket) wait(every time.Duration) time.Duration {
	if b.tokens >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-b.tokens)*float64(every)))
}
