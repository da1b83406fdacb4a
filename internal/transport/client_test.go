package transport_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

func TestAsk(t *testing.T) {
	log := new(repotest.Journal).JSON()
	s := httptest.NewServer(transport.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/good":
			_, _ = w.Write([]byte(`{"role":"primary"}`))
		case "/refused":
			transport.WriteError(w, apperr.Errorf(apperr.NotFound, "Nothing here."))
		default:
			http.NotFound(w, req)
		}
	}), repotest.Secret, log))
	defer s.Close()
	var got struct{ Role string }
	good, bad := transport.NewClient(repotest.Secret), transport.NewClient("another")
	defer good.Close()
	defer bad.Close()
	if err := good.Ask(t.Context(), s.URL+"/", "/good", &got); err != nil || got.Role != "primary" {
		t.Errorf("got %+v, %v, want no error and Role %q", got, err, "primary")
	}
	if err := good.Ask(t.Context(), s.URL, "/refused", &got); !errors.Is(err, apperr.NotFound) {
		t.Errorf("refused: %v, want %v", err, apperr.NotFound)
	}
	if err := good.Ask(t.Context(), s.URL, "/other", &got); err == nil {
		t.Error("a plain 404 is no answer")
	}
	if err := bad.Ask(t.Context(), s.URL, "/good", &got); !apperr.HasReason(err, apperr.BadSecret) {
		t.Errorf("another secret: %v, want the reason %v", err, apperr.BadSecret)
	}
	s.Close()
	if err := good.Ask(t.Context(), s.URL, "/good", &got); !apperr.HasReason(err, apperr.NoServer) {
		t.Errorf("no server: %v, want the reason %v", err, apperr.NoServer)
	}
}
