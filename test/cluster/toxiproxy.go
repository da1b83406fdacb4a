package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// toxiproxy is a running toxiproxy server, driven through its HTTP API.
type toxiproxy struct {
	url   string
	ports *ports
}

// startToxiproxy starts the pinned toxiproxy, which ends with the test.
func startToxiproxy(tb testing.TB, ports *ports, logPath string) *toxiproxy {
	tb.Helper()
	addr := ports.free(tb, 1)[0]
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	startTool(tb, logPath, Tool(tb, "toxiproxy"), "-host", host, "-port", port)
	t := &toxiproxy{url: "http://" + addr, ports: ports}
	Poll(tb, 20*time.Second, "toxiproxy", func(ctx context.Context) error { return status200(ctx, t.url+"/version") })
	return t
}

// Link is one replica's connection to the primary.
type Link struct {
	Addr string // where the replica connects

	toxi *toxiproxy
	name string
}

// link makes a proxy to upstream.
func (t *toxiproxy) link(tb testing.TB, name, upstream string) *Link {
	tb.Helper()
	var made struct {
		Listen string `json:"listen"`
	}
	t.call(tb, http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": t.ports.free(tb, 1)[0], "upstream": upstream, "enabled": true,
	}, &made)
	return &Link{Addr: made.Listen, toxi: t, name: name}
}

// Delay delays what goes to the primary by up and what comes from it by down, also on open
// connections. It replaces an earlier delay; zero removes it. A round trip takes up+down longer;
// connecting is not delayed.
func (l *Link) Delay(tb testing.TB, up, down time.Duration) {
	tb.Helper()
	for stream, d := range map[string]time.Duration{"upstream": up, "downstream": down} {
		toxic := map[string]any{
			"name": "delay-" + stream, "type": "latency", "stream": stream,
			"attributes": map[string]any{"latency": d.Milliseconds()},
		}
		path := "/proxies/" + l.name + "/toxics"
		if l.toxi.exists(tb, path+"/delay-"+stream) {
			l.toxi.call(tb, http.MethodPost, path+"/delay-"+stream, toxic, nil)
		} else {
			l.toxi.call(tb, http.MethodPost, path, toxic, nil)
		}
	}
}

// Cut closes all connections and refuses new ones until Heal.
func (l *Link) Cut(tb testing.TB) {
	tb.Helper()
	l.toxi.call(tb, http.MethodPost, "/proxies/"+l.name, map[string]any{"enabled": false}, nil)
}

// Stall lets nothing pass in either direction while connections stay open, as when a cable is
// pulled. Heal ends it.
func (l *Link) Stall(tb testing.TB) {
	tb.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		l.toxi.call(tb, http.MethodPost, "/proxies/"+l.name+"/toxics", map[string]any{
			"name": "stall-" + stream, "type": "timeout", "stream": stream, "attributes": map[string]any{"timeout": 0},
		}, nil)
	}
}

// Heal ends Cut and Stall.
func (l *Link) Heal(tb testing.TB) {
	tb.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		if path := "/proxies/" + l.name + "/toxics/stall-" + stream; l.toxi.exists(tb, path) {
			l.toxi.call(tb, http.MethodDelete, path, nil, nil)
		}
	}
	l.toxi.call(tb, http.MethodPost, "/proxies/"+l.name, map[string]any{"enabled": true}, nil)
}

func (t *toxiproxy) exists(tb testing.TB, path string) bool {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, t.url+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	MustClose(tb, "toxiproxy's answer", resp.Body.Close())
	return resp.StatusCode == http.StatusOK
}

func (t *toxiproxy) call(tb testing.TB, method, path string, in, out any) {
	tb.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, t.url+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		tb.Fatal(err)
	}
	MustClose(tb, "toxiproxy's answer", resp.Body.Close())
	if resp.StatusCode >= http.StatusMultipleChoices {
		tb.Fatalf("toxiproxy: %s %s: %d %s", method, path, resp.StatusCode, answer.String())
	}
	if out != nil {
		if err := json.Unmarshal(answer.Bytes(), out); err != nil {
			tb.Fatal(fmt.Errorf("toxiproxy: %w", err))
		}
	}
}
