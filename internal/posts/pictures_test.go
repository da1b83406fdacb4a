package posts_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"blog/internal/media"
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
