package ui_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"blog/test/browser"
	"blog/web/ui"
)

// TestEditorShowsHowMuchOfAPictureIsStored: the page stays, the bar follows the lines of the node's
// answer, and the picture's Markdown can be inserted into the text. A refusal says why.
func TestEditorShowsHowMuchOfAPictureIsStored(t *testing.T) {
	url, more, seen := newPictureNode(t)
	file := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(file, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, url+"/new")
	tb.MustDo(t, chromedp.SendKeys(chromedp.CSS("#f-body"), "Before "))
	store := func() {
		t.Helper()
		tb.MustDo(t, chromedp.SetUploadFiles(chromedp.CSS("#f-image"), []string{file}))
		browser.MustEval[bool](t, tb, `(document.querySelector('button[value="upload"]').click(), true)`)
	}
	say := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			select {
			case more <- line:
			case <-time.After(20 * time.Second):
				t.Fatalf("got nobody who waits for %q in 20 s, want the page to", line)
			}
		}
	}
	const bar, state = `document.querySelector("[data-upload-progress]")`,
		`document.querySelector("[data-upload-state]").textContent`
	store()
	for _, c := range []struct{ stored, percent int }{{20, 60}, {60, 80}, {100, 100}} {
		say(fmt.Sprintf(`{"stored":%d,"size":100}`, c.stored))
		tb.MustPoll(t, fmt.Sprintf(`%s.hidden === false && %s.value === %d`, bar, bar, c.percent))
	}
	var html strings.Builder
	up := ui.Upload{Name: "a.png", URL: "/media/1/a.png", Markdown: "![](/media/1/a.png)"}
	if err := ui.EditorUpload(up).Render(t.Context(), &html); err != nil {
		t.Fatal(err)
	}
	say(fmt.Sprintf(`{"html":%q,"url":%q,"position":"1-x.y"}`, html.String(), up.URL), "")
	tb.MustPoll(t,
		state+` === "Stored." && `+bar+
			`.hidden && document.querySelectorAll("[data-upload-list] li").length === 1 && `+
			`document.querySelector("#f-image").value === ""`)
	if got := seen.Load(); got != "1-x.y" {
		t.Errorf("the node was told of the position %v, want %q", got, "1-x.y")
	}
	tb.MustDo(t, chromedp.Click(chromedp.CSS("[data-insert]")))
	tb.MustPoll(t, `document.querySelector("#f-body").value === "Before ![](/media/1/a.png)"`)
	for _, c := range []struct{ line, says string }{
		{`{"error":"It is damaged."}`, "It is damaged."},
		{`no line`, "could not be stored"},
	} {
		store()
		say(c.line, "")
		tb.MustPoll(t, state+`.includes("`+c.says+`") && `+bar+`.hidden`)
	}
	if n := browser.MustEval[int](t, tb, `document.querySelectorAll("[data-upload-list] li").length`); n != 1 {
		t.Errorf("%d pictures in the list, want 1", n)
	}
}

// newPictureNode serves an editor at /new, and answers an upload with the lines in more, where "" ends
// the answer. seen has the position that the script sends afterwards.
func newPictureNode(t *testing.T) (url string, more chan string, seen *atomic.Value) {
	t.Helper()
	set := mustAssets(t)
	more = make(chan string)
	seen = new(atomic.Value)
	mux := http.NewServeMux()
	mux.Handle(set.Base(), set.Handler())
	page := signedIn(fakePage("New post", set.Base()))
	mux.Handle("GET /new", templ.Handler(ui.Editor(ui.EditorView{
		Page: page, Form: ui.Form{Action: "/admin/posts"}, New: true, DraftKey: "new", Zone: "UTC", Key: "k1",
		UploadURL: "/pictures",
	})))
	mux.HandleFunc("POST /pictures", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		for line := range more {
			if line == "" {
				return
			}
			_, _ = fmt.Fprintln(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("POST /pictures/seen", func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.FormValue("position"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /media/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
	})
	server := httptest.NewServer(withCSP(mux))
	t.Cleanup(server.Close)
	return server.URL, more, seen
}
