// Package backoff owns how long to wait before the same thing is tried again. After a
// failover many wait for the same primary, and each of them waits for a random time, so
// that they do not come all at once, again and again. It refuses to wait by itself, and
// knows nothing of what is tried.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff gives the waits between attempts that fail one after the other. It is for one
// goroutine.
type Backoff struct {
	first, last time.Duration
	failures    int
	random      func() float64
}

// New returns a Backoff whose waits are around first, then twice as long each time, and
// never longer than last.
func New(first, last time.Duration) *Backoff { return NewRandom(first, last, rand.Float64) }

// NewRandom is New with a source of random numbers in [0, 1).
func NewRandom(first, last time.Duration, random func() float64) *Backoff {
	return &Backoff{first: first, last: last, random: random}
}

// Next returns the next wait: at least half of what it would be without chance, and at
// most all of it ("equal jitter"; Marc Brooker, Exponential Backoff And Jitter, AWS
// Architecture Blog, 2015). The half that is certain spares who is tried again.
func (b *Backoff) Next() time.Duration {
	b.failures++
	whole := Whole(b.failures, b.first, b.last)
	return whole/2 + Spread(whole/2, b.random)
}

// Reset makes the next wait one around first.
func (b *Backoff) Reset() { b.failures = 0 }

// Whole returns the wait after so many failures in a row, without chance: 0 after none, then first, then twice as long
// each time, and never longer than last. It is for who counts the failures itself.
func Whole(failures int, first, last time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	wait := first
	for ; failures > 1 && wait < last; failures-- {
		wait *= 2
	}
	return min(wait, last)
}

// Spread returns a wait between zero and most ("full jitter"): for many who were woken by
// the same event and go to the same place. random gives numbers in [0, 1); nil stands for
// chance.
func Spread(most time.Duration, random func() float64) time.Duration {
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(random() * float64(most))
}
