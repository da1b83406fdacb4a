package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

func isPNG(data []byte) bool { return bytes.HasPrefix(data, []byte(pngSignature)) }

// nextPNGChunk reads the chunk at the start of data (PNG 3rd edition, 5.3): length, type, payload,
// CRC. raw is all of it.
func nextPNGChunk(data []byte) (kind string, payload, raw []byte, err error) {
	if len(data) < 12 {
		return "", nil, nil, truncated("PNG")
	}
	n := uint64(binary.BigEndian.Uint32(data))
	if n > uint64(len(data)-12) { // #nosec G115 -- not negative
		return "", nil, nil, truncated("PNG")
	}
	raw = data[:12+n]
	payload = raw[8 : 8+n]
	if crc32.ChecksumIEEE(raw[4:8+n]) != binary.BigEndian.Uint32(raw[8+n:]) {
		return "", nil, nil, fmt.Errorf("%w: a PNG checksum is wrong", ErrDamaged)
	}
	return string(raw[4:8]), payload, raw, nil
}

func inspectPNG(data []byte) (width, height int, err error) {
	kind, p, _, err := nextPNGChunk(data[len(pngSignature):])
	if err != nil {
		return 0, 0, err
	}
	if kind != "IHDR" || len(p) != 13 {
		return 0, 0, fmt.Errorf("%w: this PNG does not begin with its size", ErrDamaged)
	}
	w, h := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return 0, 0, fmt.Errorf("%w: impossible size", ErrDamaged)
	}
	return int(w), int(h), nil
}

// retainsChunk reports whether the display of a picture depends on chunks of this kind. It does not
// depend on eXIf, tEXt, iTXt, zTXt, tIME and unknown ones.
func retainsChunk(kind string) bool {
	switch kind {
	case "IHDR", "PLTE", "IDAT", "IEND",
		"tRNS", "bKGD", "hIST", "sBIT", "sPLT", "pHYs",
		"gAMA", "cHRM", "sRGB", "iCCP", "cICP", "mDCV", "cLLI",
		"acTL", "fcTL", "fdAT":
		return true
	}
	return false
}

func stripPNG(data []byte) ([]byte, error) {
	out := append(make([]byte, 0, len(data)), pngSignature...)
	remainder := data[len(pngSignature):]
	var headers int
	var pixels bool
	for {
		kind, payload, raw, err := nextPNGChunk(remainder)
		if err != nil {
			return nil, err
		}
		remainder = remainder[len(raw):]
		switch kind {
		case "IHDR":
			headers++
		case "IDAT":
			pixels = true
		case "fcTL":
			if err := checkFrame(payload); err != nil {
				return nil, err
			}
		}
		if headers != 1 {
			return nil, fmt.Errorf("%w: this PNG has two sizes", ErrDamaged)
		}
		if !retainsChunk(kind) {
			if kind[0]&0x20 == 0 { // upper case: the picture cannot be shown without it
				return nil, fmt.Errorf("%w; this PNG needs an unknown extension %q", ErrUnsupported, kind)
			}
			continue
		}
		out = append(out, raw...)
		if kind == "IEND" {
			if !pixels {
				return nil, truncated("PNG")
			}
			return out, nil
		}
	}
}

// checkFrame refuses a frame of an animation that is too large by itself.
func checkFrame(fcTL []byte) error {
	if len(fcTL) != 26 {
		return fmt.Errorf("%w: a frame has no size", ErrDamaged)
	}
	w, h := binary.BigEndian.Uint32(fcTL[4:]), binary.BigEndian.Uint32(fcTL[8:])
	if w > 1<<31-1 || h > 1<<31-1 {
		return fmt.Errorf("%w: impossible size", ErrDamaged)
	}
	return checkSize(int(w), int(h))
}
