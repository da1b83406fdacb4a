package ui_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/test/browser"
	"blog/web/ui"
)

// mustRefetch opens a page without topics, in which a Refetch can be made whose timers the test
// ends: refetcher(random) returns it with its timers and fetches.
func mustRefetch(t *testing.T) *browser.Tab {
	t.Helper()
	s := mustSite(t)
	s.set("/tags", ui.Tags(ui.TagsView{Page: fakePage("Tags", s.assets.Base())}))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/tags")
	browser.MustEval[bool](t, tb, `import("`+s.assets.Base()+`refetch.js").then(({ Refetch }) => {
		window.timers = [];
		window.setTimeout = (act, delay) => timers.push({ act, delay });
		window.clearTimeout = (id) => id && (timers[id - 1].act = null);
		window.waiting = () => timers.filter((timer) => timer.act);
		window.fire = async () => { for (const timer of waiting()) { const act = timer.act; timer.act = null; act(); } };
		window.refetcher = (random) => {
			const fetches = [];
			const r = new Refetch(() => new Promise((end) => fetches.push(end)), random);
			return { r, fetches, end: async (i, ok) => { fetches[i](ok); await null; await null; await null; } };
		};
		return true;
	})`)
	return tb
}

// TestRefetchesAreSpread: fetches are spread evenly over the whole time.
func TestRefetchesAreSpread(t *testing.T) {
	tb := mustRefetch(t)
	got := browser.MustEval[[]int](t, tb, `(() => {
		const tenths = Array(10).fill(0);
		for (let i = 0; i < 1000; i++) {
			refetcher(() => (i + 0.5) / 1000).r.soon();
			tenths[Math.floor(timers.at(-1).delay / 200)]++;
		}
		return tenths;
	})()`)
	want := slices.Repeat([]int{100}, 10)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetches in each tenth of 2 s (-want +got):\n%s", diff)
	}
}

// TestOneRefetchAtATime: changes during a fetch lead to exactly one more, at a random time.
func TestOneRefetchAtATime(t *testing.T) {
	tb := mustRefetch(t)
	got := browser.MustEval[[][]int](t, tb, `(async () => {
		const out = [];
		const { r, fetches, end } = refetcher(() => 0.25);
		const note = () => out.push([fetches.length, ...waiting().map((timer) => timer.delay)]);
		r.soon(); r.soon(); r.now(); note();
		await fire(); note();
		r.soon(); r.now(); r.soon(); note();
		await end(0, true); note();
		r.soon(); note();
		await fire(); await end(1, true); note();
		r.now(); note(); // the last one has just begun
		return out;
	})()`)
	want := [][]int{{0, 500}, {1}, {1}, {1, 500}, {1, 500}, {2}, {2, 500}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetches begun and the delays of those to come (-want +got):\n%s", diff)
	}
}

// TestRefetchesThatFail: a failed fetch is tried again, later each time, until one succeeds.
func TestRefetchesThatFail(t *testing.T) {
	tb := mustRefetch(t)
	got := browser.MustEval[[][]int](t, tb, `(async () => {
		const out = [];
		const { r, fetches, end } = refetcher(() => 0.5);
		const note = () => out.push([fetches.length, ...waiting().map((timer) => Math.floor(timer.delay))]);
		r.now(); note();
		r.soon();
		await end(0, false); note();
		await fire(); await end(1, false); note();
		await fire(); await end(2, true); note();
		return out;
	})()`)
	want := [][]int{{1}, {1, 187}, {2, 375}, {3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetches begun and the delays of those to come (-want +got):\n%s", diff)
	}
}

// TestAHiddenPageFetchesLater: a hidden page fetches later, or when it is shown.
func TestAHiddenPageFetchesLater(t *testing.T) {
	tb := mustRefetch(t)
	got := browser.MustEval[[][]int](t, tb, `(async () => {
		const out = [];
		const { r, fetches } = refetcher(() => 0.5);
		const note = () => out.push([fetches.length, ...waiting().map((timer) => timer.delay)]);
		const hidden = (value) => Object.defineProperty(document, "hidden", { value, configurable: true });
		hidden(true); r.soon(); note();
		document.dispatchEvent(new Event("visibilitychange")); note();
		hidden(false); document.dispatchEvent(new Event("visibilitychange")); note();
		return out;
	})()`)
	want := [][]int{{0, 15000}, {0, 15000}, {1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetches begun and the delays of those to come (-want +got):\n%s", diff)
	}
}

// TestAResyncIsFetchedAtARandomTime: this holds for a page with its socket.
func TestAResyncIsFetchedAtARandomTime(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", "<p>One.</p>"))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	p := s.mustPeer(t)
	before := s.fetched("/posts/a")
	browser.MustEval[bool](t, tb, `(() => {
		const real = window.setTimeout;
		window.delays = [];
		window.setTimeout = (act, delay) => (delays.push(delay), real(act, delay));
		return true;
	})()`)
	s.set("/posts/a", s.postPage("a", "c70", "<p>One, again.</p>"))
	for range 3 {
		p.send(frame{Type: "resync"})
	}
	tb.MustPoll(t, `document.querySelector(".prose").textContent.trim() === "One, again."`)
	if !browser.MustEval[bool](t, tb, `delays.filter((delay) => delay < 2000).length === 1`) {
		t.Errorf("delays %v, want one within 2 s, besides those of the socket", browser.MustEval[[]float64](t, tb, "delays"))
	}
	if n := s.fetched("/posts/a") - before; n != 1 {
		t.Errorf("three resyncs in a moment: got %d requests, want 1", n)
	}
}
