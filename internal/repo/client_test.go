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
		if err != nil || res.By != repo.Operator || receipt.Seq == 0 || receipt.Replayed {
			t.Errorf("%s: %+v %+v, %v, want no error, By %v, Seq not 0 and Replayed false", key, res, receipt, err,
				repo.Operator)
		}
		if _, receipt, err = repo.Do(operator(), client, put{Item: key}, repo.WithKey(key)); err != nil || !receipt.Replayed {
			t.Errorf("%s again: %+v, %v, want no error and Replayed true", key, receipt, err)
		}
		_, err = repo.Write(operator(), client, put{})
		if e := apperr.From(err); e.Code != apperr.Invalid || e.Fields["item"] == "" {
			t.Errorf("%s refused: %v, want %v of the field item", key, err, apperr.Invalid)
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
	if e := apperr.From(err); e.Reason != apperr.NoServer || e.Code != apperr.Unavailable ||
		!strings.Contains(e.Message, base) || !strings.Contains(e.Message, "blog serve") {
		t.Errorf("got %v, Reason %v, Code %v, Message %v, want Reason %v, Code %v, Message with %v and Message with %q", err,
			e.Reason, e.Code, e.Message, apperr.NoServer, apperr.Unavailable, base, "blog serve")
	}
}

func TestClientAsksAgain(t *testing.T) {
	c := MustCluster(t)
	s := cutting(t, c.server.Config.Handler, func(n int64) bool { return n <= 2 })
	_, receipt, err := repo.Do(operator(), MustClient(t, s.URL), put{Item: "a"})
	if err != nil || !receipt.Replayed || receipt.Seq != 1 {
		t.Errorf("got %+v, %v, want no error, Replayed true and Seq 1", receipt, err)
	}
	s = cutting(t, c.server.Config.Handler, func(int64) bool { return true })
	_, receipt, err = repo.Do(within(t, time.Second), MustClient(t, s.URL), put{Item: "b"})
	if e := apperr.From(err); e.Reason != apperr.OutcomeUnknown || e.Key == "" || e.Key != receipt.Key {
		t.Errorf("got %v, Reason %v, Key %v, want Reason %v, Key not empty and Key %v", err, e.Reason, e.Key,
			apperr.OutcomeUnknown, receipt.Key)
	}
	// The server ends after it has received the call.
	s = cutting(t, c.server.Config.Handler, func(int64) bool { go func() { _ = s.Listener.Close() }(); return true })
	_, err = repo.Write(within(t, time.Second), MustClient(t, s.URL), put{Item: "c"})
	if !apperr.HasReason(err, apperr.OutcomeUnknown) {
		t.Errorf("got %v, want the reason %v", err, apperr.OutcomeUnknown)
	}
	ctx, cancel := context.WithCancel(operator())
	cancel()
	if _, err = repo.Write(ctx, MustClient(t, c.server.URL), put{Item: "d"}); apperr.From(err).Code != apperr.Unavailable {
		t.Errorf("cancelled: %v", err)
	}
}
