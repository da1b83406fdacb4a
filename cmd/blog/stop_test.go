package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killTimeout is how long after SIGTERM a node gets SIGKILL: see fly.toml and compose.yml.
const killTimeout = 10 * time.Second

// mustAsk sends the head of a request and checks the status of its first answer. The connection
// stays open until the end of the test.
func mustAsk(t *testing.T, s *server, head string, status int) {
	t.Helper()
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err = io.WriteString(conn, fmt.Sprintf(strings.ReplaceAll(head, "\n", "\r\n"), host)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("the answer's first line %q: %v", line, err)
	}
	if want := fmt.Sprintf("HTTP/1.1 %d ", status); !strings.HasPrefix(line, want) {
		t.Fatalf("got %q, want it to begin with %q", line, want)
	}
}

// TestClientsThatHang: neither half a form nor sockets that never answer the close frame delay the
// end of the server.
func TestClientsThatHang(t *testing.T) {
	const sockets = 600 // more than a batch
	s := newWorld(t).mustServe(t)
	// The server answers "continue" when the handler waits for the body.
	mustAsk(t, s,
		"POST /login HTTP/1.1\nHost: %s\nExpect: 100-continue\nContent-Type: "+
			"application/x-www-form-urlencoded\nSec-Fetch-Site: same-origin\nContent-Length: 1000\n\n", http.StatusContinue)
	for range sockets {
		mustAsk(t, s,
			"GET /live?topics=posts&after=0 HTTP/1.1\nHost: %s\nUpgrade: websocket\nConnection: "+
				"Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n",
			http.StatusSwitchingProtocols)
	}
	start := time.Now()
	s.mustStop(t, syscall.SIGTERM)
	took := time.Since(start)
	t.Logf("it ended after %s", took)
	if took > killTimeout {
		t.Errorf("it ended after %s, want at most %s, at which it is killed", took, killTimeout)
	}
	// The last socket may have been closed before it was counted.
	for _, want := range []string{
		"requests had to be cut off", "disconnected sockets that had not answered the close frame", "msg=stopped",
	} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("got the log\n%s\nwant %q in it", s.log.String(), want)
		}
	}
}

// TestSignals: Ctrl-C and a closed terminal end the server as SIGTERM does.
func TestSignals(t *testing.T) {
	// A program inherits that SIGHUP is ignored from the one that starts it.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		s := newWorld(t).mustServe(t)
		s.mustStop(t, sig)
		if !strings.Contains(s.log.String(), "msg=stopped") {
			t.Errorf("%s: got the log\n%s\nwant %q in it", sig, s.log.String(), "msg=stopped")
		}
	}
	w := newWorld(t)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec "$0" serve`, w.program) // as nohup does
	s := w.mustStart(t, cmd)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	get(t, s.url+"/health", http.StatusOK)
	get(t, s.url+"/readyz", http.StatusOK)
	s.mustStop(t, syscall.SIGTERM)
}

// mustPipe returns the end of a pipe to write to, of which nobody reads the other end: it is closed, or the pipe is
// full.
func mustPipe(t *testing.T, closed bool) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if closed {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		return w
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, 2<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes into a pipe: %v, want it to be full", n, err)
	}
	return w
}

// TestLogWithoutAReader: a server whose log is a pipe that nobody reads, or that is closed, serves, and ends as usual.
func TestLogWithoutAReader(t *testing.T) {
	for name, closed := range map[string]bool{"it is full": false, "it is closed": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", `exec "$0" serve 2>&3 3>&-`, w.program)
			cmd.ExtraFiles = []*os.File{mustPipe(t, closed)}
			s := w.mustStart(t, cmd)
			get(t, s.url+"/readyz", http.StatusOK)
			get(t, s.url+"/posts/nothing", http.StatusNotFound)
			s.mustStop(t, syscall.SIGTERM)
		})
	}
}
