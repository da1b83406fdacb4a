package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// MustNoise returns a PNG of several chunks, which compression does not make smaller.
func MustNoise(tb testing.TB) []byte {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, 1000, 1000))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32()) // #nosec G115 -- noise
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// line is a line of the answer to a picture.
type line struct {
	Stored, Size                           int64
	HTML, URL, Position, Durability, Error string
}

func (a *answer) lines(tb testing.TB) []line {
	tb.Helper()
	var out []line
	for text := range strings.Lines(a.body) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
		out = append(out, l)
	}
	return out
}

// TestAPictureIsStoredWithProgress: the answer reports progress line by line until all of the
// picture is stored, and then what the list shows of it, and the reader's position.
func TestAPictureIsStoredWithProgress(t *testing.T) {
	t.Parallel()
	w := MustWorldWith(t, repotest.Assured(repo.Two))
	data := MustNoise(t)
	for i, n := range []*node{w.primary, w.replica} {
		b := MustLogin(t, n)
		page := b.Get(t, "/admin/posts/new").Must(t, http.StatusOK)
		to := page.attr(t, "[data-uploads]", "data-uploads")
		got := b.Upload(t, to, url.Values{}, "Mein Bild.PNG", data).Must(t, http.StatusOK)
		lines := got.lines(t)
		last := lines[len(lines)-1]
		before := int64(0)
		for _, l := range lines[:len(lines)-1] {
			if l.Stored <= before || l.Size != int64(len(data)) {
				t.Errorf("%+v after %d", l, before)
			}
			before = l.Stored
		}
		if before != int64(len(data)) || i == 0 && len(lines) < 4 {
			t.Errorf("%d bytes of %d in %d lines", before, len(data), len(lines))
		}
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(last.HTML))
		if err != nil || doc.Find("li img").AttrOr("src", "") != last.URL ||
			!strings.Contains(doc.Find("[data-snippet]").Text(), last.URL) {
			t.Errorf("%v: %s", err, last.HTML)
		}
		if last.Durability != "two" || got.header.Get("Content-Type") != "application/x-ndjson" ||
			got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%+v, %v", last, got.header)
		}
		b.Get(t, last.URL).Must(t, http.StatusOK)
		// It becomes the reader's position once the script has sent it back.
		b.Post(t, to+"/seen", url.Values{"position": {last.Position}}).Must(t, http.StatusNoContent)
		if c := b.Cookie(t, "position"); c != last.Position {
			t.Errorf("the cookie is %q, want %q", c, last.Position)
		}
		for _, forged := range []string{"", "1", last.Position + "x", "9" + last.Position} {
			b.Post(t, to+"/seen", url.Values{"position": {forged}}).Must(t, http.StatusUnprocessableEntity)
		}
	}
}

func TestAPictureThatIsRefused(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	for name, c := range map[string]struct {
		data   []byte
		status int
		says   string
	}{
		"none":       {nil, http.StatusUnprocessableEntity, "choose a picture"},
		"no picture": {[]byte("text"), http.StatusUnprocessableEntity, "PNG"},
		"too large":  {make([]byte, 11<<20), http.StatusRequestEntityTooLarge, "10 MB"},
	} {
		got := b.Upload(t, "/admin/pictures", url.Values{}, "a.png", c.data).Must(t, c.status)
		if lines := got.lines(t); len(lines) != 1 || !strings.Contains(lines[0].Error, c.says) {
			t.Errorf("%s: %+v", name, lines)
		}
	}
	MustOpen(t, w.primary).Upload(t, "/admin/pictures", url.Values{}, "a.png", MustPNG(t)).Must(t, http.StatusUnauthorized)
	if n := MustCount(t, w.primary)["media"]; n != 0 {
		t.Errorf("%d pictures", n)
	}
}

// TestPicturesAreCountedBeforeTheyAreRead: without room for a picture nothing of it is stored, and
// what was typed beside it is shown again. Text alone needs no room.
func TestPicturesAreCountedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	w.primary.site.SetPictures(1000)
	b := MustLogin(t, w.primary)
	data := append(MustPNG(t), make([]byte, 2000)...)
	for _, a := range []*answer{
		b.Upload(t, "/admin/pictures", url.Values{}, "a.png", data).Must(t, http.StatusServiceUnavailable),
		b.Upload(t, "/admin/posts", editor("do", "save", "body", hostileText), "a.png", data).
			Must(t, http.StatusServiceUnavailable),
	} {
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", a.path)
		}
		if a.path == "/admin/posts" {
			MustRetain(t, a, editor("do", "save", "body", hostileText))
		}
	}
	if n := MustCount(t, w.primary); n["media"] != 0 || n["posts"] != 0 {
		t.Errorf("something was saved: %v", n)
	}
	b.Upload(t, "/admin/posts", editor("do", "save", "body", strings.Repeat("long ", 1000)), "", nil).
		Must(t, http.StatusSeeOther)
	for i := range 3 { // each releases its room again
		b.Upload(t, "/admin/pictures", url.Values{}, fmt.Sprint(i, ".png"), MustPNG(t)).Must(t, http.StatusOK)
	}
}
