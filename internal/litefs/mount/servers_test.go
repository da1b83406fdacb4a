//go:build linux

package mount_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sys/unix"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// wrong is the address of the server that does not do, beside the one of Consul, which is 127.0.0.1.
const wrong = "127.0.0.2"

// mustListen listens on the wrong address. Where nobody may connect, the queue of connections to be accepted is full:
// packets are dropped, as by a firewall.
func mustListen(t *testing.T, port int, connect bool) net.Listener {
	t.Helper()
	backlog := unix.SOMAXCONN
	if !connect {
		backlog = 0
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 2}}); err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	l, err := net.FileListener(file)
	cluster.MustClose(t, "the listener's file", errors.Join(err, file.Close()))
	t.Cleanup(func() { _ = l.Close() }) // a server may have closed it
	if !connect {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cluster.MustClose(t, "the connection", conn.Close()) })
	}
	return l
}

// TestServers: of a name with several addresses one is a server that answers, and the first one is another.
func TestServers(t *testing.T) {
	consul := cluster.StartConsul(t)
	at, err := url.Parse(consul.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	both := func(context.Context, string) ([]string, error) { return []string{wrong, at.Hostname()}, nil }
	const callLimit = 2 * time.Second
	leader := func(client *http.Client) (string, error) {
		address := fmt.Sprintf("http://consul:%d/v1/status/leader", port)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			return "", err
		}
		res, err := client.Do(req)
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
			err = errors.New(res.Status)
		}
		return string(text), err
	}
	mustAnswer := func(t *testing.T, client *http.Client) {
		t.Helper()
		if got, err := leader(client); err != nil || got == `""` {
			t.Errorf("the leader is %s, %v, want no error and not %q", got, err, `""`)
		}
	}
	t.Run("cut off", func(t *testing.T) {
		mustListen(t, port, false)
		mustAnswer(t, mount.ConsulClient(callLimit, both))
	})
	t.Run("down", func(t *testing.T) {
		mustAnswer(t, mount.ConsulClient(callLimit, both))
	})
	t.Run("does not answer", func(t *testing.T) {
		mustListen(t, port, true)
		client := mount.ConsulClient(callLimit, both)
		if got, err := leader(client); err == nil {
			t.Fatalf("the first call got %s: it was sent to another server", got)
		}
		mustAnswer(t, client)
	})
	t.Run("has no leader", func(t *testing.T) {
		none := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
		}))
		cluster.MustClose(t, "the listener in whose place the next one comes", none.Listener.Close())
		none.Listener = mustListen(t, port, true)
		none.Start()
		t.Cleanup(none.Close)
		client := mount.ConsulClient(callLimit, both)
		if got, err := leader(client); err == nil {
			t.Fatalf("the first call got %s: it was sent to another server", got)
		}
		mustAnswer(t, client)
	})
}

// TestASessionHasANodeForItselfAlone: Consul takes a server that is away, or an agent that leaves, out of its catalog,
// and with it the sessions that belong to it. A lease lasts all the same: its holder believes in it.
func TestASessionHasANodeForItselfAlone(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/node")
	a := c.mustPeer(t, "a", "")
	lease := mustAcquire(t, a)
	self, err := c.raw.Agent().NodeName()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.raw.Catalog().Deregister(&api.CatalogDeregistration{Node: self}, nil); err != nil {
		t.Fatal(err)
	}
	if err = lease.Renew(t.Context()); err != nil {
		t.Errorf("renewed: %v", err)
	}
	lock, _ := a.Keys()
	if pair, _, err := c.raw.KV().Get(lock, nil); err != nil || pair == nil || pair.Session != lease.ID() {
		t.Errorf("the lock is %+v, %v", pair, err)
	}
}

// TestANodeOfThatNameStaysAsItIs: where Consul has a node of the name that the lease's session belongs to, it stays.
func TestANodeOfThatNameStaysAsItIs(t *testing.T) {
	c := newCluster(t, cluster.StartConsul(t).URL, "t/named")
	const address = "192.0.2.1"
	if _, err := c.raw.Catalog().Register(&api.CatalogRegistration{Node: "litefs", Address: address}, nil); err != nil {
		t.Fatal(err)
	}
	mustAcquire(t, c.mustPeer(t, "a", ""))
	node, _, err := c.raw.Catalog().Node("litefs", nil)
	if err != nil || node == nil || node.Node.Address != address {
		t.Errorf("the node is %+v, %v, want no error, not nil and Node.Address %v", node, err, address)
	}
}
