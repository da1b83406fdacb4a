package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"testing"

	_ "golang.org/x/image/webp"

	"blog/internal/media"
)

type sample struct {
	name  string
	data  []byte
	mime  string
	w, h  int
	still bool // the standard library can decode it
}

func samples(tb testing.TB) []sample {
	tb.Helper()
	return []sample{
		{"jpeg", MustJPEG(tb), "image/jpeg", 6, 4, true},
		{"photo upright", MustDirtyJPEG(tb, 1), "image/jpeg", 6, 4, true},
		{"photo turned", MustDirtyJPEG(tb, 6), "image/jpeg", 4, 6, true},
		{"photo upside down", MustDirtyJPEG(tb, 3), "image/jpeg", 6, 4, true},
		{"png", MustPNG(tb), "image/png", 6, 4, true},
		{"png with metadata", MustDirtyPNG(tb), "image/png", 6, 4, true},
		{"gif", MustGIF(tb), "image/gif", 6, 4, true},
		{"gif with metadata", MustDirtyGIF(tb), "image/gif", 6, 4, true},
		{"webp", webp(riffChunk("VP8L", lossless)), "image/webp", 1, 1, true},
		{"webp with metadata", dirtyWebP(), "image/webp", 1, 1, false},
		{"moving webp", movingWebP(), "image/webp", 1, 1, false},
	}
}

func TestInspectReturnsTypeAndDisplayedSize(t *testing.T) {
	for _, s := range samples(t) {
		info, err := media.Inspect(s.data)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if info.Type != s.mime {
			t.Errorf("%s: got the type %s, want %s", s.name, info.Type, s.mime)
		}
		wantSize(t, s.name, info, s.w, s.h)
	}
}

// wantSize checks how large a picture is shown, in pixels.
func wantSize(tb testing.TB, what string, info media.Info, width, height int) {
	tb.Helper()
	if info.Width != width {
		tb.Errorf("%s: got the width %d, want %d", what, info.Width, width)
	}
	if info.Height != height {
		tb.Errorf("%s: got the height %d, want %d", what, info.Height, height)
	}
}

func TestStripRemovesWhatIsPrivateAndRetainsThePicture(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			got, err := media.Strip(s.data)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{private, "xap", "XMP", "EXIF", "eXIf", "MotionPhoto", "thu"} {
				if bytes.Contains(got, []byte(text)) {
					t.Errorf("%q is in the stripped picture, want it removed", text)
				}
			}
			again, err := media.Strip(got)
			if err != nil {
				t.Fatalf("stripped again: %v", err)
			}
			if !bytes.Equal(again, got) {
				t.Errorf("stripped again: got other %d bytes, want the %d bytes", len(again), len(got))
			}
			info, err := media.Inspect(got)
			if err != nil {
				t.Fatalf("stripped: %v", err)
			}
			wantSize(t, "stripped", info, s.w, s.h)
			if s.still {
				mustSamePixels(t, s.data, got)
			}
		})
	}
}

func mustSamePixels(tb testing.TB, before, after []byte) {
	tb.Helper()
	a, _, err := image.Decode(bytes.NewReader(before))
	if err != nil {
		tb.Fatal(err)
	}
	b, _, err := image.Decode(bytes.NewReader(after))
	if err != nil {
		tb.Fatal(err)
	}
	if a.Bounds() != b.Bounds() {
		tb.Fatalf("got the bounds %v, want %v", b.Bounds(), a.Bounds())
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				tb.Fatalf("pixel %d,%d: got %v, want %v", x, y, b.At(x, y), a.At(x, y))
			}
		}
	}
}

