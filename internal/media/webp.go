package media

import (
	"encoding/binary"
	"fmt"
)

// A WebP container (RFC 9649) consists of RIFF, a size, WEBP, and chunks that are padded to even
// length.
const (
	flagEXIF = 0x08
	flagXMP  = 0x04
	flagAnim = 0x02
)

func isWebP(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// riff returns the chunks of a WebP file without what follows its end.
func riff(data []byte) ([]byte, error) {
	n := uint64(binary.LittleEndian.Uint32(data[4:]))
	if n < 4 || n+8 > uint64(len(data)) {
		return nil, truncated("WebP")
	}
	return data[12 : 8+n], nil
}

// nextRIFF reads the chunk at the start of data. The very last one may lack its padding byte.
func nextRIFF(data []byte) (kind string, payload, remainder []byte, err error) {
	if len(data) < 8 {
		return "", nil, nil, truncated("WebP")
	}
	n := uint64(binary.LittleEndian.Uint32(data[4:]))
	if n > uint64(len(data)-8) { // #nosec G115 -- not negative
		return "", nil, nil, truncated("WebP")
	}
	end := 8 + n
	return string(data[:4]), data[8:end], data[min(end+n%2, uint64(len(data))):], nil
}

func appendRIFF(out []byte, kind string, payload []byte) []byte {
	out = append(out, kind...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(payload))) // #nosec G115 -- at most MaxBytes
	out = append(out, payload...)
	if len(payload)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// webpSize returns the size in a VP8X, VP8 or VP8L chunk.
func webpSize(kind string, p []byte) (w, h int, err error) {
	switch {
	case kind == "VP8X" && len(p) >= 10:
		return uint24(p[4:]) + 1, uint24(p[7:]) + 1, nil
	case kind == "VP8 " && len(p) >= 10 && p[0]&1 == 0 && string(p[3:6]) == "\x9d\x01\x2a":
		return int(binary.LittleEndian.Uint16(p[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(p[8:]) & 0x3fff), nil
	case kind == "VP8L" && len(p) >= 5 && p[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(p[1:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
	}
	return 0, 0, fmt.Errorf("%w: this WebP does not say how large it is", ErrDamaged)
}

func inspectWebP(data []byte) (width, height int, err error) {
	chunks, err := riff(data)
	if err != nil {
		return 0, 0, err
	}
	kind, p, _, err := nextRIFF(chunks)
	if err != nil {
		return 0, 0, err
	}
	return webpSize(kind, p)
}

func stripWebP(data []byte) ([]byte, error) {
	chunks, err := riff(data)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(data)+1), data[:12]...)
	s := webpStripper{out: out}
	for len(chunks) > 0 {
		kind, p, remainder, err := nextRIFF(chunks)
		if err != nil {
			return nil, err
		}
		if err := s.add(kind, p); err != nil {
			return nil, err
		}
		chunks = remainder
	}
	if s.pictures == 0 {
		return nil, truncated("WebP")
	}
	binary.LittleEndian.PutUint32(s.out[4:], uint32(len(s.out)-8)) // #nosec G115 -- at most MaxBytes
	return s.out, nil
}

// webpStripper collects the retained chunks.
type webpStripper struct {
	out      []byte
	first    bool // the first chunk was added
	extended bool // the first chunk was VP8X
	animated bool
	w, h     int
	pictures int
}

func (s *webpStripper) add(kind string, p []byte) error {
	if !s.first {
		w, h, err := webpSize(kind, p)
		if err != nil {
			return err
		}
		s.first, s.w, s.h = true, w, h
		if kind == "VP8X" {
			s.extended, s.animated = true, p[0]&flagAnim != 0
			head := append([]byte{}, p[:10]...)
			head[0] &^= flagEXIF | flagXMP
			s.out = appendRIFF(s.out, kind, head)
			return nil
		}
	}
	switch {
	case kind == "VP8 " || kind == "VP8L":
		if s.pictures > 0 {
			return nil // a viewer shows only the first
		}
		w, h, err := webpSize(kind, p)
		if err != nil {
			return err
		}
		if w != s.w || h != s.h {
			return fmt.Errorf("%w: this WebP has two sizes", ErrDamaged)
		}
		s.pictures++
	case kind == "ANMF" && s.animated:
		frame, err := stripFrame(p)
		if err != nil {
			return err
		}
		p = frame
		s.pictures++
	case s.extended && (kind == "ICCP" || kind == "ALPH" || kind == "ANIM"):
	default: // EXIF, XMP and unknown chunks
		return nil
	}
	s.out = appendRIFF(s.out, kind, p)
	return nil
}

// stripFrame returns the header of an animation frame and its picture.
func stripFrame(p []byte) ([]byte, error) {
	if len(p) < 16 {
		return nil, truncated("WebP")
	}
	if err := checkSize(uint24(p[6:])+1, uint24(p[9:])+1); err != nil {
		return nil, err
	}
	out := append([]byte{}, p[:16]...)
	pictures := 0
	for remainder := p[16:]; len(remainder) > 0; {
		kind, q, next, err := nextRIFF(remainder)
		if err != nil {
			return nil, err
		}
		remainder = next
		switch kind {
		case "VP8 ", "VP8L":
			w, h, err := webpSize(kind, q)
			if err != nil {
				return nil, err
			}
			if err := checkSize(w, h); err != nil {
				return nil, err
			}
			pictures++
		case "ALPH":
		default:
			continue
		}
		out = appendRIFF(out, kind, q)
	}
	if pictures != 1 {
		return nil, fmt.Errorf("%w: a frame has %d pictures", ErrDamaged, pictures)
	}
	return out, nil
}
