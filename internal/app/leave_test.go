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
	"blog/internal/litefs"
)

// oneConn is a listener with one connection and without a network. In a bubble of testing/synctest
// no time passes while a goroutine waits for a real connection.
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

// mustHang starts a server with a client that has sent half a form, and a handler that waits for
// the other half.
func mustHang(t *testing.T) *http.Server {
	t.Helper()
	srv := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
	}
	l := &oneConn{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v, want %v", err, http.ErrServerClosed)
		}
	}()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = here.Close() })
	l.conn <- there
	if _, err := io.WriteString(here,
		"POST /login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(here).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q, %v, want to be told to go on", line, err)
	}
	return srv
}

// TestTimesOfLeaving: by the clock of a bubble, clients are cut off at 6 s without an error, and
// whatever is still open at 8 s does not delay the end further. Otherwise a node could be killed at
// 10 s with its lease.
func TestTimesOfLeaving(t *testing.T) {
	const cut, end = 6 * time.Second, 8 * time.Second
	discard := slog.New(slog.DiscardHandler)
	for name, x := range map[string]struct {
		watch, closing bool // whether it hangs
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
					closers = append(closers, app.Shut(discard, mustHang(t)))
				}
				start := time.Now()
				err := app.End(t.Context(), discard, watch, closers...)
				if took := time.Since(start); took != x.took || !errors.Is(err, x.err) {
					t.Errorf("it ended after %s with %v, want %s and %v", took, err, x.took, x.err)
				}
				close(release)
			})
		})
	}
}

// TestAStandbyThatHasJustStarted is not ready before it is in the sync set, so that a rolling restart does not go on to
// the primary before. It does not wait for ever, nor where there is no primary whose standby it could become.
func TestAStandbyThatHasJustStarted(t *testing.T) {
	for name, x := range map[string]struct {
		up          time.Duration
		in, known   bool
		role        litefs.State
		warm, ready bool
	}{
		"it has just started":            {time.Second, false, false, litefs.Unknown, false, false},
		"it follows":                     {time.Second, false, true, litefs.Replica, false, false},
		"it follows, and catches up":     {29 * time.Second, false, true, litefs.Replica, false, false},
		"it is in the set":               {time.Second, true, true, litefs.Replica, true, true},
		"it is the primary":              {time.Second, true, true, litefs.Primary, true, true},
		"it has waited for 30 s":         {31 * time.Second, false, true, litefs.Replica, true, true},
		"no primary is found":            {6 * time.Second, false, false, litefs.Unknown, false, true},
		"the primary has become unknown": {6 * time.Second, false, true, litefs.Unknown, false, false},
		"a primary, and no word of it":   {6 * time.Second, false, false, litefs.Replica, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if warm, why := app.Warmed(x.up, x.in, x.known, x.role); warm != x.warm || (why == "") != x.ready {
				t.Errorf("counts as started: %t, %q; want %t, ready %t", warm, why, x.warm, x.ready)
			}
		})
	}
}
