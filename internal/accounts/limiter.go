package accounts

import (
	"container/list"
	"hash/maphash"
	"math"
	"net/netip"
	"strconv"
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
	maxNetworks  = 10_000          // kept; the longest unused one goes first
	maxAccounts  = 1 << 16         // buckets, none of which ever goes
)

// Limiter bounds how often a password can be guessed: per account and per client
// address, in the memory of this node. It is asked before anything is looked up,
// so that what it says is the same for accounts that do not exist.
type Limiter struct {
	now func() time.Time

	seed maphash.Seed

	mu sync.Mutex
	// A table that forgot an account to make room for others would give whoever
	// fills it new guesses at that account. So two accounts may share a bucket,
	// and which ones do nobody can tell.
	accounts []bucket
	networks networks
}

// NewLimiter returns a limiter with everything allowed.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{
		now: now, seed: maphash.MakeSeed(), accounts: make([]bucket, maxAccounts),
		networks: networks{byKey: map[netip.Prefix]*list.Element{}, order: list.New()},
	}
}

// Try takes one attempt, or returns an Unavailable error with the reason Limited
// and a RetryAfter. The attempt is taken before its outcome is known, so that
// guesses made at the same time count too.
func (l *Limiter) Try(email string, addr netip.Addr) error { return l.try(byEmail(email), addr) }

func (l *Limiter) try(a account, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	net := l.networks.at(network(addr), now)
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
func (l *Limiter) Succeeded(email string, addr netip.Addr) { l.succeeded(byEmail(email), addr) }

func (l *Limiter) succeeded(a account, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.bucket(a, now).tokens = accountBurst
	l.giveBack(addr, now)
}

// GiveBack takes back a Try of which nothing was learnt, because the node could
// not answer.
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
	b := l.networks.at(network(addr), now)
	b.tokens = min(networkBurst, b.tokens+1)
}

// account is what is guessed at.
type account string

// byEmail is the account that a login names, whether there is such a one or not.
func byEmail(email string) account { return account("email:" + NormalEmail(email)) }

// own is the account of who is signed in already. Strangers cannot use up its
// attempts, nor can whoever has got hold of a session get more by renewing it.
func own(userID int64) account { return account("user:" + strconv.FormatInt(userID, 10)) }

// bucket returns the bucket of an account, filled up to now.
func (l *Limiter) bucket(a account, now time.Time) *bucket {
	b := &l.accounts[maphash.String(l.seed, string(a))%maxAccounts]
	b.fill(now, accountBurst, accountEvery)
	return b
}

func limited(wait time.Duration) error {
	return &repo.Error{
		Code: repo.Unavailable, Reason: Limited, RetryAfter: int(math.Ceil(wait.Seconds())),
		Message: "Too many attempts to sign in. Wait a minute and try again.",
	}
}

// bucket holds the attempts that are left. The zero one is full.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time, burst float64, every time.Duration) {
	if b.at.IsZero() {
		b.tokens, b.at = burst, now
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(burst, b.tokens+float64(passed)/float64(every))
		b.at = now
	}
}

// wait is how long until there is a whole attempt, 0 when there is one.
func (b *bucket) wait(every time.Duration) time.Duration {
	if b.tokens >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-b.tokens)*float64(every)))
}

// networks is a bounded table of buckets.
type networks struct {
	byKey map[netip.Prefix]*list.Element
	order *list.List // of *named, the last used in front
}

type named struct {
	bucket
	key netip.Prefix
}

// at returns the bucket of key, filled up to now.
func (t *networks) at(key netip.Prefix, now time.Time) *bucket {
	e, ok := t.byKey[key]
	if ok {
		t.order.MoveToFront(e)
	} else {
		if t.order.Len() >= maxNetworks {
			oldest, _ := t.order.Remove(t.order.Back()).(*named)
			delete(t.byKey, oldest.key)
		}
		e = t.order.PushFront(&named{key: key})
		t.byKey[key] = e
	}
	b, _ := e.Value.(*named)
	b.fill(now, networkBurst, networkEvery)
	return &b.bucket
}
