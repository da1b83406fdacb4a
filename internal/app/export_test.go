package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// RunWatched is Run with a watch that has another pace and calls canary.
func RunWatched(
	ctx context.Context, c Config, o Options, started func(*Server), every time.Duration,
	canary func(ctx context.Context, s *Server) error,
) error {
	return run(ctx, c, o, started, func(s *Server, ctx context.Context) {
		s.watchWith(ctx, every, func(ctx context.Context) error { return canary(ctx, s) }, s.fail)
	})
}

// Canary is the check of a node under LiteFS.
func Canary(ctx context.Context, s *Server) error { return s.canary(ctx) }

// Begin checks that the primary can begin a transaction.
func Begin(ctx context.Context, s *Server) error { return s.Repo.Canary(ctx) }

// ClusterMetrics returns the metrics of what acknowledgements rest on, by name.
func ClusterMetrics(c standing) map[string]func() float64 {
	all := map[string]func() float64{}
	registerCluster(c, func(name, _ string, value func() float64) { all[name] = value })
	return all
}

// Others reports whether a node with this cluster and this control knows another one that could be elected.
func Others(among *cluster.Cluster, control *litefs.Control) bool {
	return (&Server{cluster: among, control: control}).others()
}

// OpenWithin is openWithin.
func OpenWithin(ctx context.Context, c Config, open func(ctx context.Context) (*Server, error)) (*Server, error) {
	return openWithin(ctx, c, open)
}

// ErrBroken is errBroken.
var ErrBroken = errBroken

// Hang makes the closing of s wait until release is closed.
func (s *Server) Hang(release <-chan struct{}) {
	s.closing(func(context.Context) error { <-release; return nil })
}

// ErrUnclosed is errUnclosed.
var ErrUnclosed = errUnclosed

// LossHandler returns the handler of PathAcceptLoss of a node with this cluster and this control.
func LossHandler(node string, among *cluster.Cluster, control *litefs.Control) http.Handler {
	s := &Server{config: Config{Node: node}, cluster: among, control: control, log: slog.New(slog.DiscardHandler)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathAcceptLoss, s.serveLoss(s.lossOf))
	mux.HandleFunc("POST "+PathAcceptLoss, s.serveLoss(s.acceptLoss))
	return mux
}

// End ends a server that has only these closers, of which the last runs first, and whose watch ends
// when watch returns.
func End(ctx context.Context, log *slog.Logger, watch func(), closers ...func(ctx context.Context) error) error {
	s := &Server{log: log, closers: closers}
	var work sync.WaitGroup
	work.Go(watch)
	return s.end(ctx, &work)
}

// Shut closes a listener's server.
func Shut(log *slog.Logger, srv *http.Server) func(ctx context.Context) error {
	return (&Server{log: log}).shut("public", srv)
}

// Commits watches what writing returns, as a node does that is primary and has other members in its
// sync set or none.
type Commits struct{ c *commits }

func NewCommits(
	writing func() repo.Writing, primary, others func() bool, limit time.Duration, log *slog.Logger,
) Commits {
	return Commits{&commits{writing: writing, primary: primary, others: others, limit: limit, log: log}}
}

func (c Commits) Watch(ctx context.Context, every time.Duration, end func(err error)) {
	c.c.watch(ctx, every, end)
}
func (c Commits) Problem() string { return c.c.problem(time.Now()) }

// Warmed is warmed.
func Warmed(up time.Duration, in, known bool, role litefs.State) (warm bool, why string) {
	return warmed(up, in, known, role)
}

// Tails is tails.
func (s *Server) Tails() []repo.Tail { return s.tails() }
