// Package media owns pictures: what they are, what of them is kept, and under
// which address they are served.
//
// A picture is judged by its bytes and never by its name. What comes in is
// JPEG, PNG, GIF or WebP; SVG is refused, for it can carry scripts and loads
// things from elsewhere. Before a picture is stored everything that says where,
// when and by whom it was taken is removed (Strip) without encoding it again,
// so that no quality is lost and the same file always gives the same bytes, the
// same hash and the same address, on every node.
package media

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	// MaxBytes is the largest picture accepted, in bytes.
	MaxBytes = 10 << 20
	// MaxPixels is the largest picture accepted, in pixels (width times height).
	// Decoding costs a reader's browser four bytes each; the biggest phone
	// cameras in common use make 50 megapixels.
	MaxPixels = 64_000_000
	// ChunkSize is the length in bytes of every stored chunk but the last.
	// Chunks stay under 256 KB so that no single row, and no transaction frame
	// that carries it to the other regions, is large.
	ChunkSize = 240 << 10
)

var (
	// ErrUnsupported says that the bytes are no picture of a kind that is kept.
	ErrUnsupported = errors.New("only JPEG, PNG, GIF and WebP pictures are accepted")
	// ErrTooLarge says that a picture has too many bytes or pixels.
	ErrTooLarge = errors.New("the picture is too large")
	// ErrDamaged says that a picture is cut off or contradicts itself.
	ErrDamaged = errors.New("the picture is damaged")
)

// Info is what the bytes of a picture say about it.
type Info struct {
	Type string // media type: image/jpeg, image/png, image/gif or image/webp
	Ext  string // the file name extension of the type, with its dot
	// Width and Height are in pixels as displayed: a photo that its Exif
	// orientation turns by 90 degrees has them swapped.
	Width, Height int
}

// format is one kind of picture: how it is told and how it is taken apart.
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

// sniff finds the format of data by its first bytes.
func sniff(data []byte) (format, error) {
	if len(data) == 0 {
		return format{}, fmt.Errorf("%w; this file is empty", ErrUnsupported)
	}
	if len(data) > MaxBytes {
		return format{}, fmt.Errorf("%w: %d bytes, and at most %d are accepted; save it smaller", ErrTooLarge, len(data), MaxBytes)
	}
	for _, f := range formats() {
		if f.is(data) {
			return f, nil
		}
	}
	return format{}, unsupported(data)
}

// Inspect tells type and size of a picture from its content. It reads headers
// only: a picture that Inspect accepts may still be refused by Strip as cut off.
// The errors are ErrUnsupported, ErrTooLarge and ErrDamaged.
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

// Strip returns the picture without what is not the picture: position, camera,
// dates, comments, thumbnails, and whatever trails its end. Pixels are not
// touched. What the look depends on is kept: colour profile, transparency,
// animation and the orientation of a JPEG. Strip(Strip(x)) equals Strip(x).
// The errors are those of Inspect.
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

// Hash names stripped bytes: their SHA-256 in lower-case hexadecimal.
func Hash(stripped []byte) string {
	sum := sha256.Sum256(stripped)
	return hex.EncodeToString(sum[:])
}

// Chunks cuts data into pieces of ChunkSize; the pieces share data's memory.
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
		return fmt.Errorf("%w: %d by %d pixels, and at most %d megapixels are accepted", ErrTooLarge, w, h, MaxPixels/1_000_000)
	}
	return nil
}

func truncated(kind string) error {
	return fmt.Errorf("%w: this %s ends before its picture does", ErrDamaged, kind)
}
