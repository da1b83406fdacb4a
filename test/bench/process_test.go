package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// starts measures the time from starting the program to its first page.
func starts(b *testing.B, t *table) {
	b.Helper()
	s := newSite(b)
	const times = 5
	var took []time.Duration
	for range times {
		start := time.Now()
		p := launch(b, s.public, s.env, s.binary, "serve")
		for {
			conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", s.public)
			if err == nil {
				newTarget(b, s.public, "/posts")
				took = append(took, time.Since(start))
				_ = conn.Close()
				break
			}
			if time.Since(start) > 30*time.Second {
				b.Fatalf("no answer: %v", err)
			}
		}
		p.stop()
	}
	t.add("cold start to the first page", ms(median(took)), "", "", "")
}

const (
	idle       = 2000
	socketGoal = 16 << 10 // bytes
)

// sockets measures by how much the server's process grows when readers leave their pages open.
func sockets(b *testing.B, t *table) {
	b.Helper()
	s := newSite(b)
	p := s.serve(b)
	list := get(b, http.DefaultClient, "http://"+s.public+"/posts")
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(string(list.body)))
	if err != nil {
		b.Fatal(err)
	}
	page := doc.Find("[data-live-topics]").First()
	address := "/live?topics=" + url.QueryEscape(page.AttrOr("data-live-topics", "")) + "&after=" +
		url.QueryEscape(page.AttrOr("data-cursor", ""))
	_ = handshake(b, s.public, address).Close() // what the first use makes belongs to no socket
	before := stableMemory(b, p)
	for range idle {
		conn := handshake(b, s.public, address)
		defer func() { _ = conn.Close() }()
	}
	each := float64(stableMemory(b, p)-before) / idle
	t.add(fmt.Sprintf("resident memory a socket, %d idle", idle), fmt.Sprintf("%.1f KiB", each/1024),
		fmt.Sprintf("process without: %.1f MiB", float64(before)/(1<<20)), "",
		goal(fmt.Sprintf("≤ %d KiB", socketGoal>>10), each <= socketGoal))
}

// handshake opens a socket as a browser does, and reads the hello.
func handshake(tb testing.TB, addr, path string) net.Conn {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	if err = conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "+
		"Safari/537.36\r\n"+
		"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nCache-Control: no-cache\r\nPragma: "+
		"no-cache\r\nOrigin: http://%s\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr, addr)
	if err != nil {
		tb.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 2048)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // an upgraded connection has no body
	if res.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("status %d", res.StatusCode)
	}
	head := make([]byte, 2) // of the frame with the hello, which is shorter than 126 bytes or has its length after these
	if _, err := io.ReadFull(r, head); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// stableMemory returns the memory of a process once it has not changed for a second.
func stableMemory(tb testing.TB, p *process) int {
	tb.Helper()
	const calm, limit = 20, 200
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last, same := p.resident(tb), 0
	for range limit {
		<-tick.C
		now := p.resident(tb)
		if same++; now != last {
			last, same = now, 0
		}
		if same == calm {
			break
		}
	}
	return last
}
