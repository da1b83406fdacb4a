package compose

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// subnets is where a project's network fra has its addresses: one /24 of it.
var subnets = netip.MustParsePrefix("10.213.0.0/16")

// freeSubnet returns the first three numbers of a /24 in subnets that overlaps with no network of this machine. It
// tries them from a random one on, so that two projects that start at once differ.
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
	base := subnets.Addr().As4()
	for _, third := range rand.Perm(256) {
		base[2] = byte(third)
		one := netip.PrefixFrom(netip.AddrFrom4(base), 24)
		if !slices.ContainsFunc(taken, one.Overlaps) {
			return fmt.Sprintf("%d.%d.%d", base[0], base[1], base[2])
		}
	}
	tb.Fatalf("no /24 of %s is free on this machine, which has %v", subnets, taken)
	return ""
}
