package web

import (
	"encoding/json"
	"net/http"
)

// health says that the process answers, whatever the database does.
func (s *Site) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"alive": true})
}

// readyz says whether this node can serve readers, and why not. What is missing
// although it can is said as well: a migration that the primary has not run, or
// no known primary.
func (s *Site) readyz(w http.ResponseWriter, r *http.Request) {
	h := s.repo.Health(r.Context())
	out := map[string]any{"ready": h.Ready, "schema": h.SchemaHave, "schema_wanted": h.SchemaWant}
	if h.Reason != "" {
		out["reason"] = h.Reason
	}
	if s.leaving.Load() {
		out["ready"], out["reason"] = false, "this node is shutting down"
		h.Ready = false
	}
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "2")
	}
	writeJSON(w, status, out)
}

// Leave makes /readyz answer 503, so that proxies send readers elsewhere.
func (s *Site) Leave() { s.leaving.Store(true) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone: nobody to tell
}
