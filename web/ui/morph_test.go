package ui_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/test/browser"
	"blog/web/ui"
)

// longBody returns an article of which the reader uses many parts.
func longBody(second string) string {
	var b strings.Builder
	for i := 1; i <= 20; i++ {
		text := strings.Repeat(fmt.Sprintf("Paragraph %d goes on and on, as they do. ", i), 14)
		switch i {
		case 2:
			text += second
		case 7:
			text = `Before <a href="/posts/x">a link in hand</a>. ` + text
		}
		fmt.Fprintf(&b, "<p>%s</p>\n", text)
		if i == 6 {
			b.WriteString(`<details><summary>More</summary><p>Folded.</p></details>` + "\n")
			b.WriteString(`<figure class="code" data-language="Go"><pre class="chroma" tabindex="0" role="group" ` +
				`aria-label="Go"><code>` + strings.Repeat("a long line of code ", 40) + "</code></pre></figure>\n")
		}
	}
	return b.String()
}

// TestMorphRetainsWhatReaderHolds: an edit above changes nothing that a reader has selected,
// focused, opened or scrolled.
func TestMorphRetainsWhatReaderHolds(t *testing.T) {
	b := browser.Must(t)
	// Not every browser keeps the place by itself, and in one that does, the script must not do it
	// again.
	for _, anchoring := range []string{"auto", "none"} {
		t.Run("overflow-anchor "+anchoring, func(t *testing.T) { holdAndEdit(t, b, anchoring) })
	}
}

func holdAndEdit(t *testing.T, b browser.Browser, anchoring string) {
	t.Helper()
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", longBody("")))
	tb := b.MustTab(t)
	tb.MustSize(t, 700, 600, "light")
	tb.MustOpen(t, s.url+"/posts/a")
	p := s.mustPeer(t)

	hold(t, tb, anchoring)
	before := readHolding(t, tb)
	want := holding{
		Selected: true, Focused: true, Opened: true, SameNode: before.SameNode, InWindow: true, Left: 333,
		Top: before.Top, Height: before.Height, Scroll: 2000,
	}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Fatalf("what the reader holds before the edit (-want +got):\n%s", diff)
	}

	second := strings.Repeat("Paragraph 2 goes on and on, as they do. ", 14)
	edit := ui.Post{ID: 1, Slug: "a", Title: "A post", PublishedAt: at(), Body: longBody(second)}
	p.send(frame{Type: "change", Topic: "post:a", HTML: render(t, ui.Article(fakeBlog(), edit))})
	tb.MustPoll(t, `document.querySelectorAll(".prose > p")[1].textContent.length > 1000`)
	after := readHolding(t, tb)
	want = holding{
		Selected: true, Focused: true, Opened: true, SameNode: true, InWindow: after.InWindow, Left: 333,
		Top: after.Top, Height: after.Height, Scroll: after.Scroll,
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("what the reader holds after the edit (-want +got):\n%s", diff)
	}
	if moved := after.Top - before.Top; math.Abs(moved) > 1 {
		t.Errorf("paragraph 7: got it moved by %g px, want at most 1", moved)
	}
	if after.Height <= before.Height {
		t.Errorf("got the page's height %g, want more than the %g before", after.Height, before.Height)
	}
	if after.Scroll <= before.Scroll {
		t.Errorf("got it scrolled to %g, want more than the %g before", after.Scroll, before.Scroll)
	}
}

// hold selects, focuses, opens and scrolls parts of the article, as a reader does.
func hold(t *testing.T, tb *browser.Tab, anchoring string) {
	t.Helper()
	browser.MustEval[bool](t, tb, `(() => {
		document.documentElement.style.overflowAnchor = "`+anchoring+`";
		window.p7 = [...document.querySelectorAll(".prose > p")][6];
		window.held = {
			details: document.querySelector(".prose details"),
			pre: document.querySelector(".prose pre"),
			link: p7.querySelector("a"),
		};
		held.details.open = true;
		held.pre.scrollLeft = 333;
		held.link.focus({preventScroll: true});
		const range = document.createRange();
		range.setStart(p7.lastChild, 30);
		range.setEnd(p7.lastChild, 90);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		held.text = getSelection().toString();
		window.scrollTo({top: 2000, behavior: "instant"});
		return true;
	})()`)
}

// holding is what a reader holds of the article, and where it is.
type holding struct {
	Selected, Focused, Opened, SameNode, InWindow bool
	Left, Top, Height, Scroll                     float64
}

func readHolding(t *testing.T, tb *browser.Tab) holding {
	t.Helper()
	return browser.MustEval[holding](t, tb,
		`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done({
		Selected: getSelection().toString() === held.text && held.text.length === 60,
		Focused: document.activeElement === held.link,
		Opened: document.querySelector(".prose details").open && held.details.isConnected,
		SameNode: [...document.querySelectorAll(".prose > p")][6] === p7,
		InWindow: p7.getBoundingClientRect().top < innerHeight && p7.getBoundingClientRect().bottom > 0,
		Left: document.querySelector(".prose pre").scrollLeft,
		Top: p7.getBoundingClientRect().top,
		Height: document.documentElement.scrollHeight,
		Scroll: scrollY,
		}))))`)
}

// morphed runs morph on two pieces of HTML, and returns the first one afterwards. Before that it
// runs hold, with the living element as root.
func morphed(t *testing.T, tb *browser.Tab, from, hold, to string) string {
	t.Helper()
	return browser.MustEval[string](t, tb, fmt.Sprintf(`(async () => {
		const { morph } = await import(document.querySelector("script[type=module]").src.replace("main.js", "morph.js"));
		const root = document.querySelector(".prose");
		root.innerHTML = %q;
		%s;
		const text = "<div class='prose' dir='auto'>" + %q + "</div>";
		const next = new DOMParser().parseFromString(text, "text/html").body.firstChild;
		const left = morph(root, next);
		return root.innerHTML + (left ? " left:" + left : "") + (window.check ? " " + window.check() : "");
	})()`, from, hold, to))
}

