package live_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"blog/internal/repo/repotest"
)

// handshake opens a socket on a bare connection, so that what is measured is the
// server's: the client's share is a file descriptor.
func handshake(tb testing.TB, address string) net.Conn {
	tb.Helper()
	var d net.Dialer
	conn, err := d.DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = fmt.Fprint(conn,
		"GET /live?topics=posts,tag:go&after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "+
			"Safari/537.36\r\n"+
			"Accept-Language: en\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nOrigin: http://x\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

// readPast reads until end has come.
func readPast(tb testing.TB, conn net.Conn, end string) {
	tb.Helper()
	var got strings.Builder
	buf := make([]byte, 2048)
	for !strings.Contains(got.String(), end) {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			tb.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			tb.Fatalf("%v after %q", err, got.String())
		}
		got.Write(buf[:n])
	}
}

func resident(tb testing.TB) int64 {
	tb.Helper()
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	var total, pages int64
	if _, err := fmt.Sscan(string(raw), &total, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func inUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

func BenchmarkIdleSockets(b *testing.B) {
	const sockets = 2000
	for b.Loop() {
		s := MustSite(b, change{})
		address := s.server.Listener.Addr().String()
		handshakeOnce(b, address) // what is made at the first use is no socket's
		rss, mem, goroutines := resident(b), inUse(), runtime.NumGoroutine()
		conns := make([]net.Conn, sockets)
		for i := range conns {
			conns[i] = handshake(b, address)
			readPast(b, conns[i], `"hello"`)
		}
		repotest.Eventually(b, patience, "all are there", func() bool { return s.hub.Stats().Sockets == sockets })
		repotest.Eventually(b, patience, "all are idle", func() bool { return runtime.NumGoroutine() <= goroutines+sockets })
		b.ReportMetric((inUse()-mem)/sockets, "heap+stack-B/socket")
		b.ReportMetric(float64(resident(b)-rss)/sockets, "resident-B/socket")
		for _, c := range conns {
			_ = c.Close()
		}
		repotest.Eventually(b, patience, "all are gone", func() bool { return s.hub.Stats().Sockets == 0 })
	}
	b.ReportMetric(0, "ns/op")
}

func handshakeOnce(b *testing.B, address string) {
	b.Helper()
	c := handshake(b, address)
	readPast(b, c, `"hello"`)
	_ = c.Close()
}

// BenchmarkBroadcast is one write told to 2,000 sockets, from the command to the
// last client's last byte.
func BenchmarkBroadcast(b *testing.B) {
	const sockets = 2000
	s := MustSite(b, change{})
	conns := make([]net.Conn, sockets)
	for i := range conns {
		conns[i] = handshake(b, s.server.Listener.Addr().String())
		defer func() { _ = conns[i].Close() }()
		readPast(b, conns[i], `"hello"`)
	}
	repotest.Eventually(b, patience, "all are there", func() bool { return s.hub.Stats().Sockets == sockets })
	for i := 0; b.Loop(); i++ {
		end := fmt.Sprintf("end-%d.", i)
		MustDo(b, s, post(1, "a", strings.Repeat("x", 1000)+end))
		for _, c := range conns {
			readPast(b, c, end)
		}
	}
}
