package cluster_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// TestAfterASleep nothing is answered, refusals included, before Consul has said that the
// lease is still held.
func TestAfterASleep(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	w.consul.cut(true)
	a.elapsed.Jump(time.Hour)
	refused := w.write(t.Context(), a, "another", "key of one")
	mustWait(t, refused)
	w.consul.grant("b") // it was elected meanwhile
	w.consul.cut(false)
	mustWait(t, refused)
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	if got := w.MustEnd(t, refused); !apperr.HasReason(got.err, apperr.KeyReused) {
		t.Errorf("%v, want the reason %v", got.err, apperr.KeyReused)
	}
}

// TestReportsOfBeforeASuspension: a primary that wakes after its machine was suspended acknowledges no write on a
// report that has waited for it, before Consul has said that the lease is still held.
func TestReportsOfBeforeASuspension(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	b.role.hold(true)
	write := w.write(t.Context(), a, "two", "key of two")
	repotest.Eventually(t, patience, "b waits for what is held", func() bool { w.replicate(); return b.role.waits() > 0 })
	w.consul.cut(true)
	a.elapsed.Jump(time.Hour)
	b.role.hold(false)
	repotest.Eventually(t, patience, "b reports the write", func() bool { return a.cluster.Self().StandbySeq == 2 })
	mustWait(t, write)
	w.consul.cut(false)
	w.MustEnd(t, write).expectAssurance(t, "once Consul answers", repo.Two)
}

// TestASuspensionBeforeATerm: what Consul wrote before the machine was suspended begins a term that acknowledges
// nothing before Consul has said that the lease is still held.
func TestASuspensionBeforeATerm(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	w.consul.onChange(func() {
		b.elapsed.Jump(time.Hour)
		w.consul.cut(true)
	})
	w.consul.grant("b")
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	repotest.Eventually(t, patience, "b's term has begun", func() bool {
		return strings.Contains(b.log.String(), "this node begins a term")
	})
	if may, _ := beliefs(t, b); len(may) != 0 {
		t.Errorf("its log says %t, want 0 of them", may)
	}
	write := w.write(t.Context(), b, "two", "key of two")
	mustWait(t, write)
	w.consul.cut(false)
	if got := w.MustEnd(t, write); got.err != nil {
		t.Errorf("once Consul answers: got %v, want no error", got.err)
	}
}

// TestAnAnswerFromBeforeASleep says nothing about the time after it.
func TestAnAnswerFromBeforeASleep(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	arrive := w.consul.delay()
	before := w.consul.questions()
	a.elapsed.Jump(time.Hour)
	repotest.Eventually(t, patience, "Consul is asked", func() bool { return w.consul.questions() > before })
	a.elapsed.Jump(time.Hour) // with the answer on its way
	w.consul.grant("b")
	refused := w.write(t.Context(), a, "another", "key of one")
	arrive()
	mustWait(t, refused)
	b.role.Set(repotest.Primary())
	a.role.Set(replicaOf(b))
	if got := w.MustEnd(t, refused); !apperr.HasReason(got.err, apperr.KeyReused) {
		t.Errorf("%v, want the reason %v", got.err, apperr.KeyReused)
	}
}

// TestAfterAShortSleep it goes on.
func TestAfterAShortSleep(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	a.elapsed.Jump(time.Hour)
	w.MustWrite(t, a, "one", repo.Two)
}

// TestClocksThatDiffer are reported to both: deadlines of calls are compared with them.
func TestClocksThatDiffer(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	transport := transport.NewClient(repotest.Secret)
	defer transport.Close()
	ws, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(a.url(), "http")+cluster.PathUplink,
		&websocket.DialOptions{HTTPHeader: transport.Header()})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	defer func() { _ = ws.CloseNow() }()
	// As a node that is an hour late does it, twice a second.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for {
			raw, err := json.Marshal(cluster.Report{Info: &cluster.Info{ID: "late", Node: "late", Region: "nrt",
				Clock: time.Now().Add(-time.Hour)}})
			if err == nil {
				err = ws.Write(ctx, websocket.MessageText, raw)
			}
			if err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	repotest.Eventually(t, patience, "the log and the status say so", func() bool {
		nodes := a.cluster.Nodes(t.Context(), nil)
		return len(nodes) == 2 && strings.Contains(nodes[1].Problem, "clock of late") && strings.Contains(a.logged(),
			"clocks are more than 2 s apart")
	})
	repotest.Eventually(t, patience, "the node is sent it", func() bool {
		_, raw, err := ws.Read(t.Context())
		return err != nil || strings.Contains(string(raw), "clock of late")
	})
}
