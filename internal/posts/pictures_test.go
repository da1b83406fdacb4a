package posts_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

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
		if !strings.Contains(html, want) || want == "" && strings.Contains(html, "<img") {
			t.Errorf("%s: got %s, want %s in it", body, html, want)
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
	if edit(with); w.count("SELECT COUNT(*) FROM post_media") != 1 {
		t.Error("not put back")
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
		if strings.Count(html, `href="/media/`+hash) != 2 || !strings.Contains(html, `href="c.png"`) {
			t.Errorf("got %s", html)
		}
		body := w.post(ref.ID).Body + "\n\nMore."
		must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Body: &body})
	}
}
