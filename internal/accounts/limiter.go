package accounts

import (
	"container/list"
	"crypto/sha256"
	"math"
	"net/netip"
	"sync"
	"time"

	"blog/internal/repo"
)

// Limits of the attempts to sign in, on one node.
const (
	accountBurst = 10              // attempts at once for one address of e-mail, known or not
	accountEvery = time.Minute     // and one more each
	networkBurst = 20              // attempts at once from one IPv4 address or IPv6 /64
	networkEvery = 6 * time.Second // and one more each
	maxBuckets   = 10_000          // kept of each kind; the longest unused one goes first
)

// Limiter bounds how often a password can be guessed: per account and per client
// address, in the memory of this node. It is asked before anything is looked up,
// so that what it says is the same for accounts that do not exist.
type Limiter struct {
	now func() time.Time

	mu       sync.Mutex
	accounts buckets[[sha256.Size]byte]
	networks buckets[netip.Prefix]
}

// NewLimiter returns a limiter with everything allowed.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{
		now:      now,
		accounts: newBuckets[[sha256.Size]byte](accountBurst, accountEvery),
		networks: newBuckets[netip.Prefix](networkBurst, networkEvery),
	}
}

// Try takes one attempt, or returns an Unavailable error with the reason Limited
// and a RetryAfter. The attempt is taken before its outcome is known, so that
// guesses made at the same time count too.
func (l *Limiter) Try(email string, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	account, net := l.accounts.at(accountKey(email), now), l.networks.at(network(addr), now)
	if wait := max(account.wait(accountEvery), net.wait(networkEvery)); wait > 0 {
		return limited(wait)
	}
	account.tokens--
	net.tokens--
	return nil
}

// TryAddr is Try where there is no account.
func (l *Limiter) TryAddr(addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	net := l.networks.at(network(addr), l.now())
	if wait := net.wait(networkEvery); wait > 0 {
		return limited(wait)
	}
	net.tokens--
	return nil
}

// Succeeded forgets the failed attempts of the account, and gives the address
// back the one attempt that was none.
func (l *Limiter) Succeeded(email string, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.accounts.at(accountKey(email), now).tokens = accountBurst
	l.giveBack(addr, now)
}

// GiveBack takes back a Try of which nothing was learnt, because the node could
// not answer.
func (l *Limiter) GiveBack(email string, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.accounts.at(accountKey(email), now)
	b.tokens = min(accountBurst, b.tokens+1)
	l.giveBack(addr, now)
}

func (l *Limiter) giveBack(addr netip.Addr, now time.Time) {
	b := l.networks.at(network(addr), now)
	b.tokens = min(networkBurst, b.tokens+1)
}

func accountKey(email string) [sha256.Size]byte { return sha256.Sum256([]byte(NormalEmail(email))) }

func limited(wait time.Duration) error {
	return &repo.Error{
		Code: repo.Unavailable, Reason: Limited, RetryAfter: int(math.Ceil(wait.Seconds())),
		Message: "Too many attempts to sign in. Wait a minute and try again.",
	}
}

// bucket holds the attempts left to one key.
type bucket[K comparable] struct {
	key    K
	tokens float64
	at     time.Time
}

// wait is how long until there is a whole attempt, 0 when there is one.
func (b *bucket[K]) wait(every time.Duration) time.Duration {
	if b.tokens >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-b.tokens)*float64(every)))
}

// buckets is a bounded table of token buckets.
type buckets[K comparable] struct {
	burst float64
	every time.Duration
	byKey map[K]*list.Element
	order *list.List // of *bucket[K], the last used in front
}

func newBuckets[K comparable](burst float64, every time.Duration) buckets[K] {
	return buckets[K]{burst: burst, every: every, byKey: map[K]*list.Element{}, order: list.New()}
}

// at returns the bucket of key, filled up to now.
func (t *buckets[K]) at(key K, now time.Time) *bucket[K] {
	if e, ok := t.byKey[key]; ok {
		t.order.MoveToFront(e)
		b, _ := e.Value.(*bucket[K])
		if passed := now.Sub(b.at); passed > 0 {
			b.tokens = min(t.burst, b.tokens+float64(passed)/float64(t.every))
			b.at = now
		}
		return b
	}
	if t.order.Len() >= maxBuckets {
		oldest, _ := t.order.Remove(t.order.Back()).(*bucket[K])
		delete(t.byKey, oldest.key)
	}
	b := &bucket[K]{key: key, tokens: t.burst, at: now}
	t.byKey[key] = t.order.PushFront(b)
	return b
}
