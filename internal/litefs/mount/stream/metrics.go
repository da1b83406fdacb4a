//go:build linux

package stream

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's own; LiteFS's are in Prometheus's default registry.
type metrics struct {
	registry *prometheus.Registry
	streams  prometheus.Gauge
	ended    *prometheus.CounterVec
	images   *prometheus.CounterVec
	sent     prometheus.Counter
	slice    prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "blog_streams", Help: "Replication streams that are connected.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "blog_streams_ended_total", Help: "Replication streams that have ended, by cause.",
		}, []string{"cause"}),
		images: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "blog_images_total", Help: "Images of databases for followers, by what became of them.",
		}, []string{"result"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "blog_image_sent_bytes_total", Help: "Encoded bytes of images that followers have taken.",
		}),
		slice: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "blog_image_longest_slice_seconds", Help: "Longest time for which copying has held SHARED, since the start.",
		}),
	}
	m.registry.MustRegister(m.streams, m.ended, m.images, m.sent, m.slice)
	return m
}

// handler serves LiteFS's metrics and the server's own.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{prometheus.DefaultGatherer, m.registry}, promhttp.HandlerOpts{})
}
