package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"blog/internal/repo"
)

// health says that the process is alive: it answers, whatever the database does.
func (s *Site) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"alive": true})
}

// readyz says whether this node can serve readers, and why not. What is missing
// although it can is said as well: a migration that the primary has not run, one
// that this release does not know, or no known primary. What was last seen of writing
// here, and when, is told beside it and changes nothing: who cannot write can serve
// readers. Anybody can ask: what is wrong in detail is in the log.
func (s *Site) readyz(w http.ResponseWriter, r *http.Request) {
	h := s.repo.Health(r.Context())
	if r.Context().Err() == nil {
		s.logReadiness(h)
	}
	leaving, notYet := s.leaving.Load(), s.notYet()
	h.Ready = h.Ready && !leaving && notYet == ""
	out := map[string]any{
		"ready": h.Ready, "schema": h.SchemaHave, "schema_wanted": h.SchemaWant,
		"writing": h.Writing.State, "writing_seen": h.Writing.Seen.Truncate(time.Millisecond),
	}
	switch {
	case leaving:
		out["reason"] = "this node is shutting down"
	case notYet != "":
		out["reason"] = notYet
	case h.Reason != "":
		out["reason"] = publicReason(h)
	}
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "2")
	}
	writeJSON(w, status, out)
}

// readiness is what the log is told of.
type readiness struct {
	ready           bool
	reason, writing string
}

// logReadiness says what has changed, once, however often it is asked for.
func (s *Site) logReadiness(h repo.Health) {
	writing := string(h.Writing.State)
	if h.Writing.Err != nil {
		writing += ": " + h.Writing.Err.Error()
	}
	now := readiness{h.Ready, h.Reason, writing}
	before := s.told.Swap(&now)
	if before == nil && h.Ready && h.Reason == "" && h.Writing.Err == nil {
		return
	}
	if before == nil || *before != now {
		s.log.Info("readiness", "ready", now.ready, "reason", now.reason, "writing", now.writing)
	}
}

// publicReason tells strangers the kind of what is wrong.
func publicReason(h repo.Health) string {
	switch {
	case h.Ready:
		return h.Reason
	case h.SchemaHave == 0:
		return "no database yet"
	case h.SchemaHave < h.SchemaWant:
		return fmt.Sprintf("schema %d is too old: this release needs %d", h.SchemaHave, h.SchemaWant)
	}
	return "the database does not work here"
}

// withDatabase answers 503 while the database has not arrived on this node. That is for
// pages that need none, too, such as the form to sign in: whatever they lead to fails.
func (s *Site) withDatabase(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.arrived.Load() {
			ctx := r.Context()
			err := s.repo.View(ctx, func(rd repo.Reader) error {
				_, err := repo.Newest(ctx, rd)
				return err
			})
			if repo.HasReason(err, repo.NoDatabase) {
				s.fail(w, r, err)
				return
			}
			if err == nil { // another fault is told by the page that meets it
				s.arrived.Store(true)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Leave makes /readyz answer 503, so that proxies send readers elsewhere.
func (s *Site) Leave() { s.leaving.Store(true) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone: nobody to tell
}
