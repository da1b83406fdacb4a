// Package negotiate reads the headers by which a browser says what it takes and
// what it has. It decides nothing else about an answer.
package negotiate

import (
	"strconv"
	"strings"
)

// Encoding is one that answers are sent in.
type Encoding int

// The encodings, the preferred one first. None is the bytes as they are.
const (
	None   Encoding = -1
	Brotli Encoding = 0
	Gzip   Encoding = 1
)

// Accepted returns the encoding to use by an Accept-Encoding header (RFC 9110,
// 12.5.3: a quality of 0 refuses, and * stands for what is not named). A quality
// that is no number is none: plain bytes are always right.
func Accepted(header string) Encoding {
	const unnamed = -1.0
	quality, others := [...]float64{Brotli: unnamed, Gzip: unnamed}, unnamed
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			q, _ = strconv.ParseFloat(strings.TrimSpace(v), 64) // 0 when it is none
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "br":
			quality[Brotli] = q
		case "gzip", "x-gzip":
			quality[Gzip] = q
		case "*":
			others = q
		}
	}
	best, highest := None, 0.0
	for _, enc := range [...]Encoding{Brotli, Gzip} {
		q := quality[enc]
		if q == unnamed {
			q = others
		}
		if q > highest {
			best, highest = enc, q
		}
	}
	return best
}

// Known reports whether an If-None-Match header names the tag. Comparison is
// weak, as it has to be there (RFC 9110, 13.1.2).
func Known(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == etag {
			return true
		}
	}
	return false
}
