package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"blog/internal/accounts"
	"blog/internal/clock"
	"blog/internal/cluster"
	"blog/internal/dates"
	"blog/internal/litefs"
	"blog/internal/live"
	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/migrations"
	"blog/web"
	"blog/web/assets"
)

// Options is what Open needs beside the configuration.
type Options struct {
	Logger  *slog.Logger
	Out     io.Writer // where the one-time link for the first author is printed
	Version string    // of this build
	// Clock reads the machine's clocks. Nil means the machine's own.
	Clock clock.Source
}

// Server is a running node of the blog.
type Server struct {
	// PublicURL is the configured address of the site. PublicAddr and PrivateAddr are the addresses
	// of the listeners.
	PublicURL               *url.URL
	PublicAddr, PrivateAddr net.Addr
	Repo                    *repo.Repo
	Secret                  string // of the private listener

	config  Config
	options Options
	log     *slog.Logger
	clock   *clock.Clock
	node    litefs.NodeCloser
	site    *web.Site
	hub     *live.Hub
	// transport sends calls to other nodes.
	transport *transport.Client
	// cluster is nil without LiteFS. control is nil without a sync set.
	cluster *cluster.Cluster
	control *litefs.Control
	warm    atomic.Bool // this node has been in the sync set, or need not be
	metrics *prometheus.Registry
	started time.Time

	public, private *http.Server
	listeners       []net.Listener // public, private
	failed          chan error
	// retiring ends when writing on this node has ended, which may take longer than the hand-off.
	retiring sync.WaitGroup
	// closers close what is open, the last one first.
	closers []func(ctx context.Context) error
}

// Run opens a node, calls started unless it is nil, and serves until ctx ends, a listener fails or
// the database no longer works. It returns at most 8 s after that. A node under LiteFS that does not
// open within a minute ends as well.
func Run(ctx context.Context, c Config, o Options, started func(*Server)) error {
	watch := (*Server).watch
	if c.LiteFSURL == "" {
		watch = (*Server).observe // no other node waits for the lease
	}
	return run(ctx, c, o, started, watch)
}

func run(ctx context.Context, c Config, o Options, started func(*Server), watch func(*Server, context.Context)) error {
	s, err := openWithin(ctx, c, func(ctx context.Context) (*Server, error) { return Open(ctx, c, o) })
	if err != nil {
		return err
	}
	if started != nil {
		started(s)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() { watch(s, watching) })
	defer stop()
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err = <-s.failed:
	}
	stop() // what is being closed need not be watched
	return errors.Join(err, s.end(ctx, &work))
}

// Open starts a node and returns once it serves, with the real addresses of its listeners. Its
// errors are one line that says what to change.
func Open(ctx context.Context, c Config, o Options) (_ *Server, err error) {
	c = c.Defaults()
	if o.Clock == nil {
		o.Clock = clock.Machine()
	}
	s := &Server{
		config: c, options: o, log: o.Logger, metrics: prometheus.NewRegistry(), started: time.Now(),
		failed: make(chan error, 3),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err = c.check(); err != nil {
		return nil, err
	}
	s.clock = clock.OpenMember(o.Clock, s.log)
	if c.LiteFSURL == "" {
		s.clock = clock.OpenPlain(o.Clock, s.log)
	}
	lock, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if s.Secret, err = c.makeSecret(); err != nil {
		return nil, err
	}
	if err := s.listen(ctx, lock); err != nil {
		return nil, err
	}
	if err := s.openNode(ctx); err != nil {
		return nil, err
	}
	if err := s.openRepo(ctx); err != nil {
		return nil, err
	}
	if err := s.openSite(ctx); err != nil {
		return nil, err
	}
	s.register()
	s.serve()
	s.log.Info("serving", "public", s.PublicAddr.String(), "private", s.PrivateAddr.String(), "url", s.PublicURL.String(),
		"node", c.Node, "region", c.Region, "litefs", c.LiteFSURL != "")
	return s, nil
}

// Close makes /readyz answer 503, ends sockets and requests (by force when ctx ends), and closes
// the database.
func (s *Server) Close(ctx context.Context) error {
	if s.site != nil {
		s.site.Leave()
	}
	var errs []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		errs = append(errs, s.closers[last](ctx))
		s.closers = s.closers[:last]
	}
	return errors.Join(errs...)
}

// closing adds a function that Close calls, before those that were added earlier.
func (s *Server) closing(end func(ctx context.Context) error) { s.closers = append(s.closers, end) }

