package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"blog/internal/litefs"
	"blog/test/cluster"
)

// frameLink is an HTTP proxy between a replica and the primary's /stream. It stops at a byte of the
// stream that the test chooses, while the connection to the replica stays open and answers pings.
type frameLink struct {
	url    string
	client *http.Client

	mu      sync.Mutex
	primary string        // base address; "" refuses streams
	left    int           // bytes until the stop; negative means no stop
	stopped chan struct{} // closed at the stop
	resume  chan struct{} // closed to continue
	cut     chan struct{} // closed to break the open stream
}

func newFrameLink(t *testing.T) *frameLink {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	l := &frameLink{client: &http.Client{Transport: transport}, left: -1, cut: make(chan struct{})}
	server := httptest.NewUnstartedServer(l)
	server.Config.Protocols = protocols
	server.Start()
	l.url = server.URL
	t.Cleanup(func() {
		l.connect("")
		server.Close()
		transport.CloseIdleConnections()
	})
	return l
}

// connect breaks the open stream, and connects later ones to primary; "" refuses them.
func (l *frameLink) connect(primary string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.primary = primary
	close(l.cut)
	l.cut = make(chan struct{})
}

// stopAfter stops the stream once n more bytes of it have passed. stopped is closed then, and
// resume lets it continue.
func (l *frameLink) stopAfter(n int) (stopped <-chan struct{}, resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.stopped, l.resume = n, make(chan struct{}), make(chan struct{})
	goOn := l.resume
	return l.stopped, func() { close(goOn) }
}

func (l *frameLink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	primary, cut := l.primary, l.cut
	l.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || primary == "" {
		http.Error(w, "cut", http.StatusBadGateway)
		return
	}
	to := primary + r.URL.String()
	in := bytes.NewReader(body)
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to, in) //nolint:gosec // the test's own primary
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := l.client.Do(req) //nolint:gosec // the test's own primary
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	ctx, cancel := context.WithCancel(r.Context())
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		l.copy(ctx, w, resp.Body)
	}()
	select {
	case <-cut:
	case <-copied:
	}
	cancel()
	_ = resp.Body.Close()
	<-copied
	panic(http.ErrAbortHandler)
}

// copy passes body on until either side or ctx has ended.
func (l *frameLink) copy(ctx context.Context, w http.ResponseWriter, body io.Reader) {
	buf := make([]byte, 8<<10)
	flush := http.NewResponseController(w).Flush
	err := flush()
	for err == nil {
		n, e := body.Read(buf)
		for out := buf[:n]; len(out) > 0 && err == nil; {
			allowed, wait := l.allow(len(out))
			if _, err = w.Write(out[:allowed]); err == nil {
				err = flush()
			}
			out = out[allowed:]
			if wait == nil {
				continue
			}
			select {
			case <-wait:
			case <-ctx.Done():
				return
			}
		}
		err = errors.Join(err, e)
	}
}

// allow returns how many of n bytes may pass now, and what to wait for after them.
func (l *frameLink) allow(n int) (allowed int, wait <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left < 0 || n < l.left {
		if l.left >= 0 {
			l.left -= n
		}
		return n, nil
	}
	allowed, l.left = l.left, -1
	close(l.stopped)
	return allowed, l.resume
}

// mustWriteLarge adds a row of size bytes on n.
func mustWriteLarge(t *testing.T, n *cluster.Node, size int) {
	t.Helper()
	form := url.Values{"v": {strings.Repeat("x", size)}}.Encode()
	mustSend(t, http.MethodPost, n.PublicURL+"/write", "application/x-www-form-urlencoded", form)
}

// mustServe reads the rows of n several times. No read may fail, and each has to find want rows.
func mustServe(t *testing.T, n *cluster.Node, want int) {
	t.Helper()
	for range 10 {
		var got int
		if err := call(t.Context(), http.MethodGet, n.PublicURL+"/rows", &got); err != nil || got != want {
			t.Fatalf("a read on %s while the stream stands still: %d rows, %v; want %d", n.Name, got, err, want)
		}
	}
}

// mustNeedImage deletes the primary's LTX files except for the newest, so that a replica that lacks
// more than one transaction needs an image.
func mustNeedImage(t *testing.T, primary *cluster.Node) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(primary.Data, "dbs", "blog.db", "ltx", "*.ltx"))
	if err != nil || len(files) < 2 {
		t.Fatalf("the primary's LTX files: %v, %v", files, err)
	}
	slices.Sort(files)
	for _, f := range files[:len(files)-1] {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamStandsStill: a link that stops inside a frame delays replication and nothing else. The
// replica's readers are served from its SQLite file, and the rows arrive when the link continues,
// or when it breaks and comes back.
func TestStreamStandsStill(t *testing.T) {
	link := newFrameLink(t)
	c := start(t, cluster.Options{
		Nodes: 2, Idle: true, Env: []string{"LITEFS_ADVERTISE_URL=" + link.url},
	})
	primary, replica := c.Primary(), c.Nodes[1]
	link.connect(primary.LiteFSURL)
	mustWrite(t, primary, 1)
	replica.Restart(t)
	awaitRows(t, replica, 1)
	rows := 1

	// The frame of a transaction, that of one which is too large for the receiver's memory, and an
	// image, whose copy needs several MB. A heartbeat of 12 bytes per second comes before.
	for name, size := range map[string]int{"transaction": 200 << 10, "large transaction": 3 << 20} {
		for _, breaks := range []bool{false, true} {
			stopped, resume := link.stopAfter(size / 2)
			mustWriteLarge(t, primary, size)
			<-stopped
			mustServe(t, replica, rows)
			if breaks {
				link.connect(primary.LiteFSURL)
			}
			resume()
			rows++
			awaitRows(t, replica, rows)
			t.Logf("%s, breaks=%t: arrived", name, breaks)
		}
	}

	link.connect("")
	awaitRole(t, replica, litefs.Unknown)
	for range 2 {
		mustWriteLarge(t, primary, 1<<20)
	}
	mustNeedImage(t, primary)
	stopped, resume := link.stopAfter(5 << 20)
	link.connect(primary.LiteFSURL)
	<-stopped
	mustServe(t, replica, rows)
	resume()
	rows += 2
	awaitRows(t, replica, rows)
	if !strings.Contains(replica.Log(t), "snapshot received") {
		t.Error("no image was received: the test tests nothing")
	}
}
