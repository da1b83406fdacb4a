package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"blog/internal/apperr"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// script is an uplink to a primary, or of a standby, whose messages the test writes.
type script struct {
	ws     *websocket.Conn
	mu     sync.Mutex
	number uint64 // of the newest heartbeat
}

// MustScript opens an uplink to n as the candidate called id, and reports that it has what n has.
func MustScript(t *testing.T, n *node, id string) *script {
	t.Helper()
	transport := transport.NewClient(repotest.Secret)
	t.Cleanup(transport.Close)
	ws, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(n.url(), "http")+cluster.PathUplink,
		&websocket.DialOptions{HTTPHeader: transport.Header()})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	s := &script{ws: ws}
	s.MustSend(t, cluster.Report{Cursor: n.cursor(t), Info: &cluster.Info{ID: id, Node: id, Region: "fra",
		Candidate: true}})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			var w cluster.Heartbeat
			if s.receive(context.Background(), &w) != nil {
				return
			}
			s.mu.Lock()
			s.number = w.Number
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = ws.CloseNow()
		reading.Wait()
	})
	return s
}

func (s *script) receive(ctx context.Context, v any) error {
	_, raw, err := s.ws.Read(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

func (s *script) MustSend(t *testing.T, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err == nil {
		err = s.ws.Write(t.Context(), websocket.MessageText, raw)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newest is the number of the newest heartbeat.
func (s *script) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

// cursor is the newest row of n's copy.
func (n *node) cursor(t *testing.T) repo.Cursor {
	t.Helper()
	var at repo.Cursor
	err := n.repo.View(t.Context(), func(rd repo.Reader) (err error) {
		at, err = repo.Newest(t.Context(), rd)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// mustHear sends a report of which nothing else is to come, and waits until the primary has received it.
func (s *script) mustHear(t *testing.T, n *node, rep cluster.Report) {
	t.Helper()
	before := n.cluster.Reports("b")
	s.MustSend(t, rep)
	repotest.Eventually(t, patience, "the report has come", func() bool { return n.cluster.Reports("b") != before })
}

// TestAReportAnswersWhatItHasHeard: that a report comes after an answer began to wait says nothing. It may be from
// before
// this machine was suspended, with its clock, and wait in a buffer since. One that echoes a heartbeat of after that
// moment is
// from a standby that had not been elected then.
func TestAReportAnswersWhatItHasHeard(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := MustScript(t, a, "b")
	w.MustSet(t, "a", "b")
	w.consul.cut(true)
	at := a.cursor(t)
	repotest.Eventually(t, patience, "the first heartbeat", func() bool { return b.newest() > 0 })
	before := b.newest()
	b.mustHear(t, a, cluster.Report{Cursor: at, Echo: before})

	replay := w.write(t.Context(), a, "one", "key of one")
	refused := w.write(t.Context(), a, "another", "key of one")
	repotest.Eventually(t, patience, "a heartbeat goes out", func() bool { return b.newest() > before })
	b.mustHear(t, a, cluster.Report{Cursor: at, Echo: before})
	b.mustHear(t, a, cluster.Report{Cursor: at}) // of the release before
	b.mustHear(t, a, cluster.Report{Cursor: at, Echo: 1 << 40})
	mustWait(t, replay)
	mustWait(t, refused)
	repotest.Eventually(t, patience, "both are answered", func() bool {
		b.MustSend(t, cluster.Report{Cursor: at, Echo: b.newest()})
		return len(replay) == 1 && len(refused) == 1
	})
	got := <-replay
	got.expectReplayed(t, "a replay", true)
	got.expectAssurance(t, "a replay", repo.Two)
	if got := <-refused; !apperr.HasReason(got.err, apperr.KeyReused) {
		t.Errorf("%v, want the reason %v", got.err, apperr.KeyReused)
	}

	// What its copy has is true whenever it says so.
	write := w.write(t.Context(), a, "two", "k")
	repotest.Eventually(t, patience, "the row is there", func() bool { return a.cursor(t).Seq == 2 })
	mustWait(t, write)
	b.MustSend(t, cluster.Report{Cursor: a.cursor(t), Echo: before})
	w.MustEnd(t, write).expectAssurance(t, "a write", repo.Two)
}

// TestAnEchoOfAnotherHistory: a standby that has been primary meanwhile has rows that this node knows nothing of.
func TestAnEchoOfAnotherHistory(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := MustScript(t, a, "b")
	w.MustSet(t, "a", "b")
	w.consul.cut(true)
	refused := w.write(t.Context(), a, "another", "key of one")
	other := repo.Cursor{Seq: 2, Mark: repo.Mark{9}}
	for range 3 {
		before := b.newest()
		repotest.Eventually(t, patience, "a heartbeat", func() bool { return b.newest() > before })
		b.mustHear(t, a, cluster.Report{Cursor: other, Echo: b.newest()})
	}
	mustWait(t, refused)
	b.MustSend(t, cluster.Report{Cursor: a.cursor(t), Echo: b.newest()})
	if got := w.MustEnd(t, refused); !apperr.HasReason(got.err, apperr.KeyReused) {
		t.Errorf("%v, want the reason %v", got.err, apperr.KeyReused)
	}
}

// TestAReportOfAnotherHistory covers nothing, whatever its seq: a standby that has been primary meanwhile has rows
// under
// the numbers of rows that it lacks.
func TestAReportOfAnotherHistory(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := MustScript(t, a, "b")
	w.MustSet(t, "a", "b")
	write := w.write(t.Context(), a, "two", "k")
	repotest.Eventually(t, patience, "the row is there", func() bool { return a.cursor(t).Seq == 2 })
	for _, seq := range []int64{2, 3, 1000} {
		b.mustHear(t, a, cluster.Report{Cursor: repo.Cursor{Seq: seq, Mark: repo.Mark{9}}, Echo: b.newest()})
	}
	mustWait(t, write)
	b.MustSend(t, cluster.Report{Cursor: a.cursor(t), Echo: b.newest()})
	w.MustEnd(t, write).expectAssurance(t, "a write", repo.Two)
}

// TestAStandbyOfTheReleaseBefore does not echo: Consul's answer counts.
func TestAStandbyOfTheReleaseBefore(t *testing.T) {
	w := MustWorld(t)
	a := w.MustNode(t, "a")
	w.MustWrite(t, a, "one", repo.Alone)
	b := MustScript(t, a, "b")
	w.MustSet(t, "a", "b")
	w.consul.cut(true)
	replay := w.write(t.Context(), a, "one", "key of one")
	b.mustHear(t, a, cluster.Report{Cursor: a.cursor(t)})
	mustWait(t, replay)
	w.consul.cut(false)
	w.MustEnd(t, replay).expectAssurance(t, "a replay", repo.Two)
}

// TestAHeartbeatGoesOutAtOnce where an answer waits for an echo: so many replays, one after the other, would take
// longer than
// the test waits if each had to wait for a heartbeat.
func TestAHeartbeatGoesOutAtOnce(t *testing.T) {
	w := MustWorld(t)
	a, _ := w.MustPair(t)
	w.MustWrite(t, a, "one", repo.Two)
	w.consul.cut(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 60 {
		w.MustEnd(t, w.write(ctx, a, "one", "key of one")).expectReplayed(t, "a replay", true)
		if t.Failed() {
			return
		}
	}
}

// TestAStandbyEchoesAtOnce: the echo comes in a report of its own, not in the heartbeat, which says everything.
func TestAStandbyEchoesAtOnce(t *testing.T) {
	w := MustWorld(t)
	b := w.MustNode(t, "b") // the first one is primary; then it follows what is no node at all
	const heartbeats = 5
	alone := make(chan int, 1)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		primary, count := &script{ws: ws}, 0
		for number := uint64(1); number <= heartbeats; number++ {
			raw, err := json.Marshal(cluster.Heartbeat{From: "p", Number: number})
			if err = errors.Join(err, ws.Write(r.Context(), websocket.MessageText, raw)); err != nil {
				return
			}
			var rep cluster.Report
			for rep.Echo != number {
				rep = cluster.Report{}
				if primary.receive(r.Context(), &rep) != nil {
					return
				}
			}
			if rep.Info == nil {
				count++
			}
		}
		alone <- count
		<-r.Context().Done()
	}))
	defer s.Close()
	b.role.Set(litefs.Role{State: litefs.Replica, Host: "p", URL: s.URL})
	if got := <-alone; got < heartbeats-1 { // a heartbeat may come at that very moment
		t.Errorf("%d of %d heartbeats were echoed in a report of their own, want at least %d", got, heartbeats, heartbeats-1)
	}
	b.role.Set(repotest.Unknown())
	s.CloseClientConnections()
}

// TestAnUplinkEndsWhenATermBegins: what comes over it says that this node has not.
func TestAnUplinkEndsWhenATermBegins(t *testing.T) {
	w := MustWorld(t)
	b := w.MustNode(t, "b")
	var uplinks atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		for first := true; err == nil; first = false { // with its first report an uplink belongs to a term
			err = errors.Join(ws.Write(r.Context(), websocket.MessageText, []byte(`{"from":"p"}`)),
				(&script{ws: ws}).receive(r.Context(), new(cluster.Report)))
			if first && err == nil {
				uplinks.Add(1)
			}
		}
	}))
	defer s.Close()
	b.role.Set(litefs.Role{State: litefs.Replica, Host: "p", URL: s.URL})
	repotest.Eventually(t, patience, "it has an uplink", func() bool { return uplinks.Load() == 1 })
	term := b.MustBeginTerm(t, make(chan struct{}))
	repotest.Eventually(t, patience, "it has another", func() bool { return uplinks.Load() > 1 })
	term.End()
	b.role.Set(repotest.Unknown())
	s.CloseClientConnections()
}
