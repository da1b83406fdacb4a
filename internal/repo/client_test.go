package repo_test

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func MustClient(t *testing.T, base string) *repo.Client {
	t.Helper()
	tr := repo.NewTransport(repotest.Secret)
	t.Cleanup(tr.Close)
	return repo.NewClient(base, tr)
}

func TestClientOnAnyNode(t *testing.T) {
	c := MustCluster(t)
	local := httptest.NewServer(repo.NewHandler(c.replica, repotest.Secret, c.log.JSON()))
	t.Cleanup(local.Close)
	for key, base := range map[string]string{"p": c.server.URL, "r": local.URL} {
		client := MustClient(t, base)
		res, receipt, err := repo.Do(operator(), client, put{Item: key}, repo.WithKey(key))
		if err != nil || res.By != repo.Operator || receipt.Seq == 0 || receipt.Replayed {
			t.Errorf("%s: %+v %+v, %v", key, res, receipt, err)
		}
		if _, receipt, err = repo.Do(operator(), client, put{Item: key}, repo.WithKey(key)); err != nil || !receipt.Replayed {
			t.Errorf("%s again: %+v, %v", key, receipt, err)
		}
		_, err = repo.Write(operator(), client, put{})
		if e := repo.AsError(err); e.Code != repo.Invalid || e.Fields["item"] == "" {
			t.Errorf("%s refused: %v", key, err)
		}
	}
	c.node.Set(repotest.Unknown())
	_, err := repo.Write(within(t, time.Second), MustClient(t, local.URL), put{Item: "x"})
	if !repo.HasReason(err, repo.NoPrimary) {
		t.Errorf("no primary: %v", err)
	}
}

func TestClientWithoutServer(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	_ = l.Close()
	_, err = repo.Write(operator(), MustClient(t, base), put{Item: "a"})
	if e := repo.AsError(err); e.Reason != repo.NoServer || e.Code != repo.Unavailable || !strings.Contains(e.Message, base) || !strings.Contains(e.Message, "blog serve") {
		t.Errorf("got %v", err)
	}
}

func TestClientAsksAgain(t *testing.T) {
	c := MustCluster(t)
	s := cutting(t, c.server.Config.Handler, func(n int64) bool { return n <= 2 })
	_, receipt, err := repo.Do(operator(), MustClient(t, s.URL), put{Item: "a"})
	if err != nil || !receipt.Replayed || receipt.Seq != 1 {
		t.Errorf("got %+v, %v", receipt, err)
	}
	s = cutting(t, c.server.Config.Handler, func(int64) bool { return true })
	_, receipt, err = repo.Do(within(t, time.Second), MustClient(t, s.URL), put{Item: "b"})
	if e := repo.AsError(err); e.Reason != repo.OutcomeUnknown || e.Key == "" || e.Key != receipt.Key {
		t.Errorf("got %v", err)
	}
	// The server ends after having taken the call.
	s = cutting(t, c.server.Config.Handler, func(int64) bool { go func() { _ = s.Listener.Close() }(); return true })
	_, err = repo.Write(within(t, time.Second), MustClient(t, s.URL), put{Item: "c"})
	if !repo.HasReason(err, repo.OutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(operator())
	cancel()
	if _, err = repo.Write(ctx, MustClient(t, c.server.URL), put{Item: "d"}); repo.AsError(err).Code != repo.Unavailable {
		t.Errorf("cancelled: %v", err)
	}
}