func TestStripRetainsWhatTheDisplayDependsOn(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{
			"jpeg", MustDirtyJPEG(t, 6),
			[]string{"ICC_PROFILE\x00\x01\x01profile", "Exif\x00\x00MM\x00*", "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06"},
		},
		{"png", MustDirtyPNG(t), []string{"pHYs", "sRGB"}},
		{"gif", MustDirtyGIF(t), []string{"NETSCAPE2.0\x03\x01\x03\x00\x00"}},
		{"webp", dirtyWebP(), []string{"VP8X\x0a\x00\x00\x00\x20\x00", "ICCP", "profile"}},
		{"moving webp", movingWebP(), []string{"ANIM", "ANMF"}},
	} {
		got, err := media.Strip(c.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !bytes.Contains(got, []byte(w)) {
				t.Errorf("%s: got a picture without %q, want it retained", c.name, w)
			}
		}
		if c.name != "webp" {
			continue
		}
		if n := int(binary.LittleEndian.Uint32(got[4:])); n != len(got)-8 {
			t.Errorf("got the RIFF size %d, want %d", n, len(got)-8)
		}
	}
	upright, err := media.Strip(MustDirtyJPEG(t, 1))
	if err != nil {
		t.Fatalf("an upright photo: %v", err)
	}
	if bytes.Contains(upright, []byte("Exif")) {
		t.Error("an upright photo has Exif data, want none")
	}
}

