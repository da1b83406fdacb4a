package power_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/test/cluster"
)

// hangPatience is how long the election may take after a disk has begun to hang: at least 20 s until the primary is
// sure of it, and then it waits for a child that cannot end.
const hangPatience = 2 * time.Minute

// exitStuck is the exit code of a node that ends without closing itself.
const exitStuck = 98

// TestDiskThatHangs: on the primary's disk nothing fails, and nothing returns. The other node is elected, with
// everything acknowledged, and the node on that disk ends as soon as its disk lets it.
func TestDiskThatHangs(t *testing.T) {
	w := mustWorld(t, 2, 27)
	primary, standby := w.Nodes[0], w.Nodes[1]
	end := w.begin(t, clients(t, w.Cluster, 2, w.Nodes...)...)
	w.mustAcks(t, 20)
	end()
	w.mustFinish(t, clients(t, w.Cluster, 1, primary)[0])

	// What hangs goes on in the end, or the processes that wait for it would outlive the test.
	thaw := func() error { return primary.Volume.Thaw(context.WithoutCancel(t.Context())) }
	t.Cleanup(func() {
		if err := thaw(); err != nil {
			t.Errorf("thaw: %v", err)
		}
	})
	if err := primary.Volume.Freeze(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	// One write that hangs. Nobody knows what becomes of it, so it is asked for again at the end.
	const hung = "hung"
	asked := make(chan error, 1)
	go func() { asked <- w.write(t.Context(), clients(t, w.Cluster, 1, primary)[0], hung) }()

	cluster.Poll(t, hangPatience, standby.Name+" is primary", func(ctx context.Context) error {
		var st app.Status
		err := w.transport.Ask(ctx, standby.PrivateURL, app.PathStatus, &st)
		if err == nil && st.Role != "primary" {
			err = fmt.Errorf("it is %s", st.Role)
		}
		return err
	})
	t.Logf("%s was elected %s after the disk of %s began to hang", standby.Name, time.Since(began), primary.Name)
	cluster.Poll(t, patience, standby.Name+" acknowledges a write", func(ctx context.Context) error {
		return w.write(ctx, clients(t, w.Cluster, 1, standby)[0], "after the election")
	})
	if err := <-asked; !errors.Is(err, apperr.Unavailable) && err != nil {
		t.Errorf("the write that hung: %v, want an answer that says to ask again", err)
	}
	w.mustHold(t, standby.Database)
	log := primary.Log(t)
	for _, want := range []string{"a write has not returned for", "this node cannot end as usual"} {
		if !strings.Contains(log, want) {
			t.Errorf("%s does not say why it ends: its log has no %q", primary.Name, want)
		}
	}

	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	if code := primary.Wait(t); code != exitStuck {
		t.Errorf("%s ended with %d, want %d", primary.Name, code, exitStuck)
	}
	mustRestart(t, primary)
	if now := w.mustPrimary(t, "node1", "node2"); now != standby {
		t.Errorf("%s is primary, want %s", now.Name, standby.Name)
	}
	w.mustHoldAll(t)
	if got := w.acked["after the election"].Assurance; got != repo.Alone && got != repo.Two {
		t.Errorf("the write after the election was acknowledged by %q", got)
	}
}
