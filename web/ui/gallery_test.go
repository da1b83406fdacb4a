package ui_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"blog/internal/markdown"
	"blog/test/browser"
	"blog/web/assets"
)

func mustAssets(t *testing.T) *assets.Set {
	t.Helper()
	var css bytes.Buffer
	if err := markdown.WriteCSS(&css); err != nil {
		t.Fatalf("style of code: %v", err)
	}
	set, err := assets.New(map[string][]byte{"chroma.css": css.Bytes()})
	if err != nil {
		t.Fatalf("assets: %v", err)
	}
	return set
}

const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 900" width="1600" height="900">
<rect width="1600" height="900" fill="#d9a679"/><circle cx="1180" cy="430" r="120" fill="#f6e3b4"/>
<rect y="560" width="1600" height="340" fill="#4f6d7a"/>
<path d="M200 620h420l-60 90H270zM400 300v310h-150z" fill="#22303a"/></svg>`

// mustGallery serves every exhibit at its name, with the blog's policy.
func mustGallery(t *testing.T) (string, []exhibit) {
	t.Helper()
	set := mustAssets(t)
	list := exhibits(t, set.Base())
	mux := http.NewServeMux()
	mux.Handle(set.Base(), set.Handler())
	mux.HandleFunc("/media/picture.svg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = w.Write([]byte(picture))
	})
	for _, e := range list {
		mux.Handle("/"+e.name, templ.Handler(e.page))
	}
	server := httptest.NewServer(withCSP(mux))
	t.Cleanup(server.Close)
	return server.URL, list
}

// audit lists what is wrong with a page and cannot be seen. The page is as wide as the window.
const audit = `(() => {
	const wrong = [];
	const count = (n, what) => n === 1 || wrong.push(n + " " + what);
	count(document.querySelectorAll("h1").length, "h1");
	count(document.querySelectorAll("main").length, "main");
	if (!document.documentElement.lang) wrong.push("no lang");
	if (!document.title) wrong.push("no title");
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) wrong.push("id twice: " + id);
	for (const c of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
		if (!c.labels?.length && !c.getAttribute("aria-label")) wrong.push("no label: " + c.outerHTML.slice(0, 80));
	}
	for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
		for (const name of ["aria-describedby", "aria-labelledby"]) {
			for (const id of (e.getAttribute(name) ?? "").split(" ").filter(Boolean)) {
				if (!document.getElementById(id)) wrong.push(name + " leads nowhere: " + id);
			}
		}
	}
	for (const a of document.querySelectorAll("main a[href^='#']")) {
		if (!document.getElementById(decodeURIComponent(a.hash.slice(1)))) wrong.push("leads nowhere: " + a.href);
	}
	for (const e of document.querySelectorAll("a, button, summary")) {
		if (!e.textContent.trim() && !e.getAttribute("aria-label")) wrong.push("no words: " + e.outerHTML.slice(0, 80));
		const box = e.getBoundingClientRect();
		const inline = getComputedStyle(e).display === "inline";
		if (box.width > 1 && !inline && box.height < 24 && !e.closest(".prose"))
				wrong.push("too small to touch: " + e.outerHTML.slice(0, 80));
	}
	for (const e of document.querySelectorAll("img:not([alt]), [style], script:not([src]), style"))
			wrong.push("not allowed: " + e.outerHTML.slice(0, 80));
	let level = 0;
	for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
		const now = Number(h.localName[1]);
		if (now > level + 1) wrong.push("heading skips a level: " + h.textContent);
		level = now;
	}
	for (const e of document.querySelectorAll("body *")) {
		const style = getComputedStyle(e);
		const scrolls = /auto|scroll/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1;
		if (scrolls && e.tabIndex < 0 && e.localName !== "textarea")
				wrong.push("scrolls, but not by keys: " + e.outerHTML.slice(0, 80));
	}
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	if (wide > 0) {
		const far = [...document.querySelectorAll("body *")].filter((e) => {
				const box = e.getBoundingClientRect();
				return !e.closest(".visually-hidden, pre, .table, .diff") && (box.right > innerWidth + 1 || box.left < -1);
			});
		wrong.push("too wide by " + wide + ": " + far.map((e) => e.localName + "." + e.className).join(" "));
	}
	return wrong;
})()`

// contrastAudit lists the texts of a page with less contrast than WCAG 2.2's AA demands, also in
// code, and with mixed colours.
const contrastAudit = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return canvas.getImageData(0, 0, 1, 1).data;
	};
	const luminance = (colour) => {
		const [r, g, b] = [...rgba(colour)].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = (e) => {
		for (; e; e = e.parentElement)
				if (rgba(getComputedStyle(e).backgroundColor)[3] > 0) return getComputedStyle(e).backgroundColor;
		return "white";
	};
	const wrong = new Set();
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.closest(".visually-hidden, option, script")) continue;
		const style = getComputedStyle(e);
		const large = parseFloat(style.fontSize) >= 24 ||
				(parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
		const [a, b] = [luminance(style.color), luminance(ground(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < (large ? 3 : 4.5)) wrong.add(
				ratio.toFixed(2) + ": " + e.localName + "." + e.className + " in " + e.parentElement.className);
	}
	return [...wrong];
})()`

// TestGallery shows every page in a real browser: narrow and wide, light and dark. When SCREENSHOTS
// names a folder, it writes pictures into it.
func TestGallery(t *testing.T) {
	url, list := mustGallery(t)
	b := browser.Must(t)
	for _, e := range list {
		t.Run(e.name, func(t *testing.T) {
			tb := b.MustTab(t)
			for _, width := range []int64{320, 360, 768, 1280} {
				tb.MustSize(t, width, 800, "light")
				tb.MustOpen(t, url+"/"+e.name)
				for _, problem := range browser.MustEval[[]string](t, tb, audit) {
					t.Errorf("at %d px: %s", width, problem)
				}
				if width == 360 || width == 1280 {
					photograph(t, tb, e.name, width)
				}
			}
			for _, scheme := range []string{"light", "dark"} {
				tb.MustDo(t, browser.Media("", "prefers-color-scheme", scheme))
				for _, problem := range browser.MustEval[[]string](t, tb, contrastAudit) {
					t.Errorf("in %s, too little contrast: %s", scheme, problem)
				}
			}
			// A form with text that is on no server asks before it is left.
			tb.Allow("beforeunload")
		})
	}
}

func photograph(t *testing.T, tb *browser.Tab, name string, width int64) {
	t.Helper()
	if !browser.SavesScreenshots() {
		return
	}
	// Images far down load late, and the picture shows the whole page.
	browser.MustEval[bool](t, tb,
		`Promise.all([...document.images].map((i) => { i.loading = "eager"; return i.decode().catch(() => 0); })).then(() `+
			`=> true)`)
	for _, scheme := range []string{"light", "dark"} {
		tb.MustDo(t, browser.Media("", "prefers-color-scheme", scheme))
		tb.SaveScreenshot(t, fmt.Sprintf("%s-%d-%s", name, width, scheme))
	}
}

// TestSameBytes renders every page twice, because pages must not differ between nodes.
func TestSameBytes(t *testing.T) {
	render := func(c templ.Component) string {
		var b strings.Builder
		if err := c.Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	once, again := exhibits(t, "/assets/x/"), exhibits(t, "/assets/x/")
	for i := range once {
		if diff := cmp.Diff(render(once[i].page), render(again[i].page)); diff != "" {
			t.Errorf("%s (-once +again):\n%s", once[i].name, diff)
		}
	}
}
