package failover_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// once is a Writer that sends a call once. Its result is the server's answer, or that there was
// none.
type once struct {
	base      string
	transport *transport.Client
}

func (o once) Call(ctx context.Context, call *repo.Call) error {
	return repo.Send(ctx, o.transport, o.base, repo.PathCall, call)
}

// MustHang sends half a form, and returns when a handler waits for the other half.
func MustHang(t *testing.T, n *cluster.Node) {
	t.Helper()
	host := strings.TrimPrefix(n.PublicURL, "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn,
		"POST /login HTTP/1.1\r\nHost: "+host+
			"\r\nExpect: 100-continue\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Sec-Fetch-Site: same-origin\r\nContent-Length: 1000\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q, %v, want to be told to go on", line, err)
	}
}

// TestLeavingWithoutAStandby: a call that waits for a standby is answered, with its key, before its
// node ends, and a client that hangs does not retain the lease.
func TestLeavingWithoutAStandby(t *testing.T) {
	w := MustWorld(t, 2, "DURABILITY=strict")
	first, second := w.Nodes[0], w.Nodes[1]
	second.Kill(t)
	MustHang(t, first)
	const key = "key of waiting"
	answer := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(repo.As(t.Context(), repo.Actor{Name: repo.Operator}), patience)
		defer cancel()
		_, _, err := repo.Do(ctx, once{
			first.PrivateURL, w.transport,
		}, posts.Create{Title: "Waiting", Body: "Text.", Publish: true}, repo.WithKey(key))
		answer <- err
	}()
	// The post is written, and readers need not wait for its acknowledgement.
	cluster.Poll(t, patience, "the post is there", func(ctx context.Context) error {
		return get(ctx, first.PublicURL+"/posts/waiting")
	})
	select {
	case err := <-answer:
		t.Fatalf("acknowledged without a standby: %v", err)
	default:
	}
	start := time.Now()
	code := first.Stop(t)
	mustBeat(t, first.Name, time.Since(start))
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	err := <-answer
	e := apperr.From(err)
	if e.Code.Status() != http.StatusServiceUnavailable || e.Reason != apperr.OutcomeUnknown || e.Key != key ||
		!strings.Contains(e.Message, "The primary did not answer in time") {
		t.Errorf("the call that waited got %v, key %q: want the server's own word and the key", err, e.Key)
	}
	log := first.Log(t)
	for _, want := range []string{
		"leaving without a standby", "reason=outcome_unknown", "requests had to be cut off", "msg=stopped", "node is closed",
	} {
		before, after, found := strings.Cut(log, want)
		if !found {
			t.Errorf("%q is not in the log, or not after what comes before it: %s", want, fmt.Sprintf("%.300q", before))
		}
		log = after
	}
}
