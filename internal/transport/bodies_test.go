package transport_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

func TestBodiesAdmitUpToTheLimit(t *testing.T) {
	b := transport.NewBodies(10)
	leave, err := b.Admit(6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = b.Admit(5); !apperr.HasReason(err, apperr.Overloaded) {
		t.Errorf("5 bytes beside 6 of 10: %v, want the reason %v", err, apperr.Overloaded)
	}
	if _, err = b.Admit(4); err != nil {
		t.Errorf("4 bytes beside 6 of 10: %v", err)
	}
	leave()
	if got := b.Held(); got != 4 {
		t.Errorf("%d bytes are held, want 4", got)
	}
}

// TestBodiesOfUnknownLength: they count with all the bytes that are read of one.
func TestBodiesOfUnknownLength(t *testing.T) {
	for length, want := range map[int64]int64{-1: 7, 3: 3, 8: 7} {
		b := transport.NewBodies(10)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x"))
		req.ContentLength = length
		if _, err := b.AdmitRequest(req, 7); err != nil {
			t.Fatal(err)
		}
		if got := b.Held(); got != want {
			t.Errorf("a length of %d counts %d bytes, want %d", length, got, want)
		}
	}
}

func TestAuthenticated(t *testing.T) {
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for name, c := range map[string]struct {
		secret, header string
		status         int
	}{
		"the secret's": {repotest.Secret, transport.NewClient(repotest.Secret).Header().Get("Authorization"),
			http.StatusNoContent},
		"another's": {repotest.Secret, transport.NewClient("another").Header().Get("Authorization"),
			http.StatusUnauthorized},
		"the plain one":   {repotest.Secret, "Bearer " + repotest.Secret, http.StatusUnauthorized},
		"none":            {repotest.Secret, "", http.StatusUnauthorized},
		"an empty secret": {"", transport.NewClient("").Header().Get("Authorization"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			var log repotest.Journal
			h := transport.Authenticated(served, c.secret, log.JSON())
			for range 2 {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
				req.Header.Set("Authorization", c.header)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				if w.Code != c.status {
					t.Errorf("status %d, want %d", w.Code, c.status)
				}
			}
			wantLines := 0
			if c.status == http.StatusUnauthorized {
				wantLines = 1
			}
			if got := strings.Count(log.String(), "refused a call"); got != wantLines {
				t.Errorf("the address is named %d times, want %d", got, wantLines)
			}
		})
	}
}
