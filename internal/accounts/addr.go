package accounts

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr returns the address that a request comes from. header is
// CLIENT_IP_HEADER: the header that the proxy in front of this node sets, such as
// Fly-Client-IP; empty when there is no proxy, and then, as when the header does
// not hold an address, it is the connection's. Of a list (X-Forwarded-For) only
// the last entry counts: the ones before it are what the client claims. The zero
// Addr is returned when not even the connection has one.
func ClientAddr(r *http.Request, header string) netip.Addr {
	if header != "" {
		list := strings.Split(strings.Join(r.Header.Values(header), ","), ",")
		if a, ok := parseAddr(list[len(list)-1]); ok {
			return a
		}
	}
	a, _ := parseAddr(r.RemoteAddr)
	return a
}

func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// network returns what one subscriber has: an IPv4 address, or a /64 of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
