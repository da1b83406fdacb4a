package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Limits of connections. A write may wait for an election and its answer for replication, so
// requests have more time than these take. Headers do not.
const (
	headerLimit    = 5 * time.Second
	bodyLimit      = time.Minute
	answerLimit    = 2 * time.Minute
	idleLimit      = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// server returns an HTTP server with the limits of connections.
func server(log *slog.Logger) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, WriteTimeout: answerLimit, IdleTimeout: idleLimit,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listen opens both ports before anything else is opened, so that a second server changes nothing.
// Requests are not answered before serve.
func (s *Server) listen(ctx context.Context, lock *Lock) error {
	c := s.config
	s.public, s.private = server(s.log), server(s.log)
	public, err := listenOn(ctx, "LISTEN_ADDR", c.ListenAddr)
	if err != nil {
		return err
	}
	s.closing(release(public))
	private, err := listenOn(ctx, "PRIVATE_ADDR", c.PrivateAddr)
	if err != nil {
		return err
	}
	s.closing(release(private))
	s.PublicAddr, s.PrivateAddr = public.Addr(), private.Addr()
	if s.PublicURL, err = c.site(public.Addr()); err != nil {
		return err
	}
	s.public.BaseContext = func(net.Listener) context.Context { return context.WithoutCancel(ctx) }
	s.private.BaseContext = s.public.BaseContext
	s.listeners = []net.Listener{public, private}
	if lock != nil {
		return lock.announce(Reach(private.Addr().String()))
	}
	return nil
}

// listenOn opens a TCP listener. name is the variable that addr comes from, for the error.
func listenOn(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s is taken by another program", name, addr)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s %s may not be used: ports below 1024 are the system's", name, addr)
	case err != nil:
		return nil, fmt.Errorf("%s %q cannot be listened on: %w", name, addr, err)
	}
	return l, nil
}

// Reach returns the base URL under which this machine reaches a listener at addr.
func Reach(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// serve starts to answer requests, and registers the closers. At the end this node first releases
// what others wait for, then closes the listeners, and then everything that answers depend on.
func (s *Server) serve() {
	s.public.Handler = s.site.Handler(s.sockets())
	s.private.Handler = s.privateHandler()
	s.closing(func(context.Context) error { s.retiring.Wait(); return nil })
	s.closing(s.shut("private", s.private))
	s.closing(s.shut("public", s.public))
	s.closing(s.leave)
	for i, srv := range []*http.Server{s.public, s.private} {
		go func() {
			if err := srv.Serve(s.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- fmt.Errorf("serve %s: %w", s.listeners[i].Addr(), err)
			}
		}()
	}
}

// origins returns the origins, besides the request's own host, whose pages may open a socket. For
// an encrypted site the origin includes the scheme.
func (s *Server) origins() []string {
	if s.PublicURL.Scheme == "https" {
		return []string{s.PublicURL.String()}
	}
	return []string{s.PublicURL.Host}
}

// sockets returns the handler of websockets. For an encrypted site it refuses pages that came
// without encryption, since anybody on the way can change those. The websocket package does not
// compare schemes when Origin and Host name the same host.
func (s *Server) sockets() http.Handler {
	if s.PublicURL.Scheme != "https" {
		return s.hub
	}
	plain := "http://" + s.PublicURL.Host
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Origin"), plain) {
			http.Error(w, "this site's pages come over https", http.StatusForbidden)
			return
		}
		s.hub.ServeHTTP(w, r)
	})
}

// shut returns a closer that ends a server gracefully, and by force when ctx ends before that.
// Force is no error.
func (s *Server) shut(name string, srv *http.Server) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := srv.Shutdown(ctx)
		if err != nil && ctx.Err() != nil {
			s.log.Warn("requests had to be cut off", "listener", name)
			return srv.Close()
		}
		return err
	}
}

// release returns a closer for a listener that a server may have closed already.
func release(l net.Listener) func(ctx context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}
