package main_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blog/internal/transport"
)

// TestSaysWhoIsGone: the status names the command that forgets a node, and the command reports what
// it did.
func TestSaysWhoIsGone(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	server := httptest.NewServer(transport.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := `{"node":"fra1","nodes":[{"id":"a1","node":"fra1"},{"id":"b2","node":"fra2","heard_ms":500},
		{"id":"c3","node":"iad1","heard_ms":7200000}]}`
		if r.Method == http.MethodPost {
			text = `{"error":{"code":"not_found","message":"no such node"}}`
			if r.URL.Query().Get("id") == "node c&3" {
				text = `{"id":"node c&3","node":"iad1","heard_ms":7200000}`
			}
		}
		_, _ = w.Write([]byte(text)) // a client that is gone needs no answer
	}), secret, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	w := newWorld(t).
		with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET="+secret, "PRIMARY_URL=http://{hostname}",
			"PRIVATE_ADDR="+server.Listener.Addr().String())
	status := w.must(t, "status")
	want := `iad1 has not been heard of for 2h0m0s. It is forgotten after a day, or at once by: blog node forget "c3"`
	if got, said := strings.Count(status, "has not been heard of"), "has not been heard of"; got != 1 {
		t.Errorf("got %q %d times in the status, want it once:\n%s", said, got, status)
	}
	if !strings.Contains(status, want) {
		t.Errorf("got the status\n%s\nwant %q in it", status, want)
	}
	if got, want := w.must(t, "node", "forget",
		"node c&3"), "iad1 is forgotten: it was heard of 2h0m0s ago.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := decode[map[string]any](t, w.must(t, "node", "forget", "node c&3", "--json"))
	for name, want := range map[string]any{"id": "node c&3", "node": "iad1", "heard_ms": 7.2e6} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}
