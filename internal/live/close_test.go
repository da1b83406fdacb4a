package live_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"blog/internal/live"
)

func TestCloseDrains(t *testing.T) {
	s := MustSite(t, change{})
	var all []*client
	for range 50 {
		all = append(all, MustFollow(t, s, "posts", "0"))
	}
	MustRawSocket(t, s, "posts") // which will not answer
	closed := make(chan struct{})
	go func() { defer close(closed); s.hub.Close(context.WithoutCancel(t.Context())) }()
	for _, c := range all {
		if code := c.MustEnd(t); code != websocket.StatusGoingAway {
			t.Errorf("closed with %d, want 1001", code)
		}
	}
	<-closed
	if n := s.hub.Stats().Sockets; n != 0 {
		t.Errorf("%d sockets after Close, want 0", n)
	}
	_, a, err := dialAs(t.Context(), s.address("posts", "0"), "")
	if err == nil {
		t.Error("after Close: got a socket, want an error")
	}
	if a.status != http.StatusServiceUnavailable {
		t.Errorf("after Close: got the status %d, want 503", a.status)
	}
	MustDo(t, s, post(1, "a", "A")) // told to nobody
}

func TestCloseDoesNotWaitLongerThanItMay(t *testing.T) {
	s := MustSite(t, change{})
	MustRawSocket(t, s, "posts")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.hub.Close(ctx)
	if n := s.hub.Stats().Sockets; n != 0 {
		t.Errorf("%d sockets after Close, want 0", n)
	}
}

// pipes is a listener without a network: in a bubble of testing/synctest no time passes while somebody waits for one.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// MustSocket shakes hands and returns what comes next.
func (p *pipes) MustSocket(tb testing.TB) *bufio.Reader {
	tb.Helper()
	here, there := net.Pipe()
	tb.Cleanup(func() { _ = here.Close() })
	p.conns <- there
	if _, err := io.WriteString(here,
		"GET /live?topics=posts&after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		tb.Fatal(err)
	}
	br := bufio.NewReader(here)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("handshake: %s", res.Status)
	}
	return br
}

// TestCloseOfManySilentSockets: Close takes 4 s by the clock of a bubble, however many say nothing, and all of them,
// but for those who take nothing either, have been told before they are cut off: not all at once.
func TestCloseOfManySilentSockets(t *testing.T) {
	const many, silent = 2400, 100 // the race detector takes 8,000 goroutines, and a socket here has three
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		s := MustSite(t, change{
			options: func(o *live.Options) { o.PingEvery = time.Hour },
			listener: func(server *httptest.Server) {
				_ = server.Listener.Close()
				server.Listener = p
			},
		})
		var mu sync.Mutex
		closedAt := map[time.Time]int{}
		var readers sync.WaitGroup
		for range silent {
			if _, err := p.MustSocket(t).Peek(1); err != nil { // the hello, whole
				t.Fatal(err)
			}
		}
		for range many - silent {
			br := p.MustSocket(t)
			readers.Go(func() {
				if err := readCloseFrame(br); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				closedAt[time.Now()]++
				mu.Unlock()
				_, _ = io.Copy(io.Discard, br) // and never answers
			})
		}
		synctest.Wait()
		if n := s.hub.Stats().Sockets; n != many {
			t.Fatalf("%d sockets, want %d", n, many)
		}
		start := time.Now()
		s.hub.Close(t.Context())
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("Close took %s, want at most %v", took, 4*time.Second)
		}
		readers.Wait()
		ponged := 0
		for at, n := range closedAt {
			ponged += n
			if n > 500 {
				t.Errorf("%d were told at the same time, after %s, want at most 500", n, at.Sub(start))
			}
		}
		if ponged != many-silent {
			t.Errorf("%d were told, want %d", ponged, many-silent)
		}
		if got, want := s.log.String(), fmt.Sprintf("sockets=%d", many); !strings.Contains(got, want) {
			t.Errorf("got the log %s, want %q in it", got, want)
		}
	})
}

// readCloseFrame reads until the frame that says 1001.
func readCloseFrame(r io.Reader) error {
	var got bytes.Buffer
	buf := make([]byte, 512)
	for !bytes.Contains(got.Bytes(), []byte("\x03\xe9this node stops")) {
		n, err := r.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return fmt.Errorf("cut off without a word, after %q: %w", got.String(), err)
		}
	}
	return nil
}
