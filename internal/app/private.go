package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"blog/internal/cluster"
	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/transport"
)

// PathStatus is where the private listener answers with a Status.
const PathStatus = "/internal/status"

// Status is what `blog status` shows: the node that is asked, and all nodes that the primary knows.
type Status struct {
	cluster.Info
	Version    string    `json:"version"`
	Started    time.Time `json:"started"`
	LiteFS     bool      `json:"litefs"`
	Zone       string    `json:"zone"` // time zone of days and of dates that name none
	SchemaWant int64     `json:"schema_wanted"`
	Ready      bool      `json:"ready"`
	Reason     string    `json:"reason,omitempty"`
	// Writing is the last known result of writing on this node, and WritingSeen is its time.
	Writing     repo.WriteState `json:"writing,omitempty"`
	WritingSeen time.Time       `json:"writing_seen,omitzero"`
	Live        live.Stats      `json:"live"`
	// Nodes are this node, which is the first, and those that the primary knows.
	Nodes []cluster.Info `json:"nodes"`
}

// Status returns the state of this node, and of all nodes.
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

// privateHandler returns the handler of the private listener. Callers need the secret, except for
// the metrics: these contain no secret, and their collectors cannot sign requests.
func (s *Server) privateHandler() http.Handler {
	status := http.NewServeMux()
	status.HandleFunc("GET "+PathStatus, func(w http.ResponseWriter, r *http.Request) {
		transport.WriteAnswer(w, s.Status(r.Context()), nil)
	})
	status.HandleFunc("POST "+PathForget, s.serveForget)
	status.HandleFunc("GET "+PathAcceptLoss, s.serveLoss(s.lossOf))
	status.HandleFunc("POST "+PathAcceptLoss, s.serveLoss(s.acceptLoss))
	mux := http.NewServeMux()
	if s.cluster != nil {
		among := transport.Authenticated(s.cluster.Handler(), s.Secret, s.log)
		mux.Handle(cluster.PathUplink, among)
		mux.Handle(cluster.PathNodes, among)
		mux.Handle(cluster.PathForget, among)
	}
	mux.Handle(PathAcceptLoss, transport.Authenticated(status, s.Secret, s.log))
	mux.Handle(PathForget, transport.Authenticated(status, s.Secret, s.log))
	mux.Handle("/", repo.NewHandler(s.Repo, s.Secret, s.log))
	mux.Handle(PathStatus, transport.Authenticated(status, s.Secret, s.log))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return mux
}
