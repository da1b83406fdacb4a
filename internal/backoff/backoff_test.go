package backoff_test

import (
	"testing"
	"time"

	"blog/internal/backoff"
)

// steps gives the numbers 0, 1/n, 2/n, ... again and again.
func steps(n int) func() float64 {
	i := -1
	return func() float64 {
		i++
		return float64(i%n) / float64(n)
	}
}

func TestNextGrowsToTheLast(t *testing.T) {
	for _, c := range []struct {
		random float64
		want   []time.Duration
	}{
		{0, []time.Duration{50, 100, 200, 400, 500, 500}},
		{0.5, []time.Duration{75, 150, 300, 600, 750, 750}},
		{0.999999999, []time.Duration{99, 199, 399, 799, 999, 999}},
	} {
		b := backoff.NewRandom(100*time.Millisecond, time.Second, func() float64 { return c.random })
		for range 2 {
			for i, want := range c.want {
				if got := b.Next().Truncate(time.Millisecond); got != want*time.Millisecond {
					t.Errorf("random %v, wait %d: %v, want %v", c.random, i, got, want*time.Millisecond)
				}
			}
			b.Reset()
		}
	}
}

// TestWaitsAreEvenlyDistributed: over the upper half of a backoff's wait, and over the
// whole of Spread's, as many in each tenth.
func TestWaitsAreEvenlyDistributed(t *testing.T) {
	const tries, whole = 1000, time.Second
	random := steps(tries)
	for name, c := range map[string]struct {
		low, high time.Duration
		wait      func() time.Duration
	}{
		"Next":   {whole / 2, whole, func() time.Duration { return backoff.NewRandom(whole, whole, random).Next() }},
		"Spread": {0, whole, func() time.Duration { return backoff.Spread(whole, random) }},
	} {
		var tenths [10]int
		for range tries {
			at := c.wait()
			if at < c.low || at >= c.high {
				t.Fatalf("%s: %v is not between %v and %v", name, at, c.low, c.high)
			}
			tenths[10*(at-c.low)/(c.high-c.low)]++
		}
		for i, n := range tenths {
			if n < tries/10-1 || n > tries/10+1 {
				t.Errorf("%s: %d of %d waits are in tenth %d, want at least %d and at most %d", name, n, tries, i, tries/10-1,
					tries/10+1)
			}
		}
	}
}

func TestWholeDoublesToTheLast(t *testing.T) {
	for failures, want := range map[int]time.Duration{-1: 0, 0: 0, 1: 3, 2: 6, 3: 12, 4: 20, 5: 20, 1 << 40: 20} {
		if got := backoff.Whole(failures, 3, 20); got != want {
			t.Errorf("after %d failures: got %v, want %v", failures, got, want)
		}
	}
	if got := backoff.Whole(2, 3, 2); got != 2 {
		t.Errorf("a first wait over the last: got %v, want the last", got)
	}
}

func TestChanceIsTheDefault(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[backoff.New(time.Second, time.Second).Next()] = true
		seen[backoff.Spread(time.Hour, nil)] = true
	}
	if len(seen) < 190 {
		t.Errorf("only %d of 200 waits differ", len(seen))
	}
}
