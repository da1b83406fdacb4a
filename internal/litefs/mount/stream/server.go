//go:build linux

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
)

// stallLimit is how long a follower may leave every byte untaken before its stream ends.
const stallLimit = 10 * time.Second

// endLimit is how long Close waits for streams to end by themselves. One whose follower takes nothing does not.
const endLimit = 500 * time.Millisecond

// headLimit bounds reading a request's header.
const headLimit = 10 * time.Second

// Config says what a Server serves. All fields but SnapshotTimeout and Confirmed are required.
type Config struct {
	Store *litefs.Store
	Addr  string // host:port; port 0 means any
	// Dir is the folder for images of databases. The server owns it: what is in it is removed by Listen and Close.
	// It has to be on the file system of the store's own folder.
	Dir    string
	Logger *slog.Logger
	// SnapshotTimeout is the longest time in which one image may be sent; 0 means that progress is enough.
	SnapshotTimeout time.Duration
	// Confirmed reports whether this node's present term is confirmed: its copy has what it must have. Before that no
	// image replaces a copy that a follower has. nil means that each term is confirmed from its beginning.
	Confirmed func() bool
}

// Server answers on a LiteFS node's HTTP address.
type Server struct {
	cfg     Config
	log     *slog.Logger
	store   *litefs.Store
	metrics *metrics
	images  *images
	stall   time.Duration

	local    *litefshttp.Server // LiteFS's own
	http     *http.Server
	listener net.Listener
	served   chan error

	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
	running  sync.WaitGroup // handlers of streams
}

var errServerClosed = errors.New("this node closes")

// NewServer returns a server that does nothing before Listen.
func NewServer(cfg Config) *Server {
	s := &Server{
		cfg: cfg, log: cfg.Logger, store: cfg.Store, metrics: newMetrics(), stall: stallLimit,
		local:    litefshttp.NewServer(cfg.Store, net.JoinHostPort("127.0.0.1", "0")),
		sessions: map[*session]struct{}{},
		served:   make(chan error, 1),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.images = newImages(s)
	return s
}

// Listen opens both listeners and removes the images of the process before. Nothing is answered before Serve. The
// error is syscall.EADDRINUSE's when the address is taken.
func (s *Server) Listen() error {
	listener, err := new(net.ListenConfig).Listen(s.ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return err
	}
	s.listener = listener
	if err := os.RemoveAll(s.cfg.Dir); err != nil {
		return errors.Join(fmt.Errorf("remove old images: %w", err), listener.Close())
	}
	if err := s.local.Listen(); err != nil {
		return errors.Join(fmt.Errorf("listen on the loopback interface: %w", err), listener.Close())
	}
	return nil
}

// Serve begins to answer. Listen comes before it.
func (s *Server) Serve() {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler: s.handler(), Protocols: protocols, ReadHeaderTimeout: headLimit,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// A connection whose socket takes no byte ends, and so does one whose other side does not answer a ping. The
		// limit of a single stream is the session's (writer.go).
		HTTP2: &http.HTTP2Config{
			WriteByteTimeout: s.stall, SendPingTimeout: s.stall / 2, PingTimeout: s.stall / 2,
		},
	}
	s.local.Serve()
	go func() { s.served <- s.http.Serve(s.listener) }()
}

// Close ends all streams and both listeners, and removes the images. It waits for what it has started.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(errServerClosed)
	ended := make(chan struct{})
	go func() { s.running.Wait(); close(ended) }()
	select { // so that followers are told
	case <-ended:
	case <-time.After(endLimit):
	}
	var errs []error
	if s.http == nil {
		errs = append(errs, ignoreClosed(s.listener.Close()))
	} else {
		errs = append(errs, ignoreClosed(s.http.Close()), ignoreClosed(<-s.served))
	}
	<-ended
	// LiteFS's server now and then reports its own closing as an error.
	errs = append(errs, ignoreClosed(s.local.Close()), s.images.close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the API: %w", err)
	}
	return nil
}

// ignoreClosed returns err unless it only says that something is closed.
func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Port is the port that the server listens on.
func (s *Server) Port() int {
	if addr, ok := s.listener.Addr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}

// URL is the server's base address, as this machine reaches it.
func (s *Server) URL() string {
	host, _, err := net.SplitHostPort(s.cfg.Addr)
	if ip := net.ParseIP(host); err != nil || host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(s.Port()))
}

// handler returns the routes. Who asks for something else gets 404.
func (s *Server) handler() http.Handler {
	target := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", fmt.Sprint(s.local.Port()))}
	pass := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: headLimit}).DialContext},
		FlushInterval: -1, // events go on at once
		ErrorLog:      slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			s.log.Debug("ask LiteFS's own server", "path", r.URL.Path, "err", err)
			http.Error(w, "LiteFS does not answer", http.StatusBadGateway)
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /stream", s.stream)
	mux.Handle("POST /handoff", s.guardHandoff(pass))
	mux.Handle("GET /metrics", s.metrics.handler())
	for _, pattern := range []string{"GET /info", "GET /events", "GET /debug/vars", "/debug/pprof/"} {
		mux.Handle(pattern, pass)
	}
	for path, why := range refused() {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, why, http.StatusForbidden) })
	}
	return mux
}

// refused are the paths of LiteFS's own API that are not passed on, with the sentence that says why.
func refused() map[string]string {
	const network = "is not served: it holds the database's locks for as long as the network takes"
	return map[string]string{
		"/export":  "LiteFS's /export " + network + "; use blog export",
		"/import":  "LiteFS's /import " + network + "; use blog import or blog restore",
		"/tx":      "LiteFS's /tx " + network + "; a write on a replica is forwarded by the blog",
		"/halt":    "LiteFS's /halt " + network + "; a write on a replica is forwarded by the blog",
		"/promote": "LiteFS's /promote is not served: a primary that is stopped (SIGTERM) hands its role over",
	}
}