func TestMorph(t *testing.T) {
	morphs(t, []morphCase{
		{"text", "<p>a</p>", `window.check = null`, "<p>b</p>", "<p>b</p>"},
		{
			"insert in the middle keeps the others", "<p>a</p><p>b</p><p>c</p>",
			`const c = root.lastChild; window.check = () => root.lastChild === c`, "<p>a</p><p>x</p><p>y</p><p>b</p><p>c</p>",
			"<p>a</p><p>x</p><p>y</p><p>b</p><p>c</p> true",
		},
		{
			"remove from the middle keeps the others", "<p>a</p><p>b</p><p>c</p>",
			`const c = root.lastChild; window.check = () => root.lastChild === c`, "<p>a</p><p>c</p>", "<p>a</p><p>c</p> true",
		},
		{
			"ids move", `<p id="a">a</p><p id="b">b</p><p id="c">c</p>`,
			`const a = root.firstChild, c = root.lastChild; window.check = () => root.lastChild === a && root.firstChild === c`,
			`<p id="c">C</p><p id="b">b</p><p id="a">a</p>`, `<p id="c">C</p><p id="b">b</p><p id="a">a</p> true`,
		},
		{"another tag is another node", "<p>a</p>", `window.check = null`, "<h2>a</h2>", "<h2>a</h2>"},
		{"attributes", `<p class="x" title="t">a</p>`, ``, `<p class="y" lang="de">a</p>`, `<p class="y" lang="de">a</p>`},
		{
			"an opened box stays open and is renewed", "<details><summary>s</summary>a</details>", `root.firstChild.open = true`,
			"<details><summary>s</summary>b</details>", `<details open=""><summary>s</summary>b</details>`,
		},
		{
			"a closed box stays closed", `<details open=""><summary>s</summary>a</details>`, `root.firstChild.open = false`,
			`<details open=""><summary>s</summary>b</details>`, `<details><summary>s</summary>b</details>`,
		},
		{
			"a script's own node stays where it is", `<p>a</p>`,
			`root.insertAdjacentHTML("beforeend", "<button data-script>x</button>")`, `<p>b</p><p>c</p>`,
			`<p>b</p><button data-script="">x</button><p>c</p>`,
		},
	})
}

// TestMorphOfWhatReaderHolds: a control that a reader uses, and text that they have selected, wait.
func TestMorphOfWhatReaderHolds(t *testing.T) {
	morphs(t, []morphCase{
		{
			"a focused control keeps its value", `<input value="a">`,
			`root.firstChild.focus(); root.firstChild.value = "typed"; window.check = () => root.firstChild.value`,
			`<input value="b">`, `<input value="a"> left:1 typed`,
		},
		{
			"a control that was typed in keeps its value", `<input value="a">`,
			`root.firstChild.value = "typed"; window.check = () => root.firstChild.value`, `<input value="b">`,
			`<input value="b"> typed`,
		},
		{
			"a text area that was typed in keeps its text", `<textarea>a</textarea>`,
			`root.firstChild.value = "typed"; window.check = () => root.firstChild.value`, `<textarea>b</textarea>`,
			`<textarea>b</textarea> typed`,
		},
		{
			"selected text waits", `<p>abc</p><p>x</p>`,
			`getSelection().selectAllChildren(root.firstChild); window.check = () => getSelection().toString()`,
			`<p>abd</p><p>y</p>`, `<p>abc</p><p>y</p> left:1 abc`,
		},
		{
			"a selected paragraph is not removed", `<p>abc</p><p>x</p>`, `getSelection().selectAllChildren(root.firstChild)`,
			`<p>x</p>`, `<p>abc</p><p>x</p> left:1 abc`,
		},
		{
			"a focused link is not removed", `<p><a href="#x">abc</a></p><p>x</p>`,
			`getSelection().removeAllRanges(); window.check = null; root.querySelector("a").focus()`, `<p>x</p>`,
			`<p><a href="#x">abc</a></p><p>x</p> left:1`,
		},
	})
}

// morphCase is two pieces of HTML, what a script does to the first before it becomes the second, and the result.
type morphCase struct{ name, from, hold, to, want string }

func morphs(t *testing.T, cases []morphCase) {
	t.Helper()
	s := mustSite(t)
	s.set("/posts/a", ui.PostPage(ui.PostView{Page: fakePage("A", s.assets.Base()), Post: ui.Post{Title: "A"}}))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	for _, tt := range cases {
		if got := morphed(t, tb, tt.from, tt.hold, tt.to); got != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestMorphContinuesWhereItLeft: text that was selected is renewed when the reader ends the
// selection.
func TestMorphContinuesWhereItLeft(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", "<p>Old words.</p>"))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	p := s.mustPeer(t)
	browser.MustEval[bool](t, tb, `(getSelection().selectAllChildren(document.querySelector(".prose p")), true)`)
	p.send(frame{
		Type: "change", Topic: "post:a",
		HTML: render(t, ui.Article(fakeBlog(), ui.Post{Slug: "a", Title: "A post", Body: "<p>New words.</p>"})),
	})
	tb.MustPoll(t, `document.querySelector("main").dataset.cursor === "c2"`)
	if got := browser.MustEval[string](t, tb, `getSelection().toString()`); got != "Old words." {
		t.Errorf("the selection became %q, want %q", got, "Old words.")
	}
	browser.MustEval[bool](t, tb, `(getSelection().removeAllRanges(), true)`)
	tb.MustPoll(t, `document.querySelector(".prose p").textContent === "New words."`)
}
