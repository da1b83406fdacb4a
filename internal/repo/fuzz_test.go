package repo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"0", "", "-", "1-", "00-", "+1-" + strings.Repeat("A", 43), "1-" +
		strings.Repeat("A", 43), "1-" + strings.Repeat("_", 43), "9223372036854775808-" + strings.Repeat("A", 43), "1-\n" +
		strings.Repeat("A", 43)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := repo.ParseCursor(s)
		if err != nil {
			if !errors.Is(err, apperr.Invalid) {
				t.Errorf("%q: got %v, want %v", s, err, apperr.Invalid)
			}
			if !c.Zero() {
				t.Errorf("%q: got %v with the error %v, want the zero cursor", s, c, err)
			}
			return
		}
		if c.String() != s {
			t.Errorf("got %q, want %q", c, s)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Errorf("%q to JSON: got %v, want no error", s, err)
		}
		var back repo.Cursor
		if err = json.Unmarshal(raw, &back); err != nil {
			t.Errorf("%q from JSON: got %v, want no error, of %s", s, err, raw)
		}
		if back != c {
			t.Errorf("%q through JSON, %s: got %v, want %v", s, raw, back, c)
		}
	})
}

// FuzzWire sends bytes to the private listener, whole envelopes and bodies: no
// panic, an error always has a code, and an executed call has no field that
// the command does not know and gives the same digest however it is spelled.
func FuzzWire(f *testing.F) {
	f.Add(envelope("", ""), []byte(`{"item":"a"}`))
	f.Add([]byte(`{}`), []byte(`{"item":"a","Item":"b"}`))
	f.Add([]byte(`null`), []byte(`{"item":"a","item":"b"}`))
	f.Add([]byte(`{"name":"items.put"}{}`), []byte(`{"topics":["x",null]}`))
	f.Add([]byte("\xff"), []byte(`{"item":"\ud800","topics":[],"value":"\u0000"}`))
	f.Add(envelope(`"operator"`, `"user:1","session":""`), []byte(" {\t\"value\" : \"\\u0061\" ,\n\"item\":\"a\"} "))
	f.Add([]byte(`[[[[{"a":[`), []byte(`[]`))
	o := options(f, filepath.Join(f.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	r := repotest.MustOpen(f, o)
	handler := repo.NewHandler(r, repotest.Secret, new(repotest.Journal).JSON())
	auth := bearer(f, repotest.Secret)
	f.Fuzz(func(t *testing.T, whole, body []byte) {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), "POST", repo.PathSuper, bytes.NewReader(whole))
		req.Header.Set("Authorization", auth)
		handler.ServeHTTP(w, req)
		var out struct{ Error *apperr.Error }
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Errorf("%q: got %v, want no error, of the answer %s", whole, err, w.Body)
		}
		want := http.StatusOK // which no error has
		if out.Error != nil {
			want = out.Error.Code.Status()
		}
		if w.Code != want {
			t.Errorf("%q: got status %d, want %d, with the answer %s", whole, w.Code, want, w.Body)
		}
		sendBody(t, r, body)
	})
}

func sendBody(t *testing.T, r *repo.Repo, body []byte) {
	t.Helper()
	key := repo.NewKey()
	asBody := func(b []byte) repo.Option { return func(c *repo.Call) { c.Body = b } }
	_, _, err := repo.Do(operator(), r, put{}, repo.WithKey(key), asBody(body))
	if err != nil {
		if code := apperr.From(err).Code; code == apperr.Internal {
			t.Errorf("%q: got %v, want another code than %v", body, err, code)
		}
		return
	}
	var fields map[string]json.RawMessage
	if err = json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%q was carried out, want it refused: %v", body, err)
	}
	for name := range fields {
		if known := []string{"item", "value", "topics"}; !slices.Contains(known, name) {
			t.Errorf("%q was carried out with the field %q, want no others than %q", body, name, known)
		}
	}
	// Decoded and encoded again it is the same request.
	var c put
	if err = json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	_, receipt, err := repo.Do(operator(), r, c, repo.WithKey(key))
	expectReplayed(t, fmt.Sprintf("%q spelled canonically", body), receipt, err, true)
}
