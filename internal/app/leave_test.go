package app_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/app"
)

// oneConn is a listener without a network that has one connection to give: in a bubble of testing/synctest no time passes
// while somebody waits for a real one.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error { close(l.done); return nil }
func (*oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// mustHang starts a server with a client that has sent half a form, for which a handler waits.
func mustHang(t *testing.T) *http.Server {
	t.Helper()
	srv := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler:           http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
	}
	l := &oneConn{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = here.Close() })
	l.conn <- there
	if _, err := io.WriteString(here, "POST /login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(here).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q, %v, want to be told to go on", line, err)
	}
	return srv
}

// TestTimesOfLeaving, by the clock of a bubble: clients are cut off at 6 s, which is a good end, and whatever is still open
// at 8 s keeps nobody longer. Without that a node could be killed, at 10 s, with its lease.
func TestTimesOfLeaving(t *testing.T) {
	const cut, end = 6 * time.Second, 8 * time.Second
	quiet := slog.New(slog.DiscardHandler)
	for name, x := range map[string]struct {
		watch, closing bool // hangs
		client         bool
		took           time.Duration
		err            error
	}{
		"nothing hangs":          {},
		"a client":               {client: true, took: cut},
		"a file":                 {closing: true, took: end, err: app.ErrUnclosed},
		"a client, then a file":  {client: true, closing: true, took: end, err: app.ErrUnclosed},
		"the look at a database": {watch: true, took: end, err: app.ErrUnclosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				hang := func() { <-release }
				watch := func() {}
				var closers []func(ctx context.Context) error // the last one is called first
				if x.watch {
					watch = hang
				}
				if x.closing {
					closers = append(closers, func(context.Context) error { hang(); return nil })
				}
				if x.client {
					closers = append(closers, app.Shut(quiet, mustHang(t)))
				}
				start := time.Now()
				err := app.End(t.Context(), quiet, watch, closers...)
				if took := time.Since(start); took != x.took || !errors.Is(err, x.err) {
					t.Errorf("it ended after %s with %v, want %s and %v", took, err, x.took, x.err)
				}
				close(release)
			})
		})
	}
}
