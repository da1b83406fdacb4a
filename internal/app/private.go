package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"blog/internal/live"
	"blog/internal/repo"
)

// PathStatus is where the private listener answers with Status.
const PathStatus = "/internal/status"

// Status is what `blog status` says of a node.
type Status struct {
	Node    string    `json:"node"`
	Region  string    `json:"region"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Role    string    `json:"role"`
	Primary string    `json:"primary,omitempty"` // its name, on a replica
	LiteFS  bool      `json:"litefs"`
	Zone    string    `json:"zone"` // of days and of dates without one
	Seq     int64     `json:"seq"`
	repo.Health
	Live live.Stats `json:"live"`
}

// Status returns what this node is and how it is.
func (s *Server) Status(ctx context.Context) Status {
	role := s.node.Role()
	health := s.Repo.Health(ctx)
	return Status{
		Node: s.config.Node, Region: s.config.Region, Version: s.options.Version, Started: s.started.UTC(),
		Role: role.State.String(), Primary: role.Host, LiteFS: s.config.LiteFSURL != "", Zone: s.config.Timezone, Seq: health.Cursor.Seq,
		Health: health, Live: s.hub.Stats(),
	}
}

// privateHandler takes calls and questions from whoever has the secret. Metrics
// hold none, and what collects them cannot sign: this network may read them.
func (s *Server) privateHandler() http.Handler {
	status := http.NewServeMux()
	status.HandleFunc("GET "+PathStatus, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Status(r.Context())) // the caller is gone: nobody to tell
	})
	mux := http.NewServeMux()
	mux.Handle("/", repo.NewHandler(s.Repo, s.Secret, s.log))
	mux.Handle(PathStatus, repo.Authenticated(status, s.Secret, s.log))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return mux
}
