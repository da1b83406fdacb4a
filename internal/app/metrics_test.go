package app_test

import (
	"testing"

	"blog/internal/app"
	"blog/internal/cluster"
	"blog/internal/repo"
)

// stands is a node with this knowledge of the sync set.
type stands struct {
	cluster.Info
	in bool
}

func (s stands) Self() cluster.Info      { return s.Info }
func (s stands) InSet() (in, known bool) { return s.in, true }

func TestMetricsOfTheSyncSet(t *testing.T) {
	for _, c := range []struct {
		node stands
		want map[string]float64
	}{
		{
			stands{cluster.Info{Durability: string(repo.Two), StandbySeq: 7, Lag: 2}, true},
			map[string]float64{"blog_alone": 0, "blog_standby_seq": 7, "blog_lag": 2, "blog_in_sync_set": 1},
		},
		{
			stands{cluster.Info{Durability: string(repo.Alone)}, true},
			map[string]float64{"blog_alone": 1, "blog_standby_seq": 0, "blog_lag": 0, "blog_in_sync_set": 1},
		},
		{
			stands{cluster.Info{Durability: string(cluster.Local)}, false},
			map[string]float64{"blog_alone": 0, "blog_in_sync_set": 0},
		},
		{stands{}, map[string]float64{"blog_alone": 0}}, // no term has begun here, and no primary is known
	} {
		metrics := app.ClusterMetrics(c.node)
		for name, want := range c.want {
			if got := metrics[name](); got != want {
				t.Errorf("%+v: %s is %g, want %g", c.node, name, got, want)
			}
		}
	}
}
