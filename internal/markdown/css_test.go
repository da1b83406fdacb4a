package markdown_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/markdown"
)

var (
	rulePattern  = regexp.MustCompile(`(?m)^([^{}\n]+) \{ ([^{}]*) \}$`)
	colorPattern = regexp.MustCompile(`(?:^|; )color: #([0-9a-f]{6})`)
	backPattern  = regexp.MustCompile(`background-color: #([0-9a-f]{6})`)
)

// luminance and contrast are computed as in WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	l := 0.0
	for shift, weight := range map[int]float64{16: 0.2126, 8: 0.7152, 0: 0.0722} {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a)+0.05, luminance(t, b)+0.05
	return max(x, y) / min(x, y)
}

// scopes returns, by scope, the colour of each class and the background.
func scopes(t *testing.T) map[string]map[string]string {
	t.Helper()
	var b strings.Builder
	if err := markdown.WriteCSS(&b); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]string{}
	for _, rule := range rulePattern.FindAllStringSubmatch(b.String(), -1) {
		for selector := range strings.SplitSeq(rule[1], ", ") {
			scope, class, ok := strings.Cut(selector, ".chroma")
			if !ok {
				t.Fatalf("got the selector %q, want .chroma in it", selector)
			}
			if found[scope] == nil {
				found[scope] = map[string]string{}
			}
			color := colorPattern.FindStringSubmatch(rule[2])
			if color == nil {
				t.Fatalf("%s: got %s, want a colour in it", selector, rule[2])
			}
			found[scope][strings.TrimPrefix(class, " ")] = color[1]
			if back := backPattern.FindStringSubmatch(rule[2]); back != nil {
				found[scope]["background"] = back[1]
			}
		}
	}
	return found
}

func TestContrast(t *testing.T) {
	found := scopes(t)
	if len(found) != 3 {
		t.Fatalf("got %d scopes, want 3: light, dark by system and dark by choice", len(found))
	}
	lowest := math.Inf(1)
	for scope, colors := range found {
		for _, class := range []string{"", "background", ".k", ".s", ".c", ".nf"} {
			if colors[class] == "" {
				t.Errorf("%q: got no colour of %q, want one", scope, class)
			}
		}
		for class, color := range colors {
			if class == "background" {
				continue
			}
			ratio := contrast(t, color, colors["background"])
			lowest = min(lowest, ratio)
			if ratio < 4.5 {
				t.Errorf("%q %s: #%s has a contrast of %.2f, want at least 4.5", scope, class, color, ratio)
			}
		}
	}
	t.Logf("the lowest contrast is %.2f", lowest)
}

// TestEveryClassHasAColour: the style sheet has every class of the spans that code in many
// languages gets.
func TestEveryClassHasAColour(t *testing.T) {
	known := scopes(t)[""]
	doc := mustRender(t,
		"```go\npackage x // c\n```\n\n```diff\n-a\n+b\n```\n\n```python\n@d\ndef f(x): return f\"{x}\" # c\n```\n\n"+
			"```html\n<a href=x>&amp;</a><script>let a = /x/</script>\n```\n\n```sh\necho $A `b` # c\n```\n\n```sql\nSELECT "+
			"'a';\n```\n",
		markdown.Options{})
	mustQuery(t, doc).Find("pre.chroma span").Each(func(_ int, s *goquery.Selection) {
		if class := s.AttrOr("class", ""); known["."+class] == "" {
			t.Errorf("class %q: got no colour, want one", class)
		}
	})
}

func TestCSSIsStable(t *testing.T) {
	var first, second strings.Builder
	if err := markdown.WriteCSS(&first); err != nil {
		t.Fatal(err)
	}
	if err := markdown.WriteCSS(&second); err != nil {
		t.Fatal(err)
	}
	if got, want := second.String(), first.String(); got != want {
		t.Errorf("the second call: got\n%s\nwant\n%s", got, want)
	}
	if first.Len() > 16<<10 {
		t.Errorf("the style sheet has %d bytes, want at most %d", first.Len(), 16<<10)
	}
}
