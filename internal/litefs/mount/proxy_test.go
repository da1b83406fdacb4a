//go:build linux

package mount_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// proxy stands between a peer and Consul. It forwards, and can swallow answers or lose requests.
type proxy struct {
	url     string
	swallow atomic.Pointer[string] // part of method and path: requests arrive, their answers do not
	lose    atomic.Pointer[string] // requests do not arrive, but for those that deliver sends later
	late    chan *http.Request
	// meanwhile runs once, before the next transaction goes on to Consul.
	meanwhile atomic.Pointer[func()]
	sessions  atomic.Int32 // made through it
	forward   http.Handler
}

func newProxy(t *testing.T, consulURL string) *proxy {
	t.Helper()
	target, err := url.Parse(consulURL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{late: make(chan *http.Request, 9)}
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hit := func(part *atomic.Pointer[string]) bool {
			s := part.Load()
			return s != nil && strings.Contains(r.Method+" "+r.URL.Path, *s)
		}
		if hit(&p.lose) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			later := r.Clone(context.WithoutCancel(r.Context()))
			later.Body = io.NopCloser(bytes.NewReader(body))
			p.late <- later
			panic(http.ErrAbortHandler)
		}
		if hit(&p.swallow) {
			rec := httptest.NewRecorder()
			forward.ServeHTTP(rec, r)
			_, _ = io.Copy(io.Discard, rec.Result().Body)
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, "/txn") {
			if do := p.meanwhile.Swap(nil); do != nil {
				(*do)()
			}
		}
		if strings.HasSuffix(r.URL.Path, "/session/create") {
			p.sessions.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.url, p.forward = server.URL, forward
	return p
}

// deliver sends a request that was lost, and returns the status of Consul's answer, which nobody waits for.
func (p *proxy) deliver() int {
	rec := httptest.NewRecorder()
	p.forward.ServeHTTP(rec, <-p.late)
	return rec.Code
}