func TestStripRefusesEveryCutFile(t *testing.T) {
	for _, s := range samples(t) {
		whole, err := media.Strip(s.data)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(whole) {
			if s.mime == "image/webp" && n == len(whole)-1 && whole[n] == 0 {
				continue // only the padding is missing
			}
			if _, err := media.Strip(whole[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes: got no error, want one", s.name, n, len(whole))
			} else if !errors.Is(err, media.ErrDamaged) && !errors.Is(err, media.ErrUnsupported) {
				t.Errorf("%s cut to %d: got %v, want %v or %v", s.name, n, err, media.ErrDamaged, media.ErrUnsupported)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	bomb := bytes.Clone(MustPNG(t))
	copy(bomb[8:], pngChunk("IHDR", "\x00\x01\x00\x00\x00\x01\x00\x00\x08\x06\x00\x00\x00"))
	broken := bytes.Clone(MustPNG(t))
	broken[45] ^= 1
	sof := MustJPEG(t)
	at := bytes.Index(sof, []byte{0xFF, 0xC0})
	second := insert(sof, at, sof[at:at+2+int(binary.BigEndian.Uint16(sof[at+2:]))])
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"svg", []byte("\ufeff <svg xmlns='http://www.w3.org/2000/svg'/>"), media.ErrUnsupported, "SVG"},
		{"xml", []byte("<?xml version='1.0'?><svg/>"), media.ErrUnsupported, "SVG"},
		{"html", []byte("<!doctype html>"), media.ErrUnsupported, "page"},
		{"heic", []byte("\x00\x00\x00\x18ftypheic...."), media.ErrUnsupported, "HEIC"},
		{"tiff", []byte("II*\x00........"), media.ErrUnsupported, "TIFF"},
		{"empty", nil, media.ErrUnsupported, "empty"},
		{"text", []byte("hello"), media.ErrUnsupported, "JPEG, PNG, GIF and WebP"},
		{"too many bytes", append(MustPNG(t), make([]byte, media.MaxBytes)...), media.ErrTooLarge, "bytes"},
		{"png bomb", bomb, media.ErrTooLarge, "65536 by 65536"},
		{"gif bomb", []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00;"), media.ErrTooLarge, "megapixels"},
		{"webp bomb", webp(vp8x(0, 1<<24, 1<<24)), media.ErrTooLarge, "megapixels"},
		{"webp of two sizes", webp(vp8x(0, 2, 2), riffChunk("VP8L", lossless)), media.ErrDamaged, "two sizes"},
		{"jpeg of two sizes", second, media.ErrDamaged, "two sizes"},
		{"bad checksum", broken, media.ErrDamaged, "checksum"},
	} {
		_, err := media.Strip(c.data)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if got := fmt.Sprint(err); !strings.Contains(got, c.says) {
			t.Errorf("%s: got %q, want %q in it", c.name, got, c.says)
		}
	}
}

func TestChunksJoinToTheWhole(t *testing.T) {
	for _, n := range []int{0, 1, media.ChunkSize - 1, media.ChunkSize, media.ChunkSize + 1, 3*media.ChunkSize + 5} {
		data := bytes.Repeat([]byte("x"), n)
		chunks := media.Chunks(data)
		for _, c := range chunks {
			if len(c) == 0 {
				t.Errorf("%d bytes: got an empty chunk, want none", n)
			}
			if most := min(media.ChunkSize, 256<<10-1); len(c) > most {
				t.Errorf("%d bytes: got a chunk of %d, want at most %d", n, len(c), most)
			}
		}
		if got := bytes.Join(chunks, nil); !bytes.Equal(got, data) {
			t.Errorf("%d bytes: got other %d bytes of all chunks, want the whole", n, len(got))
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"photo.JPG":                  "photo.png",
		"../../etc/passwd":           "passwd.png",
		`C:\Users\me\holiday 1.jpeg`: "holiday-1.png",
		"Grüße aus Köln.png":         "Grüße-aus-Köln.png",
		"Gru\u0308n.png":             "Grün.png",
		"写真.png":                     "写真.png",
		"صورة.png":                   "صورة.png",
		"a\u202egpj.exe":             "a-gpj.png",
		"a\x00b\r\nc.png":            "a-b-c.png",
		"\xff\xfe.png":               "image.png",
		"....png":                    "image.png",
		"..":                         "image.png",
		"":                           "image.png",
		".htaccess":                  "htaccess.png",
		"a..b.png":                   "a.b.png",
		"evil.html.png":              "evil.html.png",
		"x?y=1&z#q.png":              "x-y-1-z-q.png",
		"\u0301x.png":                "x.png",
	} {
		if got := media.SafeName(in, ".png"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if n := len(media.SafeName(strings.Repeat("写", 500), ".png")); n > 130 {
		t.Errorf("a name of %d bytes, want at most 130", n)
	}
	hash := media.Hash([]byte("abc"))
	if hash != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%v, want %q", hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	}
	if got := media.Address("ab12", "Köln.png"); got != "/media/ab12/K%C3%B6ln.png" {
		t.Errorf("%v, want %q", got, "/media/ab12/K%C3%B6ln.png")
	}
}

func FuzzStrip(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.data)
		f.Add(s.data[:len(s.data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		info, inspectErr := media.Inspect(data)
		got, err := media.Strip(data)
		if err != nil {
			return
		}
		if inspectErr != nil {
			t.Fatalf("stripped what Inspect refuses: %v", inspectErr)
		}
		again, err := media.Strip(got)
		if err != nil {
			t.Fatalf("stripped again: %v", err)
		}
		if !bytes.Equal(again, got) {
			t.Fatalf("stripped again: got other %d bytes, want the %d bytes", len(again), len(got))
		}
		after, err := media.Inspect(got)
		if err != nil {
			t.Fatalf("stripped: %v", err)
		}
		if after != info {
			t.Fatalf("stripped: got %+v, want %+v", after, info)
		}
	})
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.png", "../x", "写真", "a\u202eb", "\xff", "a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := media.SafeName(name, ".gif")
		if again := media.SafeName(got, ".gif"); again != got {
			t.Errorf("%q: got %q, want %q, as the first time", name, again, got)
		}
		if strings.Contains(got, "..") {
			t.Errorf("%q: got %q, want no .. in it", name, got)
		}
		if strings.ContainsAny(got, "/\\\x00") {
			t.Errorf("%q: got %q, want no slash, backslash or NUL in it", name, got)
		}
		if got[0] == '.' {
			t.Errorf("%q: got %q, want no dot at its start", name, got)
		}
	})
}
