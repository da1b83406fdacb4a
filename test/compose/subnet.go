package compose

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// freeSubnet returns the first three numbers of a /24 that overlaps with no network of this machine, for a project's
// network fra. It tries all in random order, so that two projects that start at once differ.
//
// The servers of Consul have fixed addresses in it, as docs/deploy.md asks for. The containers of a network without a
// subnet of its own get any free address when they start, so servers that start again together may get each other's.
// A server that has not found the others yet asks for votes at the addresses that it remembers: it then asks one server
// in the name of another, or itself, and may win an election by its own vote, counted twice.
func freeSubnet(tb testing.TB) string {
	tb.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		tb.Fatalf("addresses of this machine: %v", err)
	}
	var taken []netip.Prefix
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			tb.Fatalf("an address of this machine: %v", err)
		}
		taken = append(taken, p)
	}
	for _, third := range rand.Perm(256) {
		start := fmt.Sprintf("10.213.%d", third)
		if !slices.ContainsFunc(taken, netip.MustParsePrefix(start+".0/24").Overlaps) {
			return start
		}
	}
	tb.Fatalf("no /24 of 10.213.0.0/16 is free on this machine, which has %v", taken)
	return ""
}
