// Package negotiate parses the headers in which a browser says which encodings it accepts and which
// versions it has. It decides nothing else about an answer.
package negotiate

import (
	"strconv"
	"strings"
)

// Encoding is an encoding in which answers are sent.
type Encoding int

// The encodings, the preferred one first. None means the bytes as they are.
const (
	None   Encoding = -1
	Brotli Encoding = 0
	Gzip   Encoding = 1
)

// Accepted returns the encoding to use for an Accept-Encoding header (RFC 9110, 12.5.3: a quality
// of 0 refuses, and * stands for encodings that are not named). A quality that is no number counts
// as 0, since plain bytes are always right.
func Accepted(header string) Encoding {
	const unnamed = -1.0
	quality, others := [...]float64{Brotli: unnamed, Gzip: unnamed}, unnamed
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			q, _ = strconv.ParseFloat(strings.TrimSpace(v), 64) // 0 when it is no number
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

// Known reports whether an If-None-Match header has the tag. The comparison is weak, as RFC 9110,
// 13.1.2 demands.
func Known(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == etag {
			return true
		}
	}
	return false
}
