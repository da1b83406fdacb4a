package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A JPEG (ITU T.81, annex B) consists of markers FF xx. Most are followed by a length that counts
// itself, and each SOS by the entropy-coded data of one scan.
const (
	mSOI  = 0xD8
	mEOI  = 0xD9
	mSOS  = 0xDA
	mTEM  = 0x01
	mAPP0 = 0xE0
	mAPP1 = 0xE1
	mAPP2 = 0xE2
	mAPPE = 0xEE
)

func isJPEG(data []byte) bool { return bytes.HasPrefix(data, []byte{0xFF, mSOI, 0xFF}) }

// segment is a marker with its payload and, after SOS, the data of the scan.
type segment struct {
	marker  byte
	payload []byte // without the two bytes of the length
	scan    []byte
}

// nextSegment reads the segment at data[at], and returns where the next one begins.
func nextSegment(data []byte, at int) (segment, int, error) {
	if at >= len(data) {
		return segment{}, 0, truncated("JPEG")
	}
	if data[at] != 0xFF {
		return segment{}, 0, fmt.Errorf("%w: no JPEG marker at byte %d", ErrDamaged, at)
	}
	for at < len(data) && data[at] == 0xFF { // any number of FF may precede a marker
		at++
	}
	if at >= len(data) {
		return segment{}, 0, truncated("JPEG")
	}
	s := segment{marker: data[at]}
	at++
	switch {
	case s.marker == 0:
		return s, 0, fmt.Errorf("%w: stray data before byte %d", ErrDamaged, at)
	case s.marker == mEOI || s.marker == mTEM || s.marker >= 0xD0 && s.marker <= mSOI:
		return s, at, nil
	}
	if at+2 > len(data) {
		return s, 0, truncated("JPEG")
	}
	n := int(binary.BigEndian.Uint16(data[at:]))
	if n < 2 {
		return s, 0, fmt.Errorf("%w: impossible length at byte %d", ErrDamaged, at)
	}
	if at+n > len(data) {
		return s, 0, truncated("JPEG")
	}
	s.payload = data[at+2 : at+n]
	at += n
	if s.marker == mSOS {
		end := scanEnd(data, at)
		s.scan = data[at:end]
		at = end
	}
	return s, at, nil
}

// scanEnd returns the place of the marker that ends entropy-coded data: an FF that is neither
// stuffed (FF 00) nor a restart marker (FF D0 to D7).
func scanEnd(data []byte, at int) int {
	for {
		i := bytes.IndexByte(data[at:], 0xFF)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		at += i
		if b := data[at+1]; b == 0 || b >= 0xD0 && b <= 0xD7 {
			at += 2
			continue
		}
		return at
	}
}

func isSOF(m byte) bool {
	return m >= 0xC0 && m <= 0xCF && m != 0xC4 && m != 0xC8 && m != 0xCC
}

func inspectJPEG(data []byte) (width, height int, err error) {
	orientation := 1
	for at := 2; ; {
		s, next, err := nextSegment(data, at)
		if err != nil {
			return 0, 0, err
		}
		at = next
		switch {
		case s.marker == mSOS || s.marker == mEOI:
			if width == 0 {
				return 0, 0, fmt.Errorf("%w: this JPEG does not say how large it is", ErrDamaged)
			}
			if orientation >= 5 {
				return height, width, nil
			}
			return width, height, nil
		case s.marker == mAPP1 && orientation == 1:
			orientation = exifOrientation(s.payload)
		case isSOF(s.marker):
			if s.marker > 0xC2 {
				return 0, 0, fmt.Errorf("%w; browsers cannot show this rare kind of JPEG: save it again", ErrUnsupported)
			}
			if len(s.payload) < 6 {
				return 0, 0, truncated("JPEG")
			}
			if width != 0 {
				return 0, 0, fmt.Errorf("%w: this JPEG has two sizes", ErrDamaged)
			}
			height = int(binary.BigEndian.Uint16(s.payload[1:]))
			width = int(binary.BigEndian.Uint16(s.payload[3:]))
			if err := checkSize(width, height); err != nil {
				return 0, 0, err
			}
		}
	}
}

