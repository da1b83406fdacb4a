package repo_test

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

func MustClient(t *testing.T, base string) *repo.Client {
	t.Helper()
	tr := transport.NewClient(repotest.Secret)
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
		expectReplayed(t, key, receipt, err, false)
		if res.By != repo.Operator {
			t.Errorf("%s: got By %q, want %q", key, res.By, repo.Operator)
		}
		if receipt.Seq == 0 {
			t.Errorf("%s: got %+v, want one with a Seq", key, receipt)
		}
		_, receipt, err = repo.Do(operator(), client, put{Item: key}, repo.WithKey(key))
		expectReplayed(t, key+" again", receipt, err, true)
		_, err = repo.Write(operator(), client, put{})
		if e := expectCode(t, key+" refused", err, apperr.Invalid); e.Fields["item"] == "" {
			t.Errorf("%s refused: got %v, want a message for the field item", key, err)
		}
	}
	c.node.Set(repotest.Unknown())
	_, err := repo.Write(within(t, time.Second), MustClient(t, local.URL), put{Item: "x"})
	if !apperr.HasReason(err, apperr.NoPrimary) {
		t.Errorf("no primary: %v, want the reason %v", err, apperr.NoPrimary)
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
	e := expectReason(t, "without a server", err, apperr.Unavailable, apperr.NoServer)
	for _, want := range []string{base, "blog serve"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("got the message %q, want it with %q", e.Message, want)
		}
	}
}

func TestClientAsksAgain(t *testing.T) {
	c := MustCluster(t)
	s := cutting(t, c.server.Config.Handler, func(n int64) bool { return n <= 2 })
	_, receipt, err := repo.Do(operator(), MustClient(t, s.URL), put{Item: "a"})
	expectReplayed(t, "the third answer", receipt, err, true)
	if receipt.Seq != 1 {
		t.Errorf("got Seq %d, want 1", receipt.Seq)
	}
	s = cutting(t, c.server.Config.Handler, func(int64) bool { return true })
	_, receipt, err = repo.Do(within(t, time.Second), MustClient(t, s.URL), put{Item: "b"})
	expectUnknown(t, "cut for ever", receipt, err)
	// The server ends after it has received the call.
	s = cutting(t, c.server.Config.Handler, func(int64) bool { go func() { _ = s.Listener.Close() }(); return true })
	_, err = repo.Write(within(t, time.Second), MustClient(t, s.URL), put{Item: "c"})
	if !apperr.HasReason(err, apperr.OutcomeUnknown) {
		t.Errorf("got %v, want the reason %v", err, apperr.OutcomeUnknown)
	}
	ctx, cancel := context.WithCancel(operator())
	cancel()
	_, err = repo.Write(ctx, MustClient(t, c.server.URL), put{Item: "d"})
	expectCode(t, "cancelled", err, apperr.Unavailable)
}
