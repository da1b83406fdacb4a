package accounts

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr returns the address that a request comes from. header names the header that the proxy
// in front of this node sets (CLIENT_IP_HEADER), such as Fly-Client-IP; it is empty when there is
// no proxy. Of a list (X-Forwarded-For) only the last entry counts, because the client can claim
// the others. When the header has no address, the connection's is returned, and the zero Addr when
// that has none either.
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

// parseAddr parses an address with or without a port. An IPv4 address in IPv6 form becomes IPv4.
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

// network returns the addresses that one subscriber has: a single one in IPv4, a /64 in IPv6.
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
