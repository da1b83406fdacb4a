// Package media owns pictures: their formats, what is stored of them, and the addresses under which they are served.
//
// A picture is judged by its bytes and never by its name. JPEG, PNG, GIF and WebP are accepted. SVG is refused, because
// it can contain scripts and load things from elsewhere. Before a picture is stored, everything that says where, when
// and by whom it was taken is removed (Strip), without encoding it again: no quality is lost, and the same file always
// gives the same bytes, the same hash and the same address, on every node.
package media

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	// MaxBytes is the size of the largest accepted picture, in bytes.
	MaxBytes = 10 << 20
	// MaxPixels is the size of the largest accepted picture, in pixels (width times height).
	// Decoding takes four bytes of a reader's browser for each, and the biggest common phone
	// cameras make 50 megapixels.
	MaxPixels = 64_000_000
	// ChunkSize is the length in bytes of every stored chunk except the last. It is less than 256
	// KB, so that no single row, and no frame of a transaction that carries it to the other
	// regions, is large.
	ChunkSize = 240 << 10
)

var (
	// ErrUnsupported means that the bytes are no picture of an accepted format.
	ErrUnsupported = errors.New("only JPEG, PNG, GIF and WebP pictures are accepted")
	// ErrTooLarge means that a picture has too many bytes or pixels.
	ErrTooLarge = errors.New("the picture is too large")
	// ErrDamaged means that a picture is cut off or contradicts itself.
	ErrDamaged = errors.New("the picture is damaged")
)

// Info is what the bytes of a picture say about it.
type Info struct {
	Type string // media type: image/jpeg, image/png, image/gif or image/webp
	Ext  string // file name extension of the type, with its dot
	// Width and Height are in pixels as displayed. A photo that its Exif orientation turns by 90
	// degrees has them swapped.
	Width, Height int
}

// format is a format of pictures: how to recognize it and how to read it.
type format struct {
	mime, ext string
	is        func([]byte) bool
	inspect   func([]byte) (width, height int, err error)
	strip     func([]byte) ([]byte, error)
}

func formats() []format {
	return []format{
		{"image/jpeg", ".jpg", isJPEG, inspectJPEG, stripJPEG},
		{"image/png", ".png", isPNG, inspectPNG, stripPNG},
		{"image/gif", ".gif", isGIF, inspectGIF, stripGIF},
		{"image/webp", ".webp", isWebP, inspectWebP, stripWebP},
	}
}

// sniff returns the format of data, by its first bytes.
func sniff(data []byte) (format, error) {
	if len(data) == 0 {
		return format{}, fmt.Errorf("%w; this file is empty", ErrUnsupported)
	}
	if len(data) > MaxBytes {
		return format{}, fmt.Errorf("%w: %d bytes, and at most %d are accepted; save it smaller", ErrTooLarge, len(data),
			MaxBytes)
	}
	for _, f := range formats() {
		if f.is(data) {
			return f, nil
		}
	}
	return format{}, unsupported(data)
}

// Inspect returns type and size of a picture from its content. It reads only headers, so Strip may
// still refuse the picture as cut off. It fails with ErrUnsupported, ErrTooLarge or ErrDamaged.
func Inspect(data []byte) (Info, error) {
	f, err := sniff(data)
	if err != nil {
		return Info{}, err
	}
	w, h, err := f.inspect(data)
	if err != nil {
		return Info{}, err
	}
	if err := checkSize(w, h); err != nil {
		return Info{}, err
	}
	return Info{Type: f.mime, Ext: f.ext, Width: w, Height: h}, nil
}

// Strip returns the picture without what is not the picture: position, camera, dates, comments,
// thumbnails, and whatever follows its end. It changes no pixel, and retains what the display
// depends on: colour profile, transparency, animation and the orientation of a JPEG.
// Strip(Strip(x)) equals Strip(x). It fails with the errors of Inspect.
func Strip(data []byte) ([]byte, error) {
	f, err := sniff(data)
	if err != nil {
		return nil, err
	}
	if _, err := Inspect(data); err != nil {
		return nil, err
	}
	return f.strip(data)
}

// Hash returns the name of stripped bytes: their SHA-256 in lower-case hexadecimal.
func Hash(stripped []byte) string {
	sum := sha256.Sum256(stripped)
	return hex.EncodeToString(sum[:])
}

// Chunks cuts data into pieces of ChunkSize, which share data's memory.
func Chunks(data []byte) [][]byte {
	chunks := make([][]byte, 0, (len(data)+ChunkSize-1)/ChunkSize)
	for len(data) > 0 {
		n := min(len(data), ChunkSize)
		chunks = append(chunks, data[:n:n])
		data = data[n:]
	}
	return chunks
}

// checkSize refuses pictures that would fill a reader's memory when decoded.
func checkSize(w, h int) error {
	if w <= 0 || h <= 0 {
		return fmt.Errorf("%w: it says to be %d by %d pixels", ErrDamaged, w, h)
	}
	if w > MaxPixels/h {
		return fmt.Errorf("%w: %d by %d pixels, and at most %d megapixels are accepted", ErrTooLarge, w, h,
			MaxPixels/1_000_000)
	}
	return nil
}

func truncated(kind string) error {
	return fmt.Errorf("%w: this %s ends before its picture does", ErrDamaged, kind)
}
