// Package litefstest plays LiteFS's local API (GET /events and /info) from a script, for sequences that no real
// node shows on demand: a role that flaps, a broken line, a stream that ends. What real nodes do is tested on
// real nodes, with package blog/test/cluster.
package litefstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// API is a LiteFS API whose lease the test moves. At first no primary is known.
type API struct {
	// URL is what to give as LITEFS_URL.
	URL string

	self    string
	mu      sync.Mutex
	primary bool
	host    string
	info    *string // overrides /info
	streams map[*stream]struct{}
}

// stream is one reader of /events.
type stream struct {
	lines chan string
	gone  chan struct{} // closed by Drop
}

// Start serves an API until the test ends. self is the node's own lease.hostname.
func Start(tb testing.TB, self string) *API {
	tb.Helper()
	a := &API{self: self, streams: make(map[*stream]struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", a.events)
	mux.HandleFunc("GET /info", a.serveInfo)
	server := httptest.NewServer(mux)
	tb.Cleanup(func() {
		a.Drop()
		server.Close()
	})
	a.URL = server.URL
	return a
}

// Primary makes this node the primary.
func (a *API) Primary() { a.setPrimary(true, "") }

// Replica makes host the primary.
func (a *API) Replica(host string) { a.setPrimary(false, host) }

// None leaves no primary.
func (a *API) None() { a.setPrimary(false, "") }

// setPrimary sends LiteFS's event about the lease: the hostname is left out on the primary and when there is none.
func (a *API) setPrimary(primary bool, host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.primary, a.host = primary, host
	a.send(leadership("primaryChange", primary, host))
}

// Tx tells of a transaction in the database named db.
func (a *API) Tx(db string) {
	a.Line(fmt.Sprintf(`{"type":"tx","db":%q,"data":{"txID":"0000000000000001","postApplyChecksum":"8000000000000000",`+
		`"pageSize":4096,"commit":1,"timestamp":"2026-01-01T00:00:00Z"}}`, db))
}

// Line sends a line as it is.
func (a *API) Line(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.send(line)
}

// Info makes /info answer body whatever the lease is; "" makes it tell the lease again.
func (a *API) Info(body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.info = &body
	if body == "" {
		a.info = nil
	}
}

// Drop ends all present streams.
func (a *API) Drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range a.streams {
		close(s.gone)
		delete(a.streams, s)
	}
}

// Streams returns how many readers there are.
func (a *API) Streams() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.streams)
}

// send is called with the lock held, so that a reader gets what came after its init and nothing else.
func (a *API) send(line string) {
	for s := range a.streams {
		s.lines <- line
	}
}

func leadership(typ string, primary bool, host string) string {
	data := map[string]any{"isPrimary": primary}
	if host != "" {
		data["hostname"] = host
	}
	// A map of strings and booleans always encodes.
	line, _ := json.Marshal(map[string]any{"type": typ, "data": data})
	return string(line)
}

func (a *API) events(w http.ResponseWriter, r *http.Request) {
	s := &stream{lines: make(chan string, 1024), gone: make(chan struct{})}
	a.mu.Lock()
	s.lines <- leadership("init", a.primary, a.host)
	a.streams[s] = struct{}{}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.streams, s)
	}()
	for {
		select {
		case line := <-s.lines:
			if _, err := fmt.Fprintln(w, line); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
		case <-s.gone:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (a *API) serveInfo(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.info != nil {
		_, _ = fmt.Fprint(w, *a.info)
		return
	}
	host := a.host
	if a.primary {
		host = a.self
	}
	_, _ = fmt.Fprintf(w, `{"isPrimary":%t,"candidate":true,"path":"/data","primary":{"hostname":%q}}`, a.primary, host)
}