// acquire acquires the lock beside a plain database. Under LiteFS it returns nil, because LiteFS
// decides which node may write.
func (s *Server) acquire(ctx context.Context) (*Lock, error) {
	if s.config.LiteFSURL != "" {
		return nil, nil // no lock is needed, which is no error
	}
	lock, err := AwaitLock(ctx, s.config.DatabasePath)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("DATABASE_PATH %s is in use: another `blog serve` or command has it", s.config.DatabasePath)
	}
	if err != nil {
		return nil, err
	}
	s.closing(func(context.Context) error { return lock.Close() })
	return lock, nil
}

func (s *Server) openNode(ctx context.Context) error {
	c := s.config
	if c.LiteFSURL == "" {
		s.node = litefs.OpenStatic()
	} else {
		node, err := litefs.Open(ctx, litefs.Config{
			URL: c.LiteFSURL, PrimaryURL: c.PrimaryURL, Self: c.LiteFSSelf, Logger: s.log,
		})
		if err != nil {
			return fmt.Errorf("open the LiteFS node: %w", err)
		}
		s.node = node
	}
	s.closing(func(context.Context) error { return s.node.Close() })
	return nil
}

// Registry returns the commands of this release.
func Registry() (*repo.Registry, error) {
	return repo.NewRegistry(posts.Commands(), media.Commands(), accounts.Commands(), dates.Commands())
}

func (s *Server) openRepo(ctx context.Context) error {
	registry, err := Registry()
	if err != nil {
		return fmt.Errorf("register commands: %w", err)
	}
	s.transport = transport.NewClient(s.Secret)
	s.closing(func(context.Context) error { s.transport.Close(); return nil })
	s.openCluster(ctx)
	s.Repo, err = repo.Open(ctx, repo.Options{
		Path: s.config.DatabasePath, LiteFS: s.config.LiteFSURL != "", Node: s.node, Registry: registry,
		Migrations: migrations.Source(), Transport: s.transport, Logger: s.log,
		Now: s.clock.Now, Dated: s.clock.Dated, ResetClock: s.clock.Reset,
		Authorize: accounts.Authorize, Durability: s.durability(),
		Tasks: []repo.Task{
			posts.Releaser(s.log, s.clock.Now),
			posts.Rerenderer(s.log),
			media.Sweeper(s.log, s.clock.Now),
			accounts.SetupTask(s.announceSetup, s.log),
		},
		Middleware: []repo.Middleware{repo.Log(s.log, s.node), countWrites(s.metrics)},
		Timed:      timeStages(s.metrics),
	})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	s.closing(func(context.Context) error { return s.Repo.Close() })
	return nil
}

// announceSetup prints the link for the first author.
func (s *Server) announceSetup(token string) {
	// The error does not matter: the next start prints another link.
	_, _ = fmt.Fprintf(s.options.Out,
		"\nThis blog has no author yet. Become the first one here (the link works once):\n\n    %s/setup?token=%s\n\n",
		s.PublicURL, url.QueryEscape(token))
}

func (s *Server) openSite(ctx context.Context) error {
	c := s.config
	var chroma bytes.Buffer
	if err := markdown.WriteCSS(&chroma); err != nil {
		return fmt.Errorf("style sheet of code: %w", err)
	}
	set, err := assets.New(map[string][]byte{"chroma.css": chroma.Bytes()})
	if err != nil {
		return fmt.Errorf("open assets: %w", err)
	}
	location, err := c.Location()
	if err != nil {
		return err
	}
	// Attempts are counted over the time that passes, which setting the clock must not change.
	limiter := accounts.NewLimiter(time.Now)
	users := accounts.NewService(s.Repo, accounts.NewHasher(accounts.DefaultParams()), limiter, s.clock.Now)
	s.site = web.New(web.Options{
		Config: web.Config{
			Title: c.Title, Description: c.Description, Language: c.Language, Location: location, Zone: c.Timezone,
			PublicURL: s.PublicURL, ClientIPHeader: c.ClientIPHeader,
		},
		Repo: s.Repo, Accounts: users, Assets: set, Secret: s.Secret, Now: s.clock.Now, Logger: s.log, NotYet: s.notYet,
	})
	s.hub = live.New(ctx, live.Options{
		View: s.Repo.View, FeedView: s.Repo.ViewReserved, Feed: s.Repo.Feed(), Render: s.site, Logger: s.log,
		Version:  set.Hash(),
		Identity: s.site.Identity, OriginPatterns: s.origins(),
	})
	// Calls that wait for this node's copy are informed first.
	if s.cluster != nil {
		s.cluster.Attach(s.Repo)
	}
	for _, t := range s.tails() {
		s.Repo.Feed().Attach(t)
	}
	return nil
}

// tails returns what is informed of new rows, in order: the page cache before the hub, so that a page that is fetched
// because of a frame shows what the frame shows.
func (s *Server) tails() []repo.Tail { return []repo.Tail{s.site.Cache(), s.hub} }
