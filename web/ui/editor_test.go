package ui_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"blog/test/browser"
	"blog/web/ui"
)

// desk is an editor whose server answers as the test says.
type desk struct {
	url string

	mu     sync.Mutex
	forms  []map[string]string // forms that were sent
	answer templ.Component     // to a form; nil redirects to the post
}

func mustDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	set := mustAssets(t)
	page := signedIn(fakePage("New post", set.Base()))
	fresh := ui.EditorView{
		Page: page, Form: ui.Form{Action: "/admin/posts"}, New: true, DraftKey: "new", Zone: "UTC", Key: "k1",
	}
	mux := http.NewServeMux()
	mux.Handle(set.Base(), set.Handler())
	mux.Handle("GET /new", templ.Handler(ui.Editor(fresh)))
	mux.Handle("GET /posts/x",
		templ.Handler(ui.PostPage(ui.PostView{Page: page, EditURL: "/admin/posts/1", Post: ui.Post{Title: "X"}})))
	mux.Handle("GET /login", templ.Handler(ui.Login(ui.LoginView{Page: fakePage("Sign in", set.Base())})))
	mux.HandleFunc("POST /admin/posts", d.post)
	server := httptest.NewServer(withCSP(mux))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *desk) post(w http.ResponseWriter, r *http.Request) {
	form, err := fields(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.forms = append(d.forms, form)
	answer := d.answer
	d.mu.Unlock()
	if answer == nil {
		http.Redirect(w, r, "/posts/x", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = answer.Render(r.Context(), w)
}

// fields reads the parts of a form, files included.
func fields(r *http.Request) (map[string]string, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	form := make(map[string]string)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(part, 1<<20))
		if err != nil {
			return nil, err
		}
		form[part.FormName()] += string(text)
	}
}

func (d *desk) set(answer templ.Component) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// sent returns the form that was sent last.
func (d *desk) sent() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forms[len(d.forms)-1]
}

const (
	offered = `!document.querySelector("[data-draft-offer]").hidden`
	stored  = `localStorage.getItem("draft:new")`
)

func TestEditorRetainsText(t *testing.T) {
	d := mustDesk(t)
	window := browser.Must(t)
	tb := window.MustTab(t)
	tb.MustOpen(t, d.url+"/new")
	if browser.MustEval[bool](t, tb, offered) {
		t.Error("a first visit: got the offer of a copy, want none")
	}
	tb.MustDo(t, chromedp.SendKeys(chromedp.CSS("#f-title"), "Tea"),
		chromedp.SendKeys(chromedp.CSS("#f-body"), "Two lines\nof it, مرحبا"))
	tb.MustPoll(t, stored+`?.includes("of it") && document.querySelector("[data-draft-state]").textContent !== ""`)

	// The tab is lost. The next visit is offered the copy, and accepts it.
	browser.MustEval[bool](t, tb,
		`(window.addEventListener("beforeunload", (e) => e.stopImmediatePropagation(), true), true)`)
	other := window.MustTab(t)
	other.MustOpen(t, d.url+"/new")
	other.MustPoll(t, offered)
	other.MustDo(t, chromedp.Click(chromedp.CSS("[data-draft-restore]")))
	other.MustPoll(t,
		`document.getElementById("f-title").value === "Tea" && document.getElementById("f-body").value === `+
			`"Two lines\nof it, مرحبا" && !(`+offered+`)`)

	// A refused form retains it. Enter in a line saves, and publishes nothing.
	refused := ui.EditorView{
		Page: fakePage("New post", mustAssets(t).Base()),
		Form: ui.Form{Action: "/admin/posts", Errors: map[string]string{"title": "Taken."}}, New: true, DraftKey: "new",
		Title: "Tea", Body: "Two lines\nof it, مرحبا", Zone: "UTC",
	}
	d.set(ui.Editor(refused))
	other.MustDo(t, chromedp.SendKeys(chromedp.CSS("#f-title"), "\r"))
	other.MustPoll(t,
		`document.activeElement.id === "form-summary" && document.querySelector("#form-summary a").hash === "#f-title"`)
	other.Allow("422")
	got := d.sent()
	want := []string{"save", "k1", "Two lines\r\nof it, مرحبا"}
	if diff := cmp.Diff(want, []string{got["do"], got["key"], got["body"]}); diff != "" {
		t.Errorf("Enter sent do, key and body (-want +got):\n%s", diff)
	}
	if !browser.MustEval[bool](t, other, stored+` !== null`) {
		t.Error("after a refused form: got no copy, want the one before")
	}

	// What was saved needs no copy.
	d.set(nil)
	other.MustDo(t, chromedp.Click(chromedp.CSS("button[value=publish]")))
	other.MustPoll(t, `location.pathname === "/posts/x" && `+stored+` === null`)
}

