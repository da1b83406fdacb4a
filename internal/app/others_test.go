package app_test

import (
	"context"
	"log/slog"
	"testing"

	"blog/internal/app"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo/repotest"
)

// TestOthersWithoutATerm: a primary whose term has not begun, since a step of its beginning hangs, asks Consul which
// other node could be elected.
func TestOthersWithoutATerm(t *testing.T) {
	k := &control{}
	control := mustControl(t, k)
	among := cluster.New(t.Context(), cluster.Options{
		Node: repotest.NewNode(repotest.Primary()), Control: control, Policy: cluster.Two,
		Logger: slog.New(slog.DiscardHandler),
		Info:   func(context.Context) cluster.Info { return cluster.Info{ID: "1", Node: "fra1"} },
	})
	t.Cleanup(func() {
		if err := among.Close(); err != nil {
			t.Error(err)
		}
	})
	fra1, fra2 := litefs.Member{ID: "1", Name: "fra1"}, litefs.Member{ID: "2", Name: "fra2"}
	for _, c := range []struct {
		name string
		set  *litefs.SyncSet
		want bool
	}{
		{"there is no set", nil, false},
		{"it is alone", &litefs.SyncSet{Members: []litefs.Member{fra1}}, false},
		{"there is another member", &litefs.SyncSet{Members: []litefs.Member{fra1, fra2}}, true},
	} {
		k.set.Store(c.set)
		if got := app.Others(among, control); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
	if app.Others(among, nil) {
		t.Error("without a sync set: got true, want false")
	}
}

// TestOthersWhereConsulDoesNotAnswer: nobody can be elected then.
func TestOthersWhereConsulDoesNotAnswer(t *testing.T) {
	among := cluster.New(t.Context(), cluster.Options{
		Node: repotest.NewNode(repotest.Primary()), Policy: cluster.Two, Logger: slog.New(slog.DiscardHandler),
		Info: func(context.Context) cluster.Info { return cluster.Info{ID: "1", Node: "fra1"} },
	})
	t.Cleanup(func() {
		if err := among.Close(); err != nil {
			t.Error(err)
		}
	})
	control := litefs.NewControl(t.TempDir() + "/nobody")
	defer control.Close()
	if app.Others(among, control) {
		t.Error("got true, want false")
	}
}
