package cluster_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestAFrozenStandbyAndAHiccup: that this process stood still for a moment puts the
// decision about a standby off, not away.
func TestAFrozenStandbyAndAHiccup(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t) // they wait a minute
	now := time.Now()
	for name, c := range map[string]struct {
		behind, awake time.Duration // before now
		lost          bool
	}{
		"frozen":                     {2 * time.Minute, time.Hour, true},
		"frozen, a hiccup meanwhile": {50 * time.Minute, 49 * time.Minute, true},
		"frozen, a hiccup just now":  {50 * time.Minute, time.Second, false},
		"not for long":               {time.Second, time.Hour, false},
	} {
		if why := a.cluster.Lost("b", now, now.Add(-c.behind), now.Add(-c.awake)); (why != "") != c.lost {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestSilenceCountsFromWakingUp: what this process has not heard while it was stopped says nothing about the others.
func TestSilenceCountsFromWakingUp(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t) // they wait a minute
	later := time.Now().Add(time.Hour)
	if why := a.cluster.Lost("b", later, later, later.Add(-time.Second)); why != "" {
		t.Errorf("a second after an hour's stop the standby counts as lost: %s", why)
	}
	if why := a.cluster.Lost("b", later, later, later.Add(-2*time.Minute)); why == "" {
		t.Error("a standby that has been silent for two minutes since counts as present")
	}
}

// TestWhoIsWaitedFor: what is acknowledged waits for who joins, so nobody joins who does
// not follow.
func TestWhoIsWaitedFor(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	now := time.Now()
	at := func(seq int64) *int64 { return &seq }
	newest := repo.Cursor{Seq: 100, Mark: repo.Mark{1}}
	for name, c := range map[string]struct {
		newest  repo.Cursor
		covered *int64
		behind  time.Time
		joins   bool
	}{
		"complete":                   {newest, at(100), time.Time{}, true},
		"a few behind":               {newest, at(97), now.Add(-time.Second / 10), true},
		"a few behind, for long":     {newest, at(97), now.Add(-time.Minute), false},
		"without a copy":             {newest, nil, time.Time{}, false},
		"far behind":                 {repo.Cursor{Seq: 1000, Mark: repo.Mark{1}}, at(100), time.Time{}, false},
		"where there is nothing yet": {repo.Cursor{}, nil, time.Time{}, true},
	} {
		if joins := a.cluster.Joinable("b", c.newest, c.covered, c.behind, now); joins != c.joins {
			t.Errorf("%s: %t", name, joins)
		}
	}
}

// TestWhileAStandbyJoins: it comes into the set with what was acknowledged before it was
// waited for, and what is acknowledged since waits for it.
func TestWhileAStandbyJoins(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	for name, c := range map[string]struct {
		covered, target, seq int64
		acknowledged, in     bool
	}{
		"it lacks a row from before": {4, 5, 5, false, false},
		"it has what was before":     {5, 5, 6, false, true},
		"it has everything":          {6, 5, 6, true, true},
	} {
		if acknowledged, in := a.cluster.Joins("b", c.covered, c.target, c.seq); acknowledged != c.acknowledged || in != c.in {
			t.Errorf("%s: acknowledged %t, in the set %t", name, acknowledged, in)
		}
	}
}

// TestAfterASleep nothing is told, refusals included, before Consul has said that the
// lease is still held.
func TestAfterASleep(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	w.keeper.cut(true)
	a.cluster.Sleep(time.Hour)
	refused := w.write(t.Context(), a, "another", "key of one")
	waits(t, refused)
	w.keeper.hand("b") // it was elected meanwhile
	w.keeper.cut(false)
	waits(t, refused)
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	if got := w.MustEnd(t, refused); !repo.HasReason(got.err, repo.KeyReused) {
		t.Errorf("%v", got.err)
	}
}

// TestAWordFromBeforeASleep says nothing about the time after it.
func TestAWordFromBeforeASleep(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	arrive := w.keeper.delay()
	before := w.keeper.questions()
	a.cluster.Sleep(time.Hour)
	repotest.Eventually(t, patience, "Consul is asked", func() bool { return w.keeper.questions() > before })
	a.cluster.Sleep(time.Hour) // with the answer on its way
	w.keeper.hand("b")
	refused := w.write(t.Context(), a, "another", "key of one")
	repotest.Eventually(t, patience, "the sleep is noticed", func() bool { return a.cluster.Awake() })
	arrive()
	waits(t, refused)
	b.seat.Set(repotest.Primary())
	a.seat.Set(replicaOf(b))
	if got := w.MustEnd(t, refused); !repo.HasReason(got.err, repo.KeyReused) {
		t.Errorf("%v", got.err)
	}
}

// TestThePrimaryBefore: its words count as reports, and one that lives has time to come
// back.
func TestThePrimaryBefore(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t) // they wait a minute
	now := time.Now()
	for name, c := range map[string]struct {
		led, told, heard time.Duration // before now; heard 0: not yet
		lost             bool
	}{
		"silent through the election":               {time.Second, 62 * time.Second, 0, true},
		"just elected":                              {time.Second / 10, 62 * time.Second, 0, false},
		"heard until a moment before":               {time.Second, 3 * time.Second, 0, false},
		"and silent since":                          {59 * time.Second, 61 * time.Second, 0, true},
		"here sooner than this node led":            {time.Second, 62 * time.Second, 2 * time.Second, false},
		"here sooner than it led, and silent since": {70 * time.Second, 132 * time.Second, 71 * time.Second, true},
		"here since":                                {50 * time.Second, 112 * time.Second, time.Second, false},
	} {
		heard := time.Time{}
		if c.heard > 0 {
			heard = now.Add(-c.heard)
		}
		if why := a.cluster.LostBefore("b", now, now.Add(-c.led), now.Add(-c.told), heard); (why != "") != c.lost {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// TestAfterAShortSleep it goes on.
func TestAfterAShortSleep(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	a.cluster.Sleep(time.Hour)
	w.MustWrite(t, a, "one", repo.Two)
}

// TestClocksThatDiffer are told to both: deadlines of calls are compared with them.
func TestClocksThatDiffer(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	transport := repo.NewTransport(repotest.Secret)
	defer transport.Close()
	ws, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(a.url(), "http")+cluster.PathUplink, &websocket.DialOptions{HTTPHeader: transport.Header()})
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
			raw, err := json.Marshal(cluster.Report{Info: &cluster.Info{ID: "late", Node: "late", Region: "nrt", Clock: time.Now().Add(-time.Hour)}})
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
		return len(nodes) == 2 && strings.Contains(nodes[1].Problem, "clock of late") && strings.Contains(a.log.String(), "clocks are more than 2 s apart")
	})
	repotest.Eventually(t, patience, "the node is told", func() bool {
		_, raw, err := ws.Read(t.Context())
		return err != nil || strings.Contains(string(raw), "clock of late")
	})
}
