package posts_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// mustPNG returns a picture that is different for each n.
func mustPNG(tb testing.TB, n int) []byte {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, n, 3))
	for i := range img.Pix {
		img.SetGray(i%n, i/n, color.Gray{Y: uint8(i * n)}) // #nosec G115 -- any grey will do
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// mustPut returns the command for the only chunk of a small picture.
func mustPut(tb testing.TB, data []byte) media.Put {
	tb.Helper()
	clean, err := media.Strip(data)
	if err != nil {
		tb.Fatal(err)
	}
	info, err := media.Inspect(clean)
	if err != nil {
		tb.Fatal(err)
	}
	return media.Put{
		Hash: media.Hash(clean), Type: info.Type, Ext: info.Ext, Width: info.Width, Height: info.Height,
		Size: int64(len(clean)), Chunks: 1, Data: clean,
	}
}

// TestPicturesOfAnotherSite: where a text shows pictures at addresses that its former site had, and
// they are not stored, readers see the alternative text and no broken picture.
func TestPicturesOfAnotherSite(t *testing.T) {
	w := mustWorld(t)
	for body, want := range map[string]string{
		"![a map](map.png)":          `<span class="missing-image">a map</span>`,
		"![a map](/images/map.png)":  `<span class="missing-image">a map</span>`,
		"![a map](/images/map.png?)": `<span class="missing-image">a map</span>`,
		"![](/images/map.png)":       "",
		"![a map](/assets/map.svg)":  `src="/assets/map.svg"`,
	} {
		ref := must(w, posts.Create{Title: "T", Body: body + " Text."})
		html := w.post(ref.ID).HTML
		if !strings.Contains(html, want) {
			t.Errorf("%s: got %s, want %s in it", body, html, want)
		}
		if want == "" && strings.Contains(html, "<img") {
			t.Errorf("%s: got %s, want no <img in it", body, html)
		}
	}
}

// TestPicturesRemovedFromAPost: a picture that an edit removes stays for a day, however long ago it
// was uploaded, because the next edit may show it again. Then it is removed.
func TestPicturesRemovedFromAPost(t *testing.T) {
	w := mustWorld(t)
	system := repotest.As(t.Context(), repo.System)
	pic := mustUpload(w, 7)
	with := "![](" + media.Address(pic.Hash, "a.png") + ")"
	ref := must(w, posts.Create{Title: "T", Body: with})
	longAgo := func() {
		w.exec("UPDATE media SET added_at = '2020-01-01T00:00:00.000Z', used_at = '2020-01-01T00:00:00.000Z'")
	}
	swept := func() bool {
		got, err := repo.Write(system, w.primary, media.Sweep{Hash: pic.Hash})
		if err != nil {
			t.Fatal(err)
		}
		return got.Removed
	}
	edit := func(body string) {
		ref = must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Body: &body})
	}
	longAgo()
	if edit(with + " and more"); swept() {
		t.Error("removed although the post shows it")
	}
	if edit("nothing"); swept() {
		t.Error("removed at once")
	}
	edit(with)
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 1 {
		t.Errorf("put back: the post shows %d pictures, want 1", n)
	}
	edit("nothing")
	longAgo()
	if !swept() {
		t.Error("kept for ever")
	}
}

// TestALinkToAPictureGetsTheStoredOne: also after an edit of the text.
func TestALinkToAPictureGetsTheStoredOne(t *testing.T) {
	w := mustWorld(t)
	hash := mustUpload(w, 7).Hash
	const text = "---\nslug: a\ndate: 2024-01-01\n---\n[![x](/img/a.png)](/img/a.png) [big](b.png) [other](c.png)\n"
	ref := must(w, mustFile(t, "a.md", text, map[string]string{"/img/a.png": hash, "b.png": hash}))
	for range 2 {
		html := w.post(ref.ID).HTML
		if n := strings.Count(html, `href="/media/`+hash); n != 2 {
			t.Errorf("got %d links to the stored picture, want 2, in %s", n, html)
		}
		if !strings.Contains(html, `href="c.png"`) {
			t.Errorf("got %s, want %s in it", html, `href="c.png"`)
		}
		body := w.post(ref.ID).Body + "\n\nMore."
		must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Body: &body})
	}
}

