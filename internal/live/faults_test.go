package live_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestRequestsThatAreRefused(t *testing.T) {
	s := MustSite(t, change{options: func(o *live.Options) {
		o.OriginPatterns = []string{"blog.example", ""}
		o.MaxSockets = 2
	}})
	many := strings.Repeat(",tag:x", 20)
	for _, topics := range []string{
		"", "drafts", "sessions:7", "tag:", "post:", "posts,", "posts" + many, "tag:" + strings.Repeat("x", 600), "tag:\x00",
		"tag:\xff",
	} {
		_, a, err := dialAs(t.Context(), s.address(topics, "0"), "")
		if err == nil {
			t.Errorf("topics %.40q: got a socket, want an error", topics)
		}
		if a.status != http.StatusBadRequest {
			t.Errorf("topics %.40q: got the status %d, want 400", topics, a.status)
		}
	}
	for origin, status := range map[string]int{
		"https://evil.example":      http.StatusForbidden,
		"https://blog.example.evil": http.StatusForbidden,
		"null":                      http.StatusForbidden,
		"https://blog.example":      http.StatusSwitchingProtocols,
		s.server.URL:                http.StatusSwitchingProtocols,
	} {
		c, a, err := dialAs(t.Context(), s.address("posts", "0"), origin)
		if a.status != status {
			t.Errorf("origin %s: got the status %d, want %d: %v", origin, a.status, status, err)
		}
		if err == nil {
			_ = c.conn.CloseNow()
		}
	}
	repotest.Eventually(t, patience, "the sockets are gone", func() bool { return s.hub.Stats().Sockets == 0 })
	MustFollow(t, s, "posts", "0")
	MustFollow(t, s, "posts", "0")
	_, a, err := dialAs(t.Context(), s.address("posts", "0"), "")
	if err == nil {
		t.Error("a third socket: got one, want an error")
	}
	if a.status != http.StatusServiceUnavailable {
		t.Errorf("a third socket: got the status %d, want 503", a.status)
	}
	if a.retryAfter == "" {
		t.Errorf("a third socket: got Retry-After %q, want a time", a.retryAfter)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.address("posts", "0"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode < 400 {
		t.Errorf("a plain GET: got the status %s, want 400 or more", res.Status)
	}
}

// TestAPanicOverOneSocket: it gives its place back, and nobody is left open who is told of nothing.
func TestAPanicOverOneSocket(t *testing.T) {
	var identity, view atomic.Bool
	s := MustSite(t, change{options: func(o *live.Options) {
		o.Identity = func(*http.Request) []repo.Touch {
			if identity.Load() {
				panic("identity")
			}
			return nil
		}
		readRows := o.View
		o.View = func(ctx context.Context, fn func(rd repo.Reader) error) error {
			if view.Load() {
				panic("view")
			}
			return readRows(ctx, fn)
		}
	}})
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // net/http tells of each panic
	start := MustDo(t, s, post(1, "a", "A"))
	MustDo(t, s, post(1, "a", "B"))
	identity.Store(true)
	if _, _, err := dialAs(t.Context(), s.address("posts", "0"), ""); err == nil {
		t.Error("without an identity: got a socket, want an error")
	}
	identity.Store(false)
	view.Store(true)
	c := MustDial(t, s.address("posts", start.String()))
	var err error
	for err == nil { // a hello, and then
		_, err = c.next(t.Context())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a socket that has not got what it missed: got %v, want it closed", err)
	}
	view.Store(false)
	repotest.Eventually(t, patience, "the places are free", func() bool { return s.hub.Stats().Sockets == 0 })
	MustFollow(t, s, "posts", start.String()).MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1"})
}

// MustRawSocket shakes hands by hand, and leaves the rest to the test.
func MustRawSocket(tb testing.TB, s *site, topics string) (*net.TCPConn, *bufio.Reader) {
	tb.Helper()
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(tb.Context(), "tcp", s.server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	tcp := conn.(*net.TCPConn)
	if err = tcp.SetReadBuffer(4 << 10); err != nil {
		tb.Fatal(err)
	}
	_, err = fmt.Fprintf(conn,
		"GET /live?topics=%s&after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", topics)
	if err != nil {
		tb.Fatal(err)
	}
	br := bufio.NewReaderSize(conn, 512)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("handshake: %s", res.Status)
	}
	return tcp, br
}

func TestABrokenClientHarmsOnlyItself(t *testing.T) {
	s := MustSite(t, change{})
	good := MustFollow(t, s, "posts", "0")
	for name, bytes := range map[string]string{
		"unmasked":             "\x81\x02hi",
		"unknown opcode":       "\x83\x80\x00\x00\x00\x00",
		"reserved bits":        "\xf1\x80\x00\x00\x00\x00",
		"huge":                 "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat("x", 64<<10),
		"negative length":      "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
		"long control frame":   "\x89\xfe\x10\x00\x00\x00\x00\x00",
		"fragmented ping":      "\x09\x80\x00\x00\x00\x00",
		"lonely continuation":  "\x80\x80\x00\x00\x00\x00",
		"bad close":            "\x88\x81\x00\x00\x00\x00x",
		"end in a header":      "\x81",
		"not a frame, but TLS": "\x16\x03\x01\x02\x00\x01\x00",
	} {
		t.Run(name, func(t *testing.T) {
			conn, br := MustRawSocket(t, s, "posts")
			if _, err := io.WriteString(conn, bytes); err != nil {
				t.Fatal(err)
			}
			if name == "end in a header" || name == "huge" {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, br); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("got %v, want the server to close", err)
			}
		})
	}
	for _, size := range []int{0, 10, 1 << 20} {
		talker := MustFollow(t, s, "posts", "0")
		if err := talker.conn.Write(t.Context(), websocket.MessageText, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if code := talker.MustEnd(t); code != websocket.StatusPolicyViolation {
			t.Errorf("a client that said %d bytes was closed with %d, want 1008", size, code)
		}
	}
	repotest.Eventually(t, patience, "only the good one is left", func() bool { return s.hub.Stats().Sockets == 1 })
	at := MustDo(t, s, post(1, "a", "A"))
	good.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq})
}

