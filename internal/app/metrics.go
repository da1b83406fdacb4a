package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// countWrites returns a middleware of the write path that counts writes, with their duration and
// outcome.
func countWrites(reg *prometheus.Registry) repo.Middleware {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "blog_write_seconds", Help: "Duration of writes asked for on this node, by command and outcome.",
		Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30},
	}, []string{"command", "outcome"})
	reg.MustRegister(seconds)
	return func(next repo.Handler) repo.Handler {
		return func(ctx context.Context, call *repo.Call) error {
			start := time.Now()
			err := next(ctx, call)
			outcome := "done"
			if err != nil {
				outcome = string(apperr.From(err).Code)
			} else if call.Reply.Replayed {
				outcome = "replayed"
			}
			seconds.WithLabelValues(call.Name, outcome).Observe(time.Since(start).Seconds())
			return err
		}
	}
}

// timeStages returns a function that records how long the stages of writes take that this node runs
// as the primary.
func timeStages(reg *prometheus.Registry) func(repo.Stage, time.Duration) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "blog_write_stage_seconds",
		Help:    "Duration of the stages of writes, and of the batches in which they are committed, on the primary.",
		Buckets: []float64{.0001, .001, .01, .1, 1, 10},
	}, []string{"stage"})
	reg.MustRegister(seconds)
	of := map[repo.Stage]prometheus.Observer{}
	for _, s := range repo.Stages() {
		of[s] = seconds.WithLabelValues(string(s))
	}
	return func(s repo.Stage, took time.Duration) { of[s].Observe(took.Seconds()) }
}

// register adds the metrics that are read when they are asked for.
func (s *Server) register() {
	gauge := func(name, help string, value func() float64) {
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() uint64) {
		s.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 {
			return float64(value())
		}))
	}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge("blog_primary", "1 when this node is primary, else 0.", func() float64 {
		return one(s.node.Role().State == litefs.Primary)
	})
	gauge("blog_primary_known", "1 when this node is or knows the primary, else 0.", func() float64 {
		return one(litefs.Known(s.node.Role()))
	})
	gauge("blog_fit_to_write", "1 when this node is primary and its last transaction worked, else 0.", func() float64 {
		return one(s.Repo.Writing().State == repo.WriteFit)
	})
	gauge("blog_commits_failing",
		"1 when no commit of this primary has succeeded for WRITE_STALL, and at least three were tried or a write has "+
			"not returned, else 0.",
		func() float64 {
			_, failure := s.commits().failure(time.Now())
			return one(failure != nil)
		})
	counter("blog_commits_failed_total",
		"Commits that have failed on this node, and batches in which nothing could be written.", s.Repo.CommitsFailed)
	gauge("blog_seq", "The newest write that this node's pages show.", func() float64 {
		return float64(s.Repo.Feed().Position().Seq)
	})
	counter("blog_stale_reads_total", "Answers to readers who had seen a write that did not come here within 2 s.",
		s.site.StaleReads)
	if s.cluster != nil {
		registerCluster(s.cluster, gauge)
	}
	const believes = "1 when this node goes by its machine's clock, 0 when that was set or no other node's agrees."
	gauge("blog_clock_believed", believes, func() float64 {
		believed, _ := s.clock.Standing()
		return one(believed)
	})
	const apartBy = "How far the machine's clock is ahead of the time that this node goes by."
	gauge("blog_clock_apart_seconds", apartBy, func() float64 {
		_, apart := s.clock.Standing()
		return apart.Seconds()
	})
	gauge("blog_sockets", "Open websockets.", func() float64 { return float64(s.hub.Stats().Sockets) })
	gauge("blog_topics", "Topics that are followed.", func() float64 { return float64(s.hub.Stats().Topics) })
	counter("blog_frames_total", "Frames given to websockets.", func() uint64 { return s.hub.Stats().Frames })
	counter("blog_sockets_dropped_total", "Websockets closed for being too slow, or dead.", func() uint64 {
		return s.hub.Stats().Dropped
	})
	counter("blog_sockets_refused_total", "Requests for websockets that were refused.", func() uint64 {
		return s.hub.Stats().Refused
	})
}

// standing is what the metrics read of a cluster.Cluster.
type standing interface {
	Self() cluster.Info
	InSet() (in, known bool)
}

// registerCluster adds the metrics of what acknowledgements rest on.
func registerCluster(c standing, gauge func(name, help string, value func() float64)) {
	gauge("blog_alone", "1 when acknowledged writes are on the primary alone, else 0; as this node knows it.",
		func() float64 {
			return one(c.Self().Durability == string(repo.Alone))
		})
	gauge("blog_standby_seq", "The newest write that the standby has, as this node knows it; 0 without a standby.",
		func() float64 {
			return float64(c.Self().StandbySeq)
		})
	gauge("blog_lag", "How many writes this node's copy is behind the primary's.", func() float64 {
		return float64(c.Self().Lag)
	})
	gauge("blog_in_sync_set", "1 when this node has every acknowledged write and may be elected, else 0.", func() float64 {
		in, _ := c.InSet()
		return one(in)
	})
}

// one returns 1 for true and 0 for false.
func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
