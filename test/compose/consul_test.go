package compose_test

import (
	"context"
	"testing"
	"time"

	"blog/test/cluster"
	"blog/test/compose"
)

// TestConsulProbe: while Consul's leader has not changed, the probe says that nothing has struck.
func TestConsulProbe(t *testing.T) {
	s := compose.NewStorm()
	s.HaveConsul(cluster.StartConsul(t).URL)
	if err := s.Succeeded(t.Context(), 1); err != nil {
		t.Errorf("a leader in a later term: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := s.Succeeded(ctx, 0); err == nil {
		t.Error("the same leader in the same term passes for another one")
	}
}
