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
			if l.Stored <= before {
				t.Errorf("got %d bytes stored, want more than the %d before", l.Stored, before)
			}
			if l.Size != int64(len(data)) {
				t.Errorf("got the size %d, want %d", l.Size, len(data))
			}
			before = l.Stored
		}
		if before != int64(len(data)) {
			t.Errorf("got %d bytes stored in the end, want %d", before, len(data))
		}
		if i == 0 {
			if len(lines) < 4 {
				t.Errorf("got %d lines, want at least 4", len(lines))
			}
		}
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(last.HTML))
		if err != nil {
			t.Fatal(err)
		}
		if src := doc.Find("li img").AttrOr("src", ""); src != last.URL {
			t.Errorf("got the picture of %q, want %q", src, last.URL)
		}
		if snippet := doc.Find("[data-snippet]").Text(); !strings.Contains(snippet, last.URL) {
			t.Errorf("got the snippet %q, want %q in it", snippet, last.URL)
		}
		if last.Durability != "two" {
			t.Errorf("got the durability %q, want %q", last.Durability, "two")
		}
		got.expectHeader(t, "Content-Type", "application/x-ndjson")
		got.expectHeader(t, "Cache-Control", "no-store")
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
		lines := got.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%s: got %d lines, want 1: %+v", name, len(lines), lines)
		}
		if !strings.Contains(lines[0].Error, c.says) {
			t.Errorf("%s: got the error %q, want %q in it", name, lines[0].Error, c.says)
		}
	}
	MustOpen(t, w.primary).Upload(t, "/admin/pictures", url.Values{}, "a.png", MustPNG(t)).Must(t, http.StatusUnauthorized)
	if n := MustCount(t, w.primary)["media"]; n != 0 {
		t.Errorf("got %d pictures, want 0", n)
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
			t.Errorf("%s: got no Retry-After in %v, want one", a.path, a.header)
		}
		if a.path == "/admin/posts" {
			MustRetain(t, a, editor("do", "save", "body", hostileText))
		}
	}
	n := MustCount(t, w.primary)
	for _, table := range []string{"posts", "media"} {
		if n[table] != 0 {
			t.Errorf("got %d rows of %s, want 0, as nothing is saved", n[table], table)
		}
	}
	b.Upload(t, "/admin/posts", editor("do", "save", "body", strings.Repeat("long ", 1000)), "", nil).
		Must(t, http.StatusSeeOther)
	for i := range 3 { // each releases its room again
		b.Upload(t, "/admin/pictures", url.Values{}, fmt.Sprint(i, ".png"), MustPNG(t)).Must(t, http.StatusOK)
	}
}
