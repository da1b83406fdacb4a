//go:build linux

package mount_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/litefs/mount"
)

// TestFrozenPrimary: while a node waits for an answer of a primary whose machine still takes connections, it does not
// look whether the lease is free. So it waits for the beginning of that answer only, not until the connection is given up.
func TestFrozenPrimary(t *testing.T) {
	frozen, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts: the system does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = mount.NewClient().Stream(ctx, "http://"+frozen.Addr().String(), 1, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "awaiting response headers") {
		t.Errorf("it ended with %v", err)
	}
}

// TestPulledCable: a stream whose cable is pulled ends after the 2 s in which it could have been silent and the 2 s for
// a sign of life, and one that is silent but has a cable does not. The time is the bubble's: it passes when everybody
// waits for it, so no machine is too slow. TestLinks in test/cluster has real connections.
func TestPulledCable(t *testing.T) {
	const noticed = 4 * time.Second
	synctest.Test(t, func(t *testing.T) {
		stream, pull, heartbeat := mustStream(t)
		beat := func() {
			t.Helper()
			heartbeat <- struct{}{}
			if _, err := io.ReadFull(stream, make([]byte, 1)); err != nil {
				t.Fatalf("the stream of a living primary: %v", err)
			}
		}
		for _, silence := range []time.Duration{time.Second, time.Second, time.Minute, time.Second} {
			time.Sleep(silence)
			beat()
		}
		pull()
		pulled := time.Now()
		time.AfterFunc(time.Minute, func() { _ = stream.Close() }) // in case nobody notices
		_, err := io.ReadFull(stream, make([]byte, 1))
		if took := time.Since(pulled); err == nil || took != noticed {
			t.Errorf("noticed after %s, want %s: %v", took, noticed, err)
		}
	})
}

// mustStream opens a stream from a server that says a byte at each heartbeat. After pull nothing arrives anywhere.
func mustStream(t *testing.T) (stream io.ReadCloser, pull func(), heartbeat chan<- struct{}) {
	t.Helper()
	beats, pulled := make(chan struct{}), new(atomic.Bool)
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
				case <-beats:
					_, _ = w.Write([]byte{1}) // the flush tells
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
	client := mount.NewClient()
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
	return st, func() { pulled.Store(true) }, beats
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
