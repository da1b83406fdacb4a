package media_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// private stands for everything that must be removed: a position, a name, a comment.
const private = "52.5200N 13.4050E"

func picture() *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, 6, 4), palette.Plan9)
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	return m
}

func MustJPEG(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func MustPNG(tb testing.TB) []byte {
	tb.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 6, 4))
	m.Set(1, 1, color.NRGBA{R: 200, A: 100})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func MustGIF(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	g := &gif.GIF{Image: []*image.Paletted{picture(), picture()}, Delay: []int{5, 5}, LoopCount: 3}
	if err := gif.EncodeAll(&b, g); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// insert puts parts into data at a position.
func insert(data []byte, at int, parts ...[]byte) []byte {
	return bytes.Join([][]byte{data[:at], bytes.Join(parts, nil), data[at:]}, nil)
}

func jpegSegment(marker byte, payload string) []byte {
	// #nosec G115 -- small by construction
	b := binary.BigEndian.AppendUint16([]byte{0xFF, marker}, uint16(len(payload)+2))
	return append(b, payload...)
}

// exif returns an Exif block with an orientation and a GPS directory.
func exif(order binary.AppendByteOrder, orientation uint16) string {
	b := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		b = []byte("II*\x00")
	}
	entry := func(tag, kind uint16, n uint32, value []byte) {
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag), kind), n)
		b = append(b, value...)
	}
	b = order.AppendUint16(order.AppendUint32(b, 8), 2)
	entry(0x0112, 3, 1, append(order.AppendUint16(nil, orientation), 0, 0))
	entry(0x8825, 4, 1, order.AppendUint32(nil, 38))
	b = order.AppendUint32(b, 0)
	b = order.AppendUint16(b, 1)
	entry(1, 2, uint32(len(private)), order.AppendUint32(nil, 56))
	b = order.AppendUint32(b, 0)
	return "Exif\x00\x00" + string(b) + private
}

// MustDirtyJPEG returns a photo as a phone writes it.
func MustDirtyJPEG(tb testing.TB, orientation uint16) []byte {
	tb.Helper()
	data := insert(MustJPEG(tb), 2,
		jpegSegment(0xE0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01thu"),
		jpegSegment(0xE1, exif(binary.LittleEndian, orientation)),
		jpegSegment(0xE1, "http://ns.adobe.com/xap/1.0/\x00<x>"+private+"</x>"),
		jpegSegment(0xE2, "ICC_PROFILE\x00\x01\x01profile"),
		jpegSegment(0xE2, "MPF\x00"+private),
		jpegSegment(0xED, "Photoshop 3.0\x00"+private),
		[]byte{0xFF, 0xFF}, jpegSegment(0xFE, private))
	return append(data, "MotionPhoto "+private...)
}

func pngChunk(kind, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))) // #nosec G115 -- small by construction
	b = append(append(b, kind...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func MustDirtyPNG(tb testing.TB) []byte {
	tb.Helper()
	data := insert(MustPNG(tb), 8+25,
		pngChunk("pHYs", "\x00\x00\x0b\x13\x00\x00\x0b\x13\x01"), pngChunk("sRGB", "\x00"),
		pngChunk("eXIf", exif(binary.BigEndian, 1)[6:]), pngChunk("tEXt", "Comment\x00"+private),
		pngChunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+private), pngChunk("zTXt", "a\x00\x00"+private),
		pngChunk("tIME", "\x07\xe8\x05\x01\x0a\x1e\x00"), pngChunk("prVt", private))
	return append(data, private...)
}

func subBlocks(text string) []byte {
	return append(append([]byte{byte(len(text))}, text...), 0) // #nosec G115 -- small by construction
}

func MustDirtyGIF(tb testing.TB) []byte {
	tb.Helper()
	data := MustGIF(tb)
	at := 13 // EncodeAll writes each frame's colours with the frame
	if flags := data[10]; flags&0x80 != 0 {
		at += 3 << (flags&7 + 1)
	}
	data = insert(data, at,
		append([]byte{0x21, 0xFE}, subBlocks(private)...),
		append([]byte{0x21, 0xFF, 11}, append([]byte("XMP DataXMP"), subBlocks(private)...)...))
	return append(data, private...)
}

func riffChunk(kind, payload string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(payload))) // #nosec G115 -- small by construction
	b = append(b, payload...)
	if len(payload)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func webp(chunks ...[]byte) []byte {
	body := bytes.Join(chunks, nil)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4)) // #nosec G115 -- small by construction
	return append(append(b, "WEBP"...), body...)
}

// lossless is the payload of the smallest VP8L picture: one black pixel.
const lossless = "\x2f\x00\x00\x00\x00\x88\x88\x08"

func vp8x(flags byte, w, h int) []byte {
	w, h = w-1, h-1
	// #nosec G115 -- small by construction
	size := []byte{byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)}
	return riffChunk("VP8X", string(append([]byte{flags, 0, 0, 0}, size...)))
}

func dirtyWebP() []byte {
	return append(webp(vp8x(0x20|0x08|0x04, 1, 1), riffChunk("ICCP", "profile"), riffChunk("VP8L", lossless),
		riffChunk("EXIF", exif(binary.BigEndian, 1)), riffChunk("XMP ", private), riffChunk("prvt", private)), private...)
}

func movingWebP() []byte {
	frame := "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00" +
		string(riffChunk("VP8L", lossless)) + string(riffChunk("meta", private))
	return webp(vp8x(0x02, 1, 1), riffChunk("ANIM", "\x00\x00\x00\x00\x00\x00"), riffChunk("ANMF", frame),
		riffChunk("ANMF", frame))
}