// smallBuffers makes the kernel hold little for a client that does not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		err = tcp.SetWriteBuffer(4 << 10)
	}
	return c, err
}

func TestASlowClientIsClosedAndTheOthersAreServed(t *testing.T) {
	s := MustSite(t, change{
		listener: func(srv *httptest.Server) { srv.Listener = smallBuffers{srv.Listener} },
		options:  func(o *live.Options) { o.WriteTimeout = time.Hour }, // what waits ends it
	})
	conn, slow := MustRawSocket(t, s, "posts")
	good := MustFollow(t, s, "posts", "0")
	big := strings.Repeat("x", 100<<10)
	for i := range 25 {
		at := MustDo(t, s, post(1, "a", fmt.Sprint(i, big)))
		good.MustBe(t, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq})
	}
	if n := s.hub.Stats().Dropped; n != 1 {
		t.Errorf("%d sockets are dropped for what waits for them, want 1", n)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	n, _ := io.Copy(io.Discard, slow)
	if n > 2<<20 {
		t.Errorf("%d bytes were kept for a client that did not read, want at most %d", n, 2<<20)
	}
	_ = conn.Close()
	repotest.Eventually(t, patience, "the slow one is gone", func() bool { return s.hub.Stats().Sockets == 1 })
}

func TestAWriteTimeoutEndsASocketThatReadsNothing(t *testing.T) {
	s := MustSite(t, change{
		listener: func(srv *httptest.Server) { srv.Listener = smallBuffers{srv.Listener} },
		options:  func(o *live.Options) { o.WriteTimeout = 50 * time.Millisecond },
	})
	MustRawSocket(t, s, "posts")
	MustDo(t, s, post(1, "a", strings.Repeat("x", 900<<10))) // never too much for the queue
	repotest.Eventually(t, patience, "it is gone", func() bool {
		st := s.hub.Stats()
		return st.Sockets == 0 && st.Dropped == 1
	})
}

func TestADeadClientIsFound(t *testing.T) {
	s := MustSite(t, change{options: func(o *live.Options) { o.PingEvery = 300 * time.Millisecond }})
	at := MustDo(t, s, post(1, "a", "A"))
	alive := MustFollow(t, s, "posts", at.String())
	MustRawSocket(t, s, "posts") // reads nothing and so answers no ping
	repotest.Eventually(t, patience, "both are there", func() bool { return s.hub.Stats().Sockets == 2 })
	for s.hub.Stats().Sockets == 2 {
		alive.MustBe(t, frame{Type: "hello", Seq: at.Seq, Cursor: at.String()})
	}
	next := MustDo(t, s, post(1, "a", "B"))
	for {
		f := alive.MustNext(t)
		if f.Type == "change" && f.Seq == next.Seq {
			break
		}
	}
	alive.MustBe(t, frame{Type: "hello", Seq: next.Seq, Cursor: next.String()})
}
