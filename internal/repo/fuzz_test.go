package repo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
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
			if !errors.Is(err, apperr.Invalid) || !c.Zero() {
				t.Errorf("%q: %v with %v", s, c, err)
			}
			return
		}
		if c.String() != s {
			t.Errorf("%q is also %q", s, c)
		}
		raw, err := json.Marshal(c)
		var back repo.Cursor
		if err != nil || json.Unmarshal(raw, &back) != nil || back != c {
			t.Errorf("%q through JSON: %s, %v, %v, want %v and no error", s, raw, back, err, c)
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
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || (out.Error == nil) != (w.Code == 200) ||
			(out.Error != nil && out.Error.Code.Status() != w.Code) {
			t.Errorf("%q gave %d %s", whole, w.Code, w.Body)
		}
		sendBody(t, r, body)
	})
}

func sendBody(t *testing.T, r *repo.Repo, body []byte) {
	t.Helper()
	key := repo.NewKey()
	asBody := func(b []byte) repo.Option { return func(c *repo.Call) { c.Body = b } }
	_, _, err := repo.Do(operator(), r, put{}, repo.WithKey(key), asBody(body))
	if e := apperr.From(err); err != nil && e.Code == apperr.Internal {
		t.Errorf("%q: %v", body, err)
	}
	if err != nil {
		return
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%q was carried out: %v", body, err)
	}
	for name := range fields {
		if name != "item" && name != "value" && name != "topics" {
			t.Errorf("%q was carried out with the field %q", body, name)
		}
	}
	// Decoded and encoded again it is the same request.
	var c put
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	if _, receipt, err := repo.Do(operator(), r, c, repo.WithKey(key)); err != nil || !receipt.Replayed {
		t.Errorf("%q spelled canonically: %+v, %v, want no error and Replayed true", body, receipt, err)
	}
}