func stripJPEG(data []byte) ([]byte, error) {
	out := append(make([]byte, 0, len(data)), 0xFF, mSOI)
	var seen seenSegments
	for at := 2; ; {
		s, next, err := nextSegment(data, at)
		if err != nil {
			return nil, err
		}
		at = next
		if s.marker == mEOI {
			if !seen.scan {
				return nil, truncated("JPEG")
			}
			return append(out, 0xFF, mEOI), nil
		}
		if s.scan != nil || s.marker == mSOS {
			seen.scan = true
		}
		if isSOF(s.marker) && seen.scan {
			// The size check would not see a second picture behind the first.
			return nil, fmt.Errorf("%w: this JPEG has two sizes", ErrDamaged)
		}
		payload, retain := seen.reduce(s)
		if !retain {
			continue
		}
		out = append(out, 0xFF, s.marker)
		// #nosec G115 -- a payload came with, or is shorter than, a 16-bit length
		out = binary.BigEndian.AppendUint16(out, uint16(len(payload)+2))
		out = append(out, payload...)
		out = append(out, s.scan...)
	}
}

// seenSegments has what may appear only once in a stripped JPEG.
type seenSegments struct{ jfif, exif, scan bool }

// reduce returns what is retained of a segment's payload, if anything is.
func (k *seenSegments) reduce(s segment) (payload []byte, retain bool) {
	switch s.marker {
	case mAPP0:
		// Of JFIF the density is retained, and the thumbnail is not.
		if k.jfif || len(s.payload) < 14 || !bytes.HasPrefix(s.payload, []byte("JFIF\x00")) {
			return nil, false
		}
		k.jfif = true
		return append(bytes.Clone(s.payload[:12]), 0, 0), true
	case mAPP1:
		o := exifOrientation(s.payload)
		if o == 1 || k.exif || k.scan {
			return nil, false
		}
		k.exif = true
		return orientationExif(o), true
	case mAPP2:
		return s.payload, bytes.HasPrefix(s.payload, []byte("ICC_PROFILE\x00"))
	case mAPPE: // Adobe's colour transform, without which colours are wrong
		if len(s.payload) < 12 || !bytes.HasPrefix(s.payload, []byte("Adobe")) {
			return nil, false
		}
		return s.payload[:12], true
	}
	// Decoding needs these: frames, tables, scans, DNL and the restart interval.
	return s.payload, s.marker >= 0xC0 && s.marker <= 0xCF || s.marker >= mSOS && s.marker <= 0xDD
}

// exifOrientation returns tag 0x0112 of the first directory (Exif 2.3, 4.6.4): 1 to 8, or 1 when it
// is missing or the block is broken.
func exifOrientation(app1 []byte) int {
	tiff, ok := bytes.CutPrefix(app1, []byte("Exif\x00\x00"))
	if !ok || len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	ifd := uint64(order.Uint32(tiff[4:]))
	if ifd+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[ifd+2:]
	for range order.Uint16(tiff[ifd:]) {
		if len(entries) < 12 {
			return 1
		}
		e := entries[:12]
		entries = entries[12:]
		if order.Uint16(e) != 0x0112 {
			continue
		}
		if v := order.Uint16(e[8:]); order.Uint16(e[2:]) == 3 && v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}

// orientationExif returns the smallest Exif block with an orientation.
func orientationExif(o int) []byte {
	return append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08"+ // big-endian, directory at 8
		"\x00\x01"+ // one entry
		"\x01\x12\x00\x03\x00\x00\x00\x01\x00"), // orientation, one SHORT
		byte(o), 0, 0, 0, 0, 0, 0) // #nosec G115 -- 2 to 8
}
