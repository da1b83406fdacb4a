package assets_test

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"blog/web/assets"
)

// luminance is WCAG 2.2's relative luminance of #rrggbb.
func luminance(tb testing.TB, hex string) float64 {
	tb.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		tb.Fatalf("the colour %q: %v", hex, err)
	}
	if len(hex) != 6 {
		tb.Fatalf("the colour %q: got %d digits, want 6", hex, len(hex))
	}
	linear := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

func contrast(tb testing.TB, a, b string) float64 {
	tb.Helper()
	x, y := luminance(tb, a), luminance(tb, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast: each pair of colours that meet has the contrast of WCAG's AA: 4.5 for text, 3 for
// the edges of controls and for focus.
func TestContrast(t *testing.T) {
	set := mustSet(t, nil)
	css := get(t, set, http.MethodGet, set.Base()+assets.Sheet, nil).body
	tokens := make(map[string][2]string)
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);`).
		FindAllStringSubmatch(css, -1) {
		tokens[m[1]] = [2]string{m[2], m[3]}
	}
	met := make(map[string]bool)
	for _, pair := range []struct {
		front, back string
		least       float64
	}{
		{"ink", "paper", 7}, {"ink", "sheet", 7},
		{"soft", "paper", 4.5}, {"soft", "sheet", 4.5},
		{"accent", "paper", 4.5}, {"accent", "sheet", 4.5}, {"accent-strong", "paper", 4.5}, {"accent-strong", "sheet", 4.5},
		{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
		{"on-mark", "mark", 4.5}, {"ink", "mark", 4.5},
		{"on-warn", "warn", 4.5}, {"on-warn", "paper", 4.5},
		{"on-wrong", "wrong", 4.5}, {"on-wrong", "paper", 4.5}, {"on-wrong", "sheet", 4.5},
		{"on-mine", "mine", 4.5}, {"on-mine", "paper", 3},
		{"ink", "warn", 7}, {"ink", "wrong", 7}, {"ink", "mine", 7}, {"focus", "sheet", 4.5},
		{"edge", "paper", 3}, {"edge", "sheet", 3},
		{"focus", "paper", 3}, {"focus", "sheet", 3}, {"focus", "wrong", 3}, {"focus", "warn", 3},
	} {
		for i, scheme := range []string{"light", "dark"} {
			front, back := tokens[pair.front][i], tokens[pair.back][i]
			if got := contrast(t, front, back); got < pair.least {
				t.Errorf("%s: --%s on --%s: got %.2f:1, want at least %.1f:1", scheme, pair.front, pair.back, got, pair.least)
			}
		}
		met[pair.front], met[pair.back] = true, true
	}
	for name := range tokens {
		// A rule only divides what space divides too.
		if name == "rule" {
			continue
		}
		if !met[name] {
			t.Errorf("--%s is compared with nothing, want a pair that has it", name)
		}
	}
	// All colours are defined in one place.
	if stray := regexp.MustCompile(`(?m)^[^-\n]*#[0-9a-f]{6}.*$`).FindAllString(css, -1); stray != nil {
		t.Errorf("got the colours without a name %q, want none", stray)
	}
}
