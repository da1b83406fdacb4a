package repo_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// rawCall is a connection to a private listener that has sent a call's head alone.
type rawCall struct {
	net.Conn
	answers *bufio.Reader
}

// mustBegin sends the head of a call whose body has length bytes; -1 does not say how
// many.
func mustBegin(tb testing.TB, c *cluster, path string, length int) *rawCall {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", c.server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // it may be closed
	if err = conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	size := fmt.Sprintf("Content-Length: %d", length)
	if length < 0 {
		size = "Transfer-Encoding: chunked"
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n%s\r\n\r\n", path,
		bearer(tb, repotest.Secret), size)
	if err != nil {
		tb.Fatal(err)
	}
	return &rawCall{conn, bufio.NewReader(conn)}
}

// mustAnswer reads the answer: its status, whether it says when to come back, and its error.
func (r *rawCall) mustAnswer(tb testing.TB) (status int, retry bool, e apperr.Error) {
	tb.Helper()
	res, err := http.ReadResponse(r.answers, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out struct{ Error apperr.Error }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Retry-After") != "", out.Error
}

// TestBodiesAreCountedBeforeTheyAreRead: by the length that is announced, or by the
// largest allowed one when none is. A body that does not fit is refused before one byte of it is read.
func TestBodiesAreCountedBeforeTheyAreRead(t *testing.T) {
	for _, path := range []string{repo.PathSuper, repo.PathCall} {
		t.Run(path, func(t *testing.T) {
			c := MustCluster(t)
			c.primary.SetBodies(2 * repo.MaxWire)
			known, unknown := mustBegin(t, c, path, repo.MaxWire-1000), mustBegin(t, c, path, -1)
			repotest.Eventually(t, patience, "both are counted",
				func() bool { return c.primary.HeldBodies() == 2*repo.MaxWire-1000 })
			for _, length := range []int{1001, -1} {
				status, retry, e := mustBegin(t, c, path, length).mustAnswer(t)
				what := fmt.Sprintf("a body of %d", length)
				expectReason(t, what, &e, apperr.Unavailable, apperr.Overloaded)
				if status != http.StatusServiceUnavailable {
					t.Errorf("%s: got status %d, want %d", what, status, http.StatusServiceUnavailable)
				}
				if !retry {
					t.Errorf("%s: got an answer without Retry-After, want one", what)
				}
			}
			if status, e := post(t, c.server.URL+path, bearer(t, repotest.Secret), envelope("", "")); status != http.StatusOK {
				t.Errorf("one that fits: %d, %v, want %d", status, &e, http.StatusOK)
			}
			for _, held := range []net.Conn{known, unknown} {
				if err := held.Close(); err != nil {
					t.Error(err)
				}
			}
			repotest.Eventually(t, patience, "none is counted", func() bool { return c.primary.HeldBodies() == 0 })
		})
	}
}

// TestARefusedBodyResetsNoConnection: a caller that sends all of a body first reads the refusal
// afterwards, and may use the connection again.
func TestARefusedBodyResetsNoConnection(t *testing.T) {
	c := MustCluster(t)
	c.primary.SetBodies(1000)
	for range 3 {
		r := mustBegin(t, c, repo.PathSuper, repo.MaxWire)
		if _, err := r.Write(bytes.Repeat([]byte("x"), repo.MaxWire)); err != nil {
			t.Fatal(err)
		}
		if _, _, e := r.mustAnswer(t); e.Reason != apperr.Overloaded {
			t.Errorf("got %v, want Reason %v", &e, apperr.Overloaded)
		}
		small := envelope("", "")
		_, err := fmt.Fprintf(r, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s",
			repo.PathSuper, bearer(t, repotest.Secret), len(small), small)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, e := r.mustAnswer(t); status != http.StatusOK {
			t.Errorf("the same connection again: %d %v, want %d", status, &e, http.StatusOK)
		}
	}
	// A larger one is not read to its end: the answer says that the connection ends.
	r := mustBegin(t, c, repo.PathSuper, 2*repo.MaxWire)
	res, err := http.ReadResponse(r.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = res.Body.Close(); err != nil {
		t.Error(err)
	}
	if !res.Close {
		t.Error("too large a body: got an answer after which the connection stays, want that it ends")
	}
	if res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("too large a body: got status %d, want %d", res.StatusCode, http.StatusUnprocessableEntity)
	}
	// This program's own transport, through a replica.
	_, err = repo.Write(operator(), c.replica, put{Item: "a", Value: strings.Repeat("v", 1<<20)})
	if e := expectReason(t, "through a replica", err, apperr.Unavailable, apperr.Overloaded); e.RetryAfter == 0 {
		t.Errorf("through a replica: got RetryAfter %d, want at least 1 s", e.RetryAfter)
	}
}

// TestBodiesOfLocalCallsAreCounted: the body of a call of this node's pages counts as long as the call is under way.
func TestBodiesOfLocalCallsAreCounted(t *testing.T) {
	k := &heldDurability{open: make(chan struct{})}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	o.Durability = k
	r := repotest.MustOpen(t, o)
	r.SetBodies(1000)
	large := put{Item: "a", Value: strings.Repeat("v", 600)}
	first := make(chan error, 1)
	go func() {
		_, err := repo.Write(operator(), r, large)
		first <- err
	}()
	repotest.Eventually(t, patience, "it waits", func() bool { return k.count() == 1 })
	if _, err := repo.Write(operator(), r, large); !apperr.HasReason(err, apperr.Overloaded) {
		t.Errorf("a second: %v, want the reason %v", err, apperr.Overloaded)
	}
	close(k.open)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := repo.Write(operator(), r, large); err != nil {
		t.Errorf("when there is room again: got %v, want no error", err)
	}
	if n := r.HeldBodies(); n != 0 {
		t.Errorf("when all are answered: got %d bytes that are counted, want 0", n)
	}
}
