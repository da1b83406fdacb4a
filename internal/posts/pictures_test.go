package posts_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// mustPNG makes a picture of its own for each n.
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

// mustPut is the only chunk of a small picture.
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
	return media.Put{Hash: media.Hash(clean), Type: info.Type, Ext: info.Ext, Width: info.Width, Height: info.Height, Size: int64(len(clean)), Chunks: 1, Data: clean}
}

// A picture that an edit takes out has a day, however long ago it was uploaded:
// the next edit may put it back. Then it goes.
func TestPicturesTakenOut(t *testing.T) {
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
