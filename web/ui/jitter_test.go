package ui_test

import (
	"testing"

	"blog/test/browser"
)

// TestReadersComeBackAtRandomTimes: waits are spread evenly over the upper half of a backoff's
// wait, and over the whole time for readers whom a server has sent away.
func TestReadersComeBackAtRandomTimes(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", longBody("")))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	type waits struct {
		Backoff, Spread []int   // waits in each tenth
		Growing         []int   // the longest ones, rounded
		Least           float64 // of a backoff of 1000 ms
		Most            float64
	}
	got := browser.MustEval[waits](t, tb, `(async () => {
		const { backoff, spread } = await import("`+s.assets.Base()+`jitter.js");
		const out = { Backoff: Array(10).fill(0), Spread: Array(10).fill(0), Growing: [], Least: Infinity, Most: 0 };
		for (let i = 0; i < 1000; i++) {
			const random = () => (i + 0.5) / 1000;
			const wait = backoff(250, 1000, 5, random);
			out.Least = Math.min(out.Least, wait);
			out.Most = Math.max(out.Most, wait);
			out.Backoff[Math.floor((wait - 500) / 50)]++;
			out.Spread[Math.floor(spread(1000, random) / 100)]++;
		}
		for (let attempt = 0; attempt < 9; attempt++)
			out.Growing.push(Math.round(backoff(100, 10000, attempt, () => 0.999999)));
		return out;
	})()`)
	if got.Least < 500 {
		t.Errorf("a backoff of 1000 ms: got a wait of %v ms, want at least 500", got.Least)
	}
	if got.Most > 1000 {
		t.Errorf("a backoff of 1000 ms: got a wait of %v ms, want at most 1000", got.Most)
	}
	for i := range 10 {
		for name, n := range map[string]int{"backoff": got.Backoff[i], "spread": got.Spread[i]} {
			if off := max(n-100, 100-n); off > 1 {
				t.Errorf("%s: got %d of 1000 in tenth %d, want 99 to 101", name, n, i)
			}
		}
	}
	for i, want := range []int{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
		if got.Growing[i] != want {
			t.Errorf("attempt %d waits for %d ms, want %d", i, got.Growing[i], want)
		}
	}
}
