package app

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"blog/internal/cluster"
	"blog/internal/live"
	"blog/internal/repo"
)

// PathStatus is where the private listener answers with Status.
const PathStatus = "/internal/status"

// Status is what `blog status` says: of the node that is asked, and through the uplinks
// of all.
type Status struct {
	cluster.Info
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	LiteFS  bool      `json:"litefs"`
	Zone    string    `json:"zone"` // of days and of dates without one
	// Health's own position is the Info's.
	SchemaWant int64  `json:"schema_wanted"`
	Ready      bool   `json:"ready"`
	Reason     string `json:"reason,omitempty"`
	// Writing is what was last seen of writing on this node, and WritingSeen when.
	Writing     repo.WriteState `json:"writing,omitempty"`
	WritingSeen time.Time       `json:"writing_seen,omitzero"`
	Live        live.Stats      `json:"live"`
	// Nodes are this node and those that the primary knows; this one is the first.
	Nodes []cluster.Info `json:"nodes"`
}

// Status returns what this node is and how it is, and all nodes.
func (s *Server) Status(ctx context.Context) Status {
	health := s.Repo.Health(ctx)
	st := Status{
		Version: s.options.Version, Started: s.started.UTC(), LiteFS: s.config.LiteFSURL != "", Zone: s.config.Timezone,
		SchemaWant: health.SchemaWant, Ready: health.Ready, Reason: health.Reason, Live: s.hub.Stats(),
		Writing: health.Writing.State, WritingSeen: health.Writing.Seen,
	}
	if s.cluster == nil {
		st.Info = s.info(ctx)
		st.Clock, st.Durability = s.clock.Wall().UTC(), string(cluster.Local)
		st.Problem = strings.TrimSpace(st.Problem + " " + s.clock.Problem())
		at := s.Repo.Feed().Position()
		st.Seq, st.Mark = at.Seq, at.String()
		st.Nodes = []cluster.Info{st.Info}
		return st
	}
	st.Info, st.Nodes = s.cluster.Self(), s.cluster.Nodes(ctx, s.transport)
	if why := s.notYet(); st.Ready && why != "" {
		st.Ready, st.Reason = false, why
	}
	return st
}

// privateHandler takes calls and questions from whoever has the secret. Metrics
// hold none, and what collects them cannot sign: this network may read them.
func (s *Server) privateHandler() http.Handler {
	status := http.NewServeMux()
	status.HandleFunc("GET "+PathStatus, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Status(r.Context())) // the caller is gone: nobody to tell
	})
	status.HandleFunc("POST "+PathForget, s.serveForget)
	status.HandleFunc("GET "+PathAcceptLoss, s.serveLoss(s.lossOf))
	status.HandleFunc("POST "+PathAcceptLoss, s.serveLoss(s.acceptLoss))
	mux := http.NewServeMux()
	if s.cluster != nil {
		among := repo.Authenticated(s.cluster.Handler(), s.Secret, s.log)
		mux.Handle(cluster.PathUplink, among)
		mux.Handle(cluster.PathNodes, among)
		mux.Handle(cluster.PathForget, among)
	}
	mux.Handle(PathAcceptLoss, repo.Authenticated(status, s.Secret, s.log))
	mux.Handle(PathForget, repo.Authenticated(status, s.Secret, s.log))
	mux.Handle("/", repo.NewHandler(s.Repo, s.Secret, s.log))
	mux.Handle(PathStatus, repo.Authenticated(status, s.Secret, s.log))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return mux
}
