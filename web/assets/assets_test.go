package assets_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blog/web/assets"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
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
		t.Errorf("the same files: got the hash %s, want %s", again.Hash(), plain.Hash())
	}
	if plain.Hash() == extra.Hash() {
		t.Errorf("other files: got the hash %s again, want another", extra.Hash())
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
			t.Errorf("%s: got no error, want it refused", name)
		}
	}
}

func TestSheetIsAllSheets(t *testing.T) {
	set := mustSet(t, map[string][]byte{"chroma.css": []byte(".chroma { color: red }")})
	res := get(t, set, http.MethodGet, set.Base()+assets.Sheet, nil)
	first, last := strings.Index(res.body, "--paper"), strings.Index(res.body, ".chroma { color: red }")
	if res.status != http.StatusOK {
		t.Errorf("got status %d, want %d", res.status, http.StatusOK)
	}
	if first < 0 {
		t.Errorf("got a sheet without tokens, want some: %.300q", res.body)
	}
	if last < first {
		t.Errorf("got the extra sheet at %d, want it behind the tokens at %d", last, first)
	}
	if set.Has("chroma.css") {
		t.Error("got the extra sheet as a file too, want it in the one sheet alone")
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
			t.Errorf("Accept-Encoding %q: answered in %q, want %q", accept, got, want)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding",
		} {
			if got := res.header.Get(name); got != want {
				t.Errorf("Accept-Encoding %q: %s: got %q, want %q", accept, name, got, want)
			}
		}
		if diff := cmp.Diff(plain, decode(t, want, res.body)); diff != "" {
			t.Errorf("Accept-Encoding %q: content (-want +got):\n%s", accept, diff)
		}
		etags[res.header.Get("ETag")] = true

		known := map[string]string{"Accept-Encoding": accept, "If-None-Match": `"x", W/` + res.header.Get("ETag")}
		again := get(t, set, http.MethodGet, set.Base()+"main.js", known)
		if again.status != http.StatusNotModified {
			t.Errorf("Accept-Encoding %q, known: got status %d, want %d", accept, again.status, http.StatusNotModified)
		}
		if again.body != "" {
			t.Errorf("Accept-Encoding %q, known: got the body %.300q, want none", accept, again.body)
		}
	}
	if len(etags) != 3 {
		t.Errorf("got %d ETags, want 3, one for each encoding: %v", len(etags), etags)
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
		if want != http.StatusNotFound {
			continue
		}
		if got := res.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control of a miss: got %q, want %q", path, got, "no-store")
		}
	}
	if res := get(t, set, http.MethodPost, set.Base()+"main.js", nil); res.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: got status %d, want %d", res.status, http.StatusMethodNotAllowed)
	}
	head := get(t, set, http.MethodHead, set.Base()+"main.js", nil)
	if head.status != http.StatusOK {
		t.Errorf("HEAD: got status %d, want %d", head.status, http.StatusOK)
	}
	if head.header.Get("Content-Length") == "" {
		t.Errorf("HEAD: got the headers %v, want Content-Length among them", head.header)
	}
	if head.body != "" {
		t.Errorf("HEAD: got the body %.300q, want none", head.body)
	}
}
