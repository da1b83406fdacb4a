//go:build linux

package mount

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/superfly/litefs"

	node "blog/internal/litefs"
	"blog/internal/litefs/mount/stream"
	"blog/internal/repo/repotest"
)

// PauseAfter is the wait after so many runs that did not last.
var PauseAfter = pauseAfter

// Leaser is the lease in Consul.
type Leaser = consulLeaser

// ConsulClient is the client of a leaser's, with addresses for each name.
func ConsulClient(limit time.Duration, lookup func(ctx context.Context, host string) ([]string, error)) *http.Client {
	return consulClient(limit, lookup)
}

// Peer is a leaser with its data directory and no LiteFS.
type Peer struct {
	*Leaser
	ID      string
	Clock   *repotest.Elapsed // of its leases
	Demoted chan struct{}     // gets a value when the leaser wants LiteFS to step down
}

// NewPeer returns a peer whose LiteFS says that it is primary.
func NewPeer(l Lease, dir, clusterID string) (*Peer, error) {
	data, err := openIdentity(dir, slog.New(slog.DiscardHandler))
	if err == nil && clusterID != "" {
		err = data.setClusterID(clusterID)
	}
	if err != nil {
		return nil, err
	}
	clock := repotest.NewElapsed()
	c, err := newConsulLeaser(l, data, clock.Read, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	p := &Peer{Leaser: c, ID: data.id(), Clock: clock, Demoted: make(chan struct{}, 9)}
	c.primary = func() bool { return true }
	c.stepDown = func() { p.Demoted <- struct{}{} }
	return p, nil
}

// LogTo makes the peer log to a handler.
func (p *Peer) LogTo(h slog.Handler) { p.log = slog.New(h) }

// Term is the term of the lease that was taken last.
func (p *Peer) Term() string { return p.current.Load().term() }

// Set is the sync set as Consul has it now.
func (p *Peer) Set(ctx context.Context) (*node.SyncSet, error) {
	v, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	return v.set, nil
}

// Resolved is the sync set that no earlier change of the peer's can alter any more.
func (p *Peer) Resolved(ctx context.Context) (*node.SyncSet, error) {
	v, err := p.resolve(ctx)
	if err != nil {
		return nil, err
	}
	return v.set, nil
}

// Held reports whether the peer holds a lease that has not run out.
func (p *Peer) Held() bool { return p.held() != nil }

// Confirmed reports whether the set was changed under the peer's lease.
func (p *Peer) Confirmed() bool { return p.confirmed() }

// Keys are the lock's and the sync set's.
func (p *Peer) Keys() (lock, sync string) { return p.lockKey(), p.syncKey() }

// Change changes the sync set.
func (p *Peer) Change(ctx context.Context, c node.SyncChange) (node.SyncSet, error) {
	return p.change(ctx, c)
}

// AcceptLoss makes the peer the only member.
func (p *Peer) AcceptLoss(ctx context.Context) (node.Accepted, error) { return p.acceptLoss(ctx) }

// Inspect is the look at Consul before a start.
func (p *Peer) Inspect(ctx context.Context) error { return p.inspect(ctx) }

// Bare is a node without a mount and without a child.
type Bare struct {
	Store   *litefs.Store
	Control *node.Control

	server   *stream.Server
	control  *control
	refusals *refusals
	closed   bool
}

// Promoting makes the node one that is asking the primary to hand off, until the function that it returns is called.
func (b *Bare) Promoting() (end func()) {
	b.control.promoting.Lock()
	return b.control.promoting.Unlock
}

// Refused is why the node was not elected last, as it has logged.
func (b *Bare) Refused() string {
	b.refusals.mu.Lock()
	defer b.refusals.mu.Unlock()
	return b.refusals.last
}

// refusals is a log that keeps the last reason why the node cannot be primary.
type refusals struct {
	slog.Handler
	mu   sync.Mutex
	last string
}

func (r *refusals) Handle(ctx context.Context, rec slog.Record) error {
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.last = a.Value.String()
		}
		return true
	})
	return r.Handler.Handle(ctx, rec)
}

// OpenBare starts a bare node.
func OpenBare(ctx context.Context, cfg Config, logger *slog.Logger) (*Bare, error) {
	said := &refusals{Handler: logger.Handler()}
	logger = slog.New(said)
	self, err := openIdentity(cfg.Data.Dir, logger)
	if err != nil {
		return nil, err
	}
	store, err := newStore(cfg, logger)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: logger, store: store}
	leaser, err := n.newLeaser(ctx, self)
	if err != nil {
		return nil, err
	}
	b := &Bare{refusals: said, Store: n.store, server: newServer(cfg, n.store, leaser, logger)}
	if err := b.server.Listen(); err != nil {
		return nil, err
	}
	b.control = &control{
		log: logger, store: n.store, leaser: leaser, client: newClient(),
	}
	if err := errors.Join(b.control.open(), n.store.Open()); err != nil {
		return nil, err
	}
	b.Control = node.NewControl(b.control.path)
	b.server.Serve()
	return b, nil
}

// Close closes what Node.Close closes, in its order, once.
func (b *Bare) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	b.Control.Close()
	return errors.Join(b.control.Close(), b.server.Close(), b.Store.Close())
}
