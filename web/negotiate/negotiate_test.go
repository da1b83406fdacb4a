package negotiate_test

import (
	"testing"

	"blog/web/negotiate"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]negotiate.Encoding{
		"gzip, deflate, br, zstd": negotiate.Brotli, "gzip": negotiate.Gzip, "gzip, br;q=0": negotiate.Gzip,
		"br;q=0, *": negotiate.Gzip,
		"*":         negotiate.Brotli, "*;q=0": negotiate.None, "gzip;q=1.0, br;q=0.5": negotiate.Gzip,
		"identity":         negotiate.None,
		"":                 negotiate.None,
		"br;q=0, gzip;q=0": negotiate.None, "BR": negotiate.Brotli, "gzip ; q=0.001": negotiate.Gzip,
		"x-gzip": negotiate.Gzip, "br ; Q = 1": negotiate.Brotli,
		"br;q=x": negotiate.None, "br;q=x, gzip": negotiate.Gzip, "br;q=NaN": negotiate.None, "br;q=-1": negotiate.None,
		",;,": negotiate.None,
	} {
		if got := negotiate.Accepted(header); got != want {
			t.Errorf("%q gives %v, want %v", header, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, `"a"`: true, `W/"a"`: true, `"x", W/"a"`: true, "*": true, ` "x" , * `: true, "a": false, `"ab"`: false,
		`w/"a"`: false,
	} {
		if got := negotiate.Known(header, `"a"`); got != want {
			t.Errorf("%q: got %t, want %t", header, got, want)
		}
	}
}
