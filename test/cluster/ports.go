package cluster

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports below the range from which the system chooses the source ports of connections, so that no
// connection takes one between being found free and being used.
const (
	firstPort = 15000
	lastPort  = 32000
)

// ports gives out addresses, each once, because a node may start to listen on its own much later.
type ports struct{ given map[string]bool }

// free returns n different loopback addresses with free ports. It holds them all until the last is
// found.
func (p *ports) free(tb testing.TB, n int) []string {
	tb.Helper()
	if p.given == nil {
		p.given = map[string]bool{}
	}
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		if tries > 1000 {
			tb.Fatal("no free port found")
		}
		// #nosec G404 -- no secret: it keeps tests that run at once apart.
		port := firstPort + rand.IntN(lastPort-firstPort)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if p.given[addr] {
			continue
		}
		l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", addr)
		if err != nil {
			var op *net.OpError
			if !errors.As(err, &op) {
				tb.Fatal(err)
			}
			continue
		}
		held = append(held, l)
		p.given[addr] = true
		addrs = append(addrs, addr)
	}
	return addrs
}

// FreeAddresses returns n different loopback addresses with free ports, for what a test starts in
// another way.
func FreeAddresses(tb testing.TB, n int) []string {
	tb.Helper()
	return new(ports).free(tb, n)
}
