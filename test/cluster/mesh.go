package cluster

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Way is how one node reaches another: for LiteFS's stream, and for forwarded writes and the
// uplink.
type Way struct{ Replication, Forwarding *Link }

// To returns this node's way to another. It needs Options.Proxies and Options.Consul.
func (n *Node) To(other *Node) Way { return n.ways[other] }

// mesh puts proxies between all nodes, and between each node and Consul. A node learns from the
// lease where the primary is, so each sees Consul through a server that replaces the addresses in
// the lease by those of the node's own ways.
func (c *Cluster) mesh(tb testing.TB) {
	tb.Helper()
	for _, n := range c.Nodes {
		n.ways = map[*Node]Way{}
		var addresses []string // addresses in the lease, each followed by the one that n gets instead
		for _, other := range c.Nodes {
			if other == n {
				continue
			}
			name := n.Name + "-" + other.Name
			private := strings.TrimPrefix(other.PrivateURL, "http://")
			way := Way{
				Replication: c.toxi.link(tb, name+"-replication", strings.TrimPrefix(other.LiteFSURL, "http://")),
				Forwarding:  c.toxi.link(tb, name+"-forwarding", private),
			}
			n.ways[other] = way
			addresses = append(addresses,
				fmt.Sprintf("%q:%q", "hostname", private), fmt.Sprintf("%q:%q", "hostname", way.Forwarding.Addr),
				fmt.Sprintf("%q:%q", "advertise-url", other.LiteFSURL),
				fmt.Sprintf("%q:%q", "advertise-url", "http://"+way.Replication.Addr))
		}
		seen := c.proxyConsul(tb, strings.NewReplacer(addresses...))
		n.Lease = c.toxi.link(tb, n.Name+"-lease", strings.TrimPrefix(seen, "http://"))
		n.env = append(n.env, "LITEFS_CONSUL_URL=http://"+n.Lease.Addr)
	}
}

// storedValue is a value in an answer of Consul's store, in base64. An agent for development
// indents its answers.
var storedValue = regexp.MustCompile(`"Value": *"([A-Za-z0-9+/=]+)"`)

// proxyConsul serves Consul with values changed by replace, and returns its address.
func (c *Cluster) proxyConsul(tb testing.TB, replace *strings.Replacer) string {
	tb.Helper()
	consul, err := url.Parse(c.Consul.URL)
	if err != nil {
		tb.Fatal(err)
	}
	change := func(found []byte) []byte {
		text, err := base64.StdEncoding.DecodeString(string(storedValue.FindSubmatch(found)[1]))
		if err != nil {
			return found
		}
		return []byte(`"Value":"` + base64.StdEncoding.EncodeToString([]byte(replace.Replace(string(text)))) + `"`)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(consul)
			r.Out.Header.Del("Accept-Encoding") // a compressed answer cannot be changed
		},
		ModifyResponse: func(res *http.Response) error {
			raw, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			raw = storedValue.ReplaceAllFunc(raw, change)
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
			res.Header.Set("Content-Length", strconv.Itoa(len(raw)))
			return nil
		},
		// the client is gone, or Consul
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	tb.Cleanup(server.Close)
	return server.URL
}

// Isolate lets nothing pass between n and the other nodes, nor between n and Consul, while all
// connections stay open, as when a cable is pulled. The test itself still reaches n.
func (c *Cluster) Isolate(tb testing.TB, n *Node) {
	tb.Helper()
	for _, l := range c.around(n) {
		l.Stall(tb)
	}
}

// Rejoin ends Isolate. It closes open connections, because toxiproxy has dropped what it held back.
func (c *Cluster) Rejoin(tb testing.TB, n *Node) {
	tb.Helper()
	for _, l := range c.around(n) {
		l.Cut(tb)
		l.Heal(tb)
	}
}

// around returns all links of n, the one to Consul first.
func (c *Cluster) around(n *Node) []*Link {
	all := []*Link{n.Lease}
	for _, other := range c.Nodes {
		if other != n {
			all = append(all, n.ways[other].Replication, n.ways[other].Forwarding, other.ways[n].Replication,
				other.ways[n].Forwarding)
		}
	}
	return all
}