func TestPicturesOfAnImport(t *testing.T) {
	w := mustWorld(t)
	one, two := mustUpload(w, 7), mustUpload(w, 8)
	pictures := []media.Picture{one, two}
	const text = "---\nslug: p\npublished_at: 2024-05-01\n---\n![A](img/a%20b.png) ![again](img/a%20b.png) ![B](b.png) " +
		"![none](none.png)\n"
	file := mustFile(t, "p.md", text, map[string]string{
		"img/a b.png": one.Hash, "b.png": two.Hash, "unused.png": two.Hash,
	})
	ref := must(w, file)
	p := w.post(ref.ID)
	if n := strings.Count(p.HTML, `src="/media/`+one.Hash+`/a-b.png"`); n != 2 {
		t.Errorf("got the first picture %d times, want 2, in %s", n, p.HTML)
	}
	for _, part := range []string{`width="7"`, two.Hash} {
		if !strings.Contains(p.HTML, part) {
			t.Errorf("got %s, want %s in it", p.HTML, part)
		}
	}
	if strings.Contains(p.HTML, "none.png") {
		t.Errorf("got %s, want no none.png in it", p.HTML)
	}
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 2 {
		t.Errorf("%d pictures are noted, want 2", n)
	}
	rows := w.rows()
	if got, want := must(w, file), unchanged(ref); got != want {
		t.Errorf("twice: got %+v, want %+v", got, want)
	}
	w.wantRows("twice", rows)
	// After an edit here the post still has the pictures that its text names.
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Body: to("Only ![B](b.png) now")})
	if p := w.post(ref.ID); !strings.Contains(p.HTML, two.Hash) {
		t.Errorf("got %s, want %s in it", p.HTML, two.Hash)
	}
	wantPublic := func(when string, want ...bool) { // of the pictures one, two and those that follow
		t.Helper()
		var got []bool
		for _, p := range pictures {
			got = append(got, view(w, func(rd repo.Reader) (bool, error) { return media.Public(w.ctx, rd, p.Hash) }))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: which pictures are public (-want +got):\n%s", when, diff)
		}
	}
	wantPublic("edited", false, true)
	file.Force = true
	must(w, file)
	wantPublic("imported again", true, true)
	// A file whose picture has other content under the same name.
	three := mustUpload(w, 9)
	pictures = append(pictures, three)
	file = mustFile(t, "p.md", text, map[string]string{"img/a b.png": one.Hash, "b.png": three.Hash})
	if got := must(w, file); got.Unchanged {
		t.Errorf("another picture: got %+v, want a change", got)
	}
	wantPublic("another picture", true, false, true)
	must(w, posts.Unpublish{Target: posts.Target{ID: ref.ID}})
	wantPublic("unpublished", false, false, false)
}

func TestAnImportWhosePictureIsGone(t *testing.T) {
	w := mustWorld(t)
	pic := mustUpload(w, 7)
	file := mustFile(t, "p.md", "---\nslug: p\npublished_at: 2024-05-01\n---\n![A](a.png) ![none](none.png)\n",
		map[string]string{"a.png": pic.Hash})
	w.sweep()
	w.clock.Advance(26 * time.Hour)
	w.sweep()
	_, err := try(w, file, repo.WithKey("import"))
	if !apperr.HasReason(err, posts.PicturesGone) {
		t.Errorf("got %v, want the reason %s", err, posts.PicturesGone)
	}
	if got := apperr.From(err).Code; got != apperr.Conflict {
		t.Errorf("got the code %s, want %s", got, apperr.Conflict)
	}
	if n := w.count("SELECT COUNT(*) FROM posts"); n != 0 {
		t.Errorf("got %d posts, want 0", n)
	}
	mustUpload(w, 7)
	ref := must(w, file, repo.WithKey("import"))
	html := w.post(ref.ID).HTML
	if !strings.Contains(html, pic.Hash) {
		t.Errorf("got %s, want %s in it", html, pic.Hash)
	}
	if strings.Contains(html, "none.png") {
		t.Errorf("got %s, want no none.png in it", html)
	}
}

func mustUpload(w *world, n int) media.Picture {
	w.tb.Helper()
	p, err := media.Upload(w.ctx, w.replica, mustPNG(w.tb, n))
	if err != nil {
		w.tb.Fatal(err)
	}
	return p
}
