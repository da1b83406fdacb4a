package assets_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blog/web/assets"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

func mustSet(tb testing.TB, extra map[string][]byte) *assets.Set {
	tb.Helper()
	set, err := assets.New(extra)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// answer is the handler's answer.
type answer struct {
	status int
	header http.Header
	body   string
}

func get(tb testing.TB, set *assets.Set, method, path string, header map[string]string) answer {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	set.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func TestHashFollowsContent(t *testing.T) {
	plain, again := mustSet(t, nil), mustSet(t, nil)
	extra := mustSet(t, map[string][]byte{"chroma.css": []byte(".chroma { color: red }")})
	if plain.Hash() != again.Hash() {
		t.Error("the same files have two hashes")
	}
	if plain.Hash() == extra.Hash() {
		t.Error("other files have the same hash")
	}
	if want := "/assets/" + extra.Hash() + "/"; extra.Base() != want {
		t.Errorf("Base is %q, want %q", extra.Base(), want)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, extra := range map[string]map[string][]byte{
		"a name that is taken": {"main.js": nil},
		"a path":               {"css/x.css": nil},
		"an unknown type":      {"x.exe": nil},
	} {
		if _, err := assets.New(extra); err == nil {
			t.Errorf("%s is not refused", name)
		}
	}
}

func TestSheetIsAllSheets(t *testing.T) {
	set := mustSet(t, map[string][]byte{"chroma.css": []byte(".chroma { color: red }")})
	res := get(t, set, http.MethodGet, set.Base()+assets.Sheet, nil)
	first, last := strings.Index(res.body, "--paper"), strings.Index(res.body, ".chroma { color: red }")
	if res.status != http.StatusOK || first < 0 || last < first {
		t.Errorf("status %d; tokens at %d, the extra sheet at %d", res.status, first, last)
	}
	if set.Has("chroma.css") {
		t.Error("the extra sheet is there twice")
	}
}

func TestHandler(t *testing.T) {
	set := mustSet(t, nil)
	plain := get(t, set, http.MethodGet, set.Base()+"main.js", nil).body
	etags := make(map[string]bool)
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "gzip, deflate, br": "br", "br;q=0, gzip": "gzip", "BR": "br", "identity": "", "*": "br",
		"gzip;q=nonsense": "",
	} {
		res := get(t, set, http.MethodGet, set.Base()+"main.js", map[string]string{"Accept-Encoding": accept})
		if got := res.header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: answered in %q", accept, got)
		}
		if h := res.header; h.Get("Content-Type") != "text/javascript; charset=utf-8" ||
			h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: headers %v", accept, h)
		}
		if got := decode(t, want, res.body); got != plain {
			t.Errorf("Accept-Encoding %q: other content", accept)
		}
		etags[res.header.Get("ETag")] = true

		known := map[string]string{"Accept-Encoding": accept, "If-None-Match": `"x", W/` + res.header.Get("ETag")}
		if again := get(t, set, http.MethodGet, set.Base()+"main.js", known); again.status != http.StatusNotModified ||
			again.body != "" {
			t.Errorf("Accept-Encoding %q: not 304 but %d", accept, again.status)
		}
	}
	if len(etags) != 3 {
		t.Errorf("%d ETags for three encodings", len(etags))
	}
}

// decode decodes raw from an encoding.
func decode(tb testing.TB, encoding, raw string) string {
	tb.Helper()
	var r io.Reader = strings.NewReader(raw)
	switch encoding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			tb.Fatal(err)
		}
		r = z
	case "br":
		r = brotli.NewReader(r)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestHandlerRefuses(t *testing.T) {
	set := mustSet(t, nil)
	for path, want := range map[string]int{
		set.Base() + "nothing.js":        http.StatusNotFound,
		set.Base():                       http.StatusNotFound,
		set.Base() + "../assets.go":      http.StatusNotFound,
		"/assets/000000000000/main.js":   http.StatusNotFound,
		set.Base() + "js/main.js":        http.StatusNotFound,
		"/assets/" + set.Hash() + "/%2e": http.StatusNotFound,
		set.Base() + "theme-early.js":    http.StatusOK,
		set.Base() + "icon.svg":          http.StatusOK,
	} {
		res := get(t, set, http.MethodGet, path, nil)
		if res.status != want {
			t.Errorf("%s: %d, want %d", path, res.status, want)
		}
		if want == http.StatusNotFound && res.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a miss may be kept: %q", path, res.header.Get("Cache-Control"))
		}
	}
	if res := get(t, set, http.MethodPost, set.Base()+"main.js", nil); res.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.status)
	}
	head := get(t, set, http.MethodHead, set.Base()+"main.js", nil)
	if head.status != http.StatusOK || head.header.Get("Content-Length") == "" || head.body != "" {
		t.Errorf("HEAD: %d, %d bytes", head.status, len(head.body))
	}
}
