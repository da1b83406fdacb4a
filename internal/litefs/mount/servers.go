//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// lookupHost returns the addresses of a name.
type lookupHost func(ctx context.Context, host string) ([]string, error)

// consulServers sends calls to Consul where its URL is a name that has the addresses of several servers. It connects to
// one of them, and a server that has failed a call is tried last from then on. It sends no call twice: whether a failed
// one may be repeated is the caller's to know.
//
// Without this a server that is cut off costs every call to it all of the call's time: net.Dialer gives an address 2 s
// at least, more than a call has, and a server that has lost its leader accepts connections and answers with an error,
// or after 7 s.
type consulServers struct {
	*http.Transport
	lookup lookupHost
	dialer net.Dialer

	mu     sync.Mutex
	failed map[string]time.Time // when a call to this address, with its port, failed last
}

// newConsulServers returns a transport whose connects take limit at most. It speaks HTTP/1 only: a connection that a
// call has timed out on is closed then, while HTTP/2 would send the next call into the same dead one.
func newConsulServers(limit time.Duration, lookup lookupHost) *consulServers {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &consulServers{lookup: lookup, dialer: net.Dialer{Timeout: limit}, failed: map[string]time.Time{}}
	s.Transport = &http.Transport{
		Protocols:           protocols,
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         s.dial,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
	return s
}

// RoundTrip implements http.RoundTripper. After a call that has failed, or that the server has answered with an error
// of its own, such as having no leader, connections that are not in use are closed: they may be to the same server.
func (s *consulServers) RoundTrip(req *http.Request) (*http.Response, error) {
	addr := ""
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { addr = info.Conn.RemoteAddr().String() },
	})
	res, err := s.Transport.RoundTrip(req.WithContext(ctx))
	if err != nil || res.StatusCode >= http.StatusInternalServerError {
		if addr != "" {
			s.fail(addr)
		}
		s.CloseIdleConnections()
	}
	return res, err // unwrapped: a RoundTripper's error is the client's to wrap
}

func (s *consulServers) fail(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, addr := range addrs {
		s.failed[addr] = time.Now()
	}
}

// addresses returns those of a name in the order in which they are tried, and forgets what is none of them any more.
func (s *consulServers) addresses(ctx context.Context, addr string) ([]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address of Consul: %w", err)
	}
	ips, err := s.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up Consul: %w", err)
	}
	all := make([]string, len(ips))
	for i, ip := range ips {
		all[i] = net.JoinHostPort(ip, port)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old := range s.failed {
		if !slices.Contains(all, old) {
			delete(s.failed, old)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return s.failed[a].Compare(s.failed[b]) })
	return all, nil
}

// dialed is the outcome of one connect.
type dialed struct {
	addr string
	conn net.Conn
	err  error
}

// dial connects to the first of a name's addresses that answers. The next one is tried when one has failed, or has not
// answered for an eighth of the limit.
func (s *consulServers) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	all, err := s.addresses(ctx, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan dialed, len(all))
	next := time.NewTicker(s.dialer.Timeout / 8)
	defer next.Stop()
	begun, ended := 0, 0
	begin := func() {
		if begun < len(all) {
			to := all[begun]
			begun++
			go func() {
				conn, err := s.dialer.DialContext(ctx, network, to)
				outcomes <- dialed{to, conn, err}
			}()
		}
	}
	var errs []error
	for begin(); ended < begun; {
		select {
		case <-next.C:
			begin()
		case d := <-outcomes:
			ended++
			if d.err == nil {
				s.fail(slices.DeleteFunc(all[:begun], func(other string) bool { return other == d.addr })...)
				go closeOthers(outcomes, begun-ended)
				return d.conn, nil
			}
			errs = append(errs, d.err)
			begin()
		}
	}
	s.fail(all...)
	return nil, errors.Join(append(errs, ctx.Err())...)
}

// closeOthers closes what was connected to besides.
func closeOthers(outcomes <-chan dialed, left int) {
	for range left {
		if d := <-outcomes; d.conn != nil {
			_ = d.conn.Close() // nobody has used it
		}
	}
}