func TestThemeAndKeyboard(t *testing.T) {
	url, _ := mustGallery(t)
	tb := browser.Must(t).MustTab(t)
	tb.MustSize(t, 900, 700, "light")
	tb.MustOpen(t, url+"/post")
	const paper = `getComputedStyle(document.documentElement).backgroundColor`
	light := browser.MustEval[string](t, tb, paper)
	browser.MustEval[bool](t, tb,
		`(() => { const s = document.getElementById("theme"); s.value = "dark"; s.dispatchEvent(new Event("change")); `+
			`return true; })()`)
	dark := browser.MustEval[string](t, tb, paper)
	if light == dark {
		t.Errorf("the dark theme: got the paper %s as in the light one, want another", dark)
	}
	tb.MustOpen(t, url+"/post-short")
	if got := browser.MustEval[string](t, tb, paper); got != dark {
		t.Errorf("the choice is forgotten: got %s, want %s", got, dark)
	}
	browser.MustEval[bool](t, tb,
		`(() => { const s = document.getElementById("theme"); s.value = ""; s.dispatchEvent(new Event("change")); return `+
			`true; })()`)
	if got := browser.MustEval[string](t, tb, paper); got != light {
		t.Errorf("back to the system: got %s, want %s", got, light)
	}

	tb.MustOpen(t, url+"/post")
	tb.MustDo(t, chromedp.KeyEvent("\t"))
	if got := browser.MustEval[string](t, tb,
		`document.activeElement.className + " " + `+
			`(document.activeElement.getBoundingClientRect().top >= 0)`); got != "skip true" {
		t.Errorf("the first stop is %q, want %q", got, "skip true")
	}
	if got := browser.MustEval[string](t, tb, `getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("focus is shown as %q, want %q", got, "solid")
	}
	tb.MustDo(t, chromedp.KeyEvent("\r"))
	tb.MustPoll(t, `document.activeElement.id === "main"`)
}

func TestOtherMedia(t *testing.T) {
	url, _ := mustGallery(t)
	tb := browser.Must(t).MustTab(t)
	tb.MustSize(t, 900, 700, "dark")
	tb.MustOpen(t, url+"/post-own")
	tb.MustDo(t, browser.Media("print", "prefers-color-scheme", "dark"))
	for _, gone := range []string{".site-nav", ".site-search", ".author-bar", ".author-tools", ".toc-box", ".flash"} {
		if got := browser.MustEval[string](t, tb,
			`getComputedStyle(document.querySelector("`+gone+`")).display`); got != "none" {
			t.Errorf("%s is printed: got the display %q, want %q", gone, got, "none")
		}
	}
	if got := browser.MustEval[string](t, tb,
		`getComputedStyle(document.documentElement).backgroundColor`); got != "rgb(255, 255, 255)" {
		t.Errorf("the paper is %q, want white", got)
	}
	if got := browser.MustEval[[]string](t, tb, contrastAudit); len(got) > 0 {
		t.Errorf("on paper: got too little contrast in %q, want none", got)
	}
	tb.MustDo(t, browser.Media("screen", "forced-colors", "active"))
	if got := browser.MustEval[string](t, tb,
		`getComputedStyle(document.querySelector(".badge")).borderTopWidth`); got != "2px" {
		t.Errorf("in forced colours a badge has a border of %q, want %q", got, "2px")
	}
	tb.MustDo(t, browser.Media("screen", "prefers-reduced-motion", "reduce"))
	if got := browser.MustEval[string](t, tb, `getComputedStyle(document.documentElement).scrollBehavior`); got != "auto" {
		t.Errorf("with reduced motion, scrolling is %q, want %q", got, "auto")
	}
}

func TestContentsFollow(t *testing.T) {
	url, _ := mustGallery(t)
	tb := browser.Must(t).MustTab(t)
	tb.MustSize(t, 1280, 800, "light")
	tb.MustOpen(t, url+"/post")
	browser.MustEval[bool](t, tb,
		`(document.getElementById(decodeURIComponent([...document.querySelectorAll(".toc-side `+
			`a")][3].hash.slice(1))).scrollIntoView({behavior: "instant"}), true)`)
	tb.MustPoll(t,
		`document.querySelector(".toc-side [aria-current]")?.textContent === "Tables that are wider than they should be"`)
}

// TestWithoutScripts: what needs a script is not offered without scripts.
func TestWithoutScripts(t *testing.T) {
	d := mustDesk(t)
	tb := browser.Must(t).MustTab(t)
	tb.MustDo(t, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	tb.MustOpen(t, d.url+"/new")
	const seen = `[...document.querySelectorAll("[data-theme-control], [data-draft-offer], [data-insert], ` +
		`.copy")].filter((e) => e.checkVisibility()).length`
	if got := browser.MustEval[int](t, tb, seen); got != 0 {
		t.Errorf("got %d controls that do nothing, want 0", got)
	}
	tb.MustDo(t,
		chromedp.SetValue(chromedp.CSS("#f-title"), "Tea"),
		chromedp.SetValue(chromedp.CSS("#f-body"), "Text"),
		chromedp.Click(chromedp.CSS("button[value=publish]")))
	tb.MustPoll(t, `location.pathname === "/posts/x"`)
	got := d.sent()
	if diff := cmp.Diff([]string{"publish", "Tea", "Text"}, []string{got["do"], got["title"], got["body"]}); diff != "" {
		t.Errorf("sent do, title and body (-want +got):\n%s", diff)
	}
}
