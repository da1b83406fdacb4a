package assets_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blog/web/assets"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

func mustSet(t testing.TB, extra map[string][]byte) *assets.Set {
	t.Helper()
	set, err := assets.New(extra)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func get(t testing.TB, set *assets.Set, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	set.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r io.Reader) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
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
	res := get(t, set, http.MethodGet, set.Base()+assets.Sheet)
	css := body(t, res.Body)
	first, last := strings.Index(css, "--paper"), strings.Index(css, ".chroma { color: red }")
	if res.StatusCode != http.StatusOK || first < 0 || last < first {
		t.Errorf("status %d; tokens at %d, the extra sheet at %d", res.StatusCode, first, last)
	}
	if set.Has("chroma.css") {
		t.Error("the extra sheet is there twice")
	}
}

func TestHandler(t *testing.T) {
	set := mustSet(t, nil)
	plain := body(t, get(t, set, http.MethodGet, set.Base()+"main.js").Body)
	etags := make(map[string]bool)
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "gzip, deflate, br": "br", "br;q=0, gzip": "gzip", "BR": "br", "identity": "", "*": "", "gzip;q=nonsense": "",
	} {
		res := get(t, set, http.MethodGet, set.Base()+"main.js", "Accept-Encoding", accept)
		h := res.Header
		if got := h.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: answered in %q", accept, got)
		}
		if h.Get("Content-Type") != "text/javascript; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: headers %v", accept, h)
		}
		raw := body(t, res.Body)
		if got := decode(t, want, raw); got != plain {
			t.Errorf("Accept-Encoding %q: other content", accept)
		}
		etags[h.Get("ETag")] = true

		again := get(t, set, http.MethodGet, set.Base()+"main.js", "Accept-Encoding", accept, "If-None-Match", `"x", W/`+h.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body(t, again.Body) != "" {
			t.Errorf("Accept-Encoding %q: not 304 but %d", accept, again.StatusCode)
		}
	}
	if len(etags) != 3 {
		t.Errorf("%d ETags for three encodings", len(etags))
	}
}

func decode(t testing.TB, encoding, raw string) string {
	t.Helper()
	switch encoding {
	case "gzip":
		r, err := gzip.NewReader(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return body(t, r)
	case "br":
		return body(t, brotli.NewReader(bytes.NewReader([]byte(raw))))
	default:
		return raw
	}
}

func TestHandlerRefuses(t *testing.T) {
	set := mustSet(t, nil)
	for path, want := range map[string]int{
		set.Base() + "nothing.js":        http.StatusNotFound,
		set.Base():                       http.StatusNotFound,
		set.Base() + "../assets.go":      http.StatusNotFound,
		"/assets/000000000000/main.js":   http.StatusNotFound,
		set.Base() + "js/main.js":        http.StatusNotFound,
		set.Base() + "theme-early.js":    http.StatusOK,
		set.Base() + "icon.svg":          http.StatusOK,
		"/assets/" + set.Hash() + "/%2e": http.StatusNotFound,
	} {
		res := get(t, set, http.MethodGet, path)
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
		if want == http.StatusNotFound && res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a miss may be kept: %q", path, res.Header.Get("Cache-Control"))
		}
	}
	if res := get(t, set, http.MethodPost, set.Base()+"main.js"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.StatusCode)
	}
	head := get(t, set, http.MethodHead, set.Base()+"main.js")
	if head.StatusCode != http.StatusOK || head.ContentLength <= 0 || body(t, head.Body) != "" {
		t.Errorf("HEAD: %d, %d bytes long", head.StatusCode, head.ContentLength)
	}
}
