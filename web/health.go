package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// health answers that the process runs, whatever the state of the database.
func (s *Site) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"alive": true})
}

// readyz answers whether this node can serve readers, and why not. It also reports what is missing while the node can:
// a migration that the primary has not run, one that this release does not know, or no known primary. What was last
// observed of writing here, and when, is reported as well and changes nothing: a node that cannot write can serve
// readers. Anybody can ask, so details of a fault are only in the log.
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

// readiness is what is logged when it changes.
type readiness struct {
	ready           bool
	reason, writing string
}

// logReadiness logs changes of the readiness, once each, however often it is asked for.
func (s *Site) logReadiness(h repo.Health) {
	writing := string(h.Writing.State)
	if h.Writing.Err != nil {
		writing += ": " + h.Writing.Err.Error()
	}
	now := readiness{h.Ready, h.Reason, writing}
	before := s.readiness.Swap(&now)
	if before == nil && h.Ready && h.Reason == "" && h.Writing.Err == nil {
		return
	}
	if before == nil || *before != now {
		s.log.Info("readiness", "ready", now.ready, "reason", now.reason, "writing", now.writing)
	}
}

// publicReason returns the kind of a fault, without details that strangers must not know.
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

// withDatabase answers 503 while the database has not arrived on this node, also for pages that
// need no database, such as the login form, because whatever they lead to would fail.
func (s *Site) withDatabase(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.arrived.Load() {
			ctx := r.Context()
			err := s.repo.View(ctx, func(rd repo.Reader) error {
				_, err := repo.Newest(ctx, rd)
				return err
			})
			if apperr.HasReason(err, apperr.NoDatabase) {
				s.fail(w, r, err)
				return
			}
			if err == nil { // a page reports any other fault itself
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
	_ = json.NewEncoder(w).Encode(v) // it fails when the caller has closed the connection
}
