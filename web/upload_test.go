package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/web"
)

// brief makes a write give up soon.
func brief(o *web.Options) { o.Limit = 200 * time.Millisecond }

func MustPNG(tb testing.TB) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 5, 4))); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func TestPictures(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	for i, n := range []*node{w.primary, w.replica} {
		b, stranger := MustLogin(t, n), MustOpen(t, n)
		typed := editor("title", fmt.Sprint("With a picture ", i), "do", "upload")
		a := b.Upload(t, "/admin/posts", typed, "../../Mein <Bild>.PNG", MustPNG(t)).Must(t, http.StatusOK)
		MustRetain(t, a, typed)
		src := a.attr(t, ".upload-list img", "src")
		if !strings.HasPrefix(src, "/media/") {
			t.Fatalf("stored at %q, want it below /media/: %s", src, a.text(t, ".uploads"))
		}
		for _, part := range []string{"<", ">", ".."} {
			if strings.Contains(src, part) {
				t.Fatalf("stored at %q, want no %q in it", src, part)
			}
		}
		if got := a.text(t, "[data-snippet]"); !strings.Contains(got, src) {
			t.Fatalf("got the snippet %q, want %q in it", got, src)
		}
		if i == 0 {
			stranger.Get(t, src).Must(t, http.StatusNotFound)
		}
		got := b.Get(t, src).Must(t, http.StatusOK)
		got.expectHeader(t, "Content-Type", "image/png")
		got.expectHeader(t, "X-Content-Type-Options", "nosniff")
		got.expectHeader(t, "Cache-Control", "private, max-age=31536000, immutable")
		// With "save" or "publish", a file is inserted into the text.
		typed.Set("do", "publish")
		to := b.Upload(t, "/admin/posts", typed, "a.png", MustPNG(t)).Must(t, http.StatusSeeOther).header.Get("Location")
		if img := stranger.Get(t, to).attr(t, ".prose img", "src"); img == "" {
			t.Errorf("%s: got no picture, want one", to)
		}
		pic := stranger.Get(t, src).Must(t, http.StatusOK)
		pic.expectHeader(t, "Cache-Control", "public, max-age=31536000, s-maxage=300, immutable")
		pic.expectNoCookie(t)
		if vary := pic.header.Get("Vary"); !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: got Vary %q, want Cookie in it", src, vary)
		}
		h := stranger.Do(t, http.MethodHead, src, nil).Must(t, http.StatusOK)
		h.expectHeader(t, "Content-Length", fmt.Sprint(len(pic.body)))
		h.expectHeader(t, "Content-Type", "image/png")
		not := stranger.Get(t, src, header("If-None-Match", pic.header.Get("ETag"))).Must(t, http.StatusNotModified)
		if not.body != "" {
			t.Errorf("%s: a 304 with the body %.300q, want none", src, not.body)
		}
		not.expectHeader(t, "ETag", pic.header.Get("ETag"))
		part := stranger.Get(t, src, header("Range", "bytes=1-3")).Must(t, http.StatusPartialContent)
		if part.body != "PNG" {
			t.Errorf("a range is %q, want %q", part.body, "PNG")
		}
		never := "/media/" + strings.Repeat("0", 64) + "/x.png"
		stranger.Get(t, never, header("If-None-Match", "*")).Must(t, http.StatusNotFound)
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	for name, data := range map[string][]byte{
		"a.svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
		"a.png": []byte("no picture"), "half.png": MustPNG(t)[:30],
	} {
		for _, do := range []string{"upload", "save"} {
			typed := editor("do", do, "body", hostileText)
			a := b.Upload(t, "/admin/posts", typed, name, data).Must(t, http.StatusUnprocessableEntity)
			MustRetain(t, a, typed)
			if got := a.find(t, "#f-image-error").Length(); got != 1 {
				t.Errorf("%s: got %d messages on the picture, want 1: %s", name, got, a.text(t, ".summary"))
			}
		}
	}
	// No file, as browsers send it: without a name and without content.
	id := MustDo(t, w.primary, posts.Create{Title: "Stored"}).ID
	for _, action := range []string{"/admin/posts", fmt.Sprintf("/admin/posts/%d", id)} {
		typed := editor("do", "upload", "body", hostileText)
		a := b.Upload(t, action, typed, "", nil).Must(t, http.StatusUnprocessableEntity)
		MustRetain(t, a, typed)
		if got, want := a.text(t, "#f-image-error"), "choose a picture first"; !strings.Contains(got, want) {
			t.Errorf("%s without a file: got %q, want %q in it", action, got, want)
		}
		a.expectCount(t, ".field-error", 1)
	}
	MustDo(t, w.primary, posts.Delete{Target: posts.Target{ID: id}})
	typed := editor("do", "save", "body", hostileText)
	a := b.Upload(t, "/admin/posts", typed, "large.png", make([]byte, 20<<20)).Must(t, http.StatusRequestEntityTooLarge)
	MustRetain(t, a, typed)
	a.expectCount(t, "#f-image-error", 1)
	n := MustCount(t, w.primary)
	for _, table := range []string{"posts", "media"} {
		if n[table] != 0 {
			t.Errorf("got %d rows of %s, want 0, as nothing is saved", n[table], table)
		}
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Title", "Text")
	author := MustLogin(t, w.primary)
	large := strings.Repeat("a", 20<<20)
	for _, path := range []string{
		"/login", "/logout", "/setup", "/account/password", "/account/logout-all", "/account/renew",
		"/admin/posts", "/admin/posts/1", "/admin/posts/1/state", "/admin/posts/1/delete",
	} {
		for kind, change := range map[string]func(*http.Request){
			"a form": func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") },
			"chunks": func(r *http.Request) {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.ContentLength = -1
			},
			"another type": func(*http.Request) {},
		} {
			got := author.Do(t, http.MethodPost, path, io.MultiReader(strings.NewReader("body="+large)), change,
				func(r *http.Request) {
					if kind != "chunks" {
						r.ContentLength = int64(len(large)) + 5
					}
				})
			if got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s to %s: got status %d, want %d", kind, path, got.status, http.StatusRequestEntityTooLarge)
			}
		}
	}
	var fields strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&fields, "f%d=&", i)
	}
	if got := author.Post(t, "/login", url.Values{}, func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(fields.String()))
		r.ContentLength = int64(fields.Len())
	}); got.status >= 500 {
		t.Errorf("many fields: got status %d, want one below 500", got.status)
	}
	if author.Cookie(t, "session") == "" {
		t.Error("got the author without a session, want the one before")
	}
	if stored := MustLoad(t, w.primary, 1); !stored.Visible() {
		t.Errorf("got %+v, want it visible as before", stored)
	}
}

func TestDatesAreInTheBlogsZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := MustWorld(t, func(o *web.Options) { o.Config.Location, o.Config.Zone = berlin, "Europe/Berlin" })
	b := MustLogin(t, w.replica)
	if hint := b.Get(t, "/admin/posts/new").text(t, "#f-published_at-hint"); !strings.Contains(hint, "Europe/Berlin") {
		t.Errorf("the field says %q, want %q in it", hint, "Europe/Berlin")
	}
	for typed, want := range map[string][]string{
		"2026-01-15T10:00": {"2026-01-15T09:00:00Z"},
		"2026-05-15T10:00": {"2026-05-15T08:00:00Z"},
		"2025-10-26T02:30": {"2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"}, // this hour comes twice
		"2026-01-15":       {"2026-01-14T23:00:00Z"},
	} {
		to := b.Post(t, "/admin/posts", editor("title", "At "+typed, "published_at", typed, "do", "publish")).
			Must(t, http.StatusSeeOther).header.Get("Location")
		slug := strings.TrimPrefix(to, "/posts/")
		edit := b.Get(t, b.Get(t, to).attr(t, ".author-tools a", "href"))
		var stored posts.Post
		for id := int64(1); stored.Slug != slug; id++ {
			stored = MustLoad(t, w.primary, id)
		}
		if got := stored.PublishedAt.Format(time.RFC3339); !strings.Contains(strings.Join(want, " "), got) {
			t.Errorf("%s is stored as %s, want one of %q", typed, got, want)
		}
		// Saved again without a change of the date, it stays the same instant.
		b.Post(t, edit.attr(t, "form.editor", "action"), edit.with(t, "form.editor", "body", "Changed", "do", "save")).
			Must(t, http.StatusSeeOther)
		again := MustLoad(t, w.primary, stored.ID)
		if !again.PublishedAt.Equal(stored.PublishedAt) {
			t.Errorf("%s, saved again: got the date %s, want %s", typed, again.PublishedAt, stored.PublishedAt)
		}
		if again.Body != "Changed" {
			t.Errorf("%s, saved again: got the body %q, want %q", typed, again.Body, "Changed")
		}
	}
	a := b.Post(t, "/admin/posts", editor("published_at", "2026-03-29T02:30", "do", "publish")).
		Must(t, http.StatusUnprocessableEntity)
	if !strings.Contains(a.text(t, "#f-published_at-error"), "clocks") {
		t.Errorf("an hour that is left out: got %s, want a word on %q", a.text(t, ".summary"), "clocks")
	}
}

// TestAFormThatBreaksOff: a form that breaks off is refused, so that half a text is not saved as
// the whole.
func TestAFormThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	const whole = "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nTitle\r\n--x\r\nContent-Disposition: " +
		"form-data; name=\"do\"\r\n\r\nsave\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\nA long text\r\n--x--\r\n"
	kind := header("Content-Type", "multipart/form-data; boundary=x")
	for cut := strings.Index(whole, "A long"); cut < len(whole)-len("--\r\n"); cut++ {
		b.Do(t, http.MethodPost, "/admin/posts", strings.NewReader(whole[:cut]), kind).Must(t, http.StatusBadRequest)
	}
	for cut := 0; cut < len(whole); cut += 7 { // the connection ends there
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.primary.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn,
			"POST /admin/posts HTTP/1.1\r\nHost: x\r\nCookie: session=%s\r\nContent-Type: multipart/form-data; "+
				"boundary=x\r\nContent-Length: %d\r\n\r\n%s",
			b.Cookie(t, "session"), len(whole), whole[:cut])
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		raw, rerr := io.ReadAll(conn)
		if err = errors.Join(err, rerr, conn.Close()); err != nil {
			t.Fatalf("%q: %v", whole[:cut], err)
		}
		if strings.Contains(string(raw), " 303 ") {
			t.Errorf("%q: got %.50s, want no 303", whole[:cut], raw)
		}
	}
	if n := MustCount(t, w.primary)["posts"]; n != 0 {
		t.Errorf("got %d posts, want 0", n)
	}
	b.Do(t, http.MethodPost, "/admin/posts", strings.NewReader(whole), kind).Must(t, http.StatusSeeOther)
}
