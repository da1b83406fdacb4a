//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/superfly/litefs"

	"blog/internal/litefs/mount"
	"blog/internal/litefs/mount/receive"
)

// TestFrozenPrimary: while a node waits for an answer of a primary whose machine still takes connections, it does not
// look whether the lease is free. So it waits for the beginning of that answer only, not until the connection is given
// up.
func TestFrozenPrimary(t *testing.T) {
	frozen, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts: the system does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = mustClient(t).Stream(ctx, "http://"+frozen.Addr().String(), 1, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "awaiting response headers") {
		t.Errorf("it ended with %v, want an error and with %q", err, "awaiting response headers")
	}
}

// TestPulledCable: a stream whose cable is pulled ends after the 2 s in which it could have been silent and the 2 s
// for a sign of life, and one that is silent but has a cable does not. Inside a frame, of which LiteFS has seen
// nothing yet, the same holds. The time is the bubble's: it passes when everybody waits for it, so no machine is too
// slow. TestLinks in test/cluster has real connections.
func TestPulledCable(t *testing.T) {
	for name, inside := range map[string]bool{"between frames": false, "inside a frame": true} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { pulledCable(t, inside) }) })
	}
}

func pulledCable(t *testing.T, inside bool) {
	t.Helper()
	const noticed = 4 * time.Second
	stream, pull, say := mustStream(t)
	silences := []time.Duration{time.Second, time.Second, time.Minute, time.Second}
	for _, silence := range silences {
		time.Sleep(silence)
		say <- mustEncode(t, &litefs.HeartbeatStreamFrame{Timestamp: 1})
		if f, err := litefs.ReadStreamFrame(stream); err != nil || f.Type() != litefs.StreamFrameTypeHeartbeat {
			t.Fatalf("the stream of a living primary: %v, %v, want no error and %v", f, err, litefs.StreamFrameTypeHeartbeat)
		}
	}
	if inside { // a large frame trickles in
		const chunk = "\x00\x02ab"
		say <- append(mustEncode(t, &litefs.LTXStreamFrame{Name: "blog.db"}), chunk...)
		for _, silence := range silences {
			time.Sleep(silence)
			say <- []byte(chunk)
		}
	}
	synctest.Wait() // until it has arrived
	pull()
	pulled := time.Now()
	time.AfterFunc(time.Minute, func() { _ = stream.Close() }) // in case nobody notices
	n, err := io.ReadFull(stream, make([]byte, 1))
	if took := time.Since(pulled); err == nil || took != noticed {
		t.Errorf("noticed after %s, want %s: %d bytes, %v", took, noticed, n, err)
	}
}

func mustEncode(t *testing.T, f litefs.StreamFrame) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := litefs.WriteStreamFrame(&out, f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mustClient returns what a node follows its primary with.
func mustClient(t *testing.T) *receive.Client {
	t.Helper()
	client, err := receive.New(mount.NewClient(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// mustStream opens a stream from a server that sends what it is told to say. After pull nothing arrives anywhere.
func mustStream(t *testing.T) (stream litefs.Stream, pull func(), say chan<- []byte) {
	t.Helper()
	messages, pulled := make(chan []byte), new(atomic.Bool)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Protocols: protocols, ReadHeaderTimeout: time.Hour,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				if err := http.NewResponseController(w).Flush(); err != nil {
					return
				}
				select {
				case b := <-messages:
					_, _ = w.Write(b) // the flush tells
				case <-r.Context().Done():
					return
				}
			}
		}),
	}
	listener := &wall{sockets: make(chan net.Conn), closed: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it is closed
	}()
	client := mustClient(t)
	transport, ok := client.HTTPClient.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the client's transport is a %T", client.HTTPClient.Transport)
	}
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		listener.sockets <- cable{there, pulled}
		return cable{here, pulled}, nil
	}
	st, err := client.Stream(t.Context(), "http://primary", 1, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = st.Close()
		transport.CloseIdleConnections()
		_ = server.Close()
		<-ended
	})
	return st, func() { pulled.Store(true) }, messages
}

// cable is one end of a connection. What is written into it after it was pulled does not arrive.
type cable struct {
	net.Conn
	pulled *atomic.Bool
}

func (c cable) Write(p []byte) (int, error) {
	if c.pulled.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// wall is where a server's cables come out: a listener without a network.
type wall struct {
	sockets chan net.Conn
	closed  chan struct{}
}

func (w *wall) Accept() (net.Conn, error) {
	select {
	case c := <-w.sockets:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wall) Close() error   { close(w.closed); return nil }
func (w *wall) Addr() net.Addr { return &net.TCPAddr{} }
