//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	nethttp "net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/fuse"
	"github.com/superfly/litefs/http"
	"golang.org/x/sys/unix"

	"blog/internal/clock"
	"blog/internal/litefs/mount/receive"
	"blog/internal/litefs/mount/stream"
)

// streamLimit limits the silence after which the stream is pinged, and the wait for the answer. LiteFS sends a
// heartbeat a second, so a stream that is silent for twice this is dead.
const streamLimit = 2 * time.Second

// dialLimit limits connecting: while the node dials a dead primary it does not check the lease.
const dialLimit = time.Second

// headLimit limits the wait for the beginning of an answer, for the same reason: the machine of a frozen primary, or
// what is in between, still accepts connections. A primary begins its stream before it reads any data.
const headLimit = time.Second

// mountHelper is the program that mounts and unmounts FUSE file systems.
const mountHelper = "fusermount3"

// Node is a running LiteFS node: store, lease, HTTP API, mount and, where there is a sync set, control socket.
type Node struct {
	cfg     Config
	log     *slog.Logger
	store   *litefs.Store
	server  *stream.Server
	data    *identity
	id      string   // of the data directory, as the child is told
	control *control // nil with a static lease
	fsys    *fuse.FileSystem
}

// Open starts the node: it listens, opens the databases in data.dir, mounts fuse.dir and joins the cluster in the
// background. ctx limits only the check of Consul before that. An error is one line and says what to do where that is
// not obvious.
func Open(ctx context.Context, cfg Config, logger *slog.Logger) (_ *Node, err error) {
	if err = preflight(cfg); err != nil {
		return nil, err
	}
	self, err := openIdentity(cfg.Data.Dir, logger)
	if err != nil {
		return nil, err
	}
	store, err := newStore(cfg, logger)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: logger, data: self, store: store}
	leaser, err := n.newLeaser(ctx, self)
	if err != nil {
		return nil, err
	}

	// Listening first finds out early when another node runs here: it would lose its mount to this one.
	server := newServer(cfg, n.store, leaser, logger)
	if err := server.Listen(); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("http.addr %s is taken: does another node run on this machine?", cfg.HTTP.Addr)
		}
		return nil, fmt.Errorf("listen on http.addr %s: %w", cfg.HTTP.Addr, err)
	}
	n.server = server

	if leaser != nil {
		n.control = &control{log: logger, store: n.store, leaser: leaser, client: newClient()}
		if err := n.control.open(); err != nil {
			return nil, errors.Join(err, server.Close())
		}
	}
	invalidator := &invalidator{log: logger}
	n.store.Invalidator = invalidator
	if err := recoverDatabases(cfg.Data.Dir, logger); err != nil {
		return nil, errors.Join(err, n.control.Close(), server.Close())
	}
	if err := n.store.Open(); err != nil {
		return nil,
			errors.Join(fmt.Errorf("open data.dir %s: %w (if its data is damaged, move the folder dbs away: the node comes "+
				"back as another one that has to catch up first)", cfg.Data.Dir, err), n.control.Close(), server.Close())
	}
	if leaser != nil {
		// The child gets the id next.
		if err := <-self.first; err != nil {
			return nil, errors.Join(err, n.control.Close(), server.Close(), n.store.Close())
		}
	}
	n.id = self.hand()
	fsys := fuse.NewFileSystem(cfg.FUSE.Dir, n.store)
	fsys.AllowOther = cfg.FUSE.AllowOther
	fsys.Debug = cfg.FUSE.Debug
	if err := fsys.Mount(false); err != nil {
		return nil, errors.Join(fmt.Errorf("mount fuse.dir %s: %w", cfg.FUSE.Dir, err), n.control.Close(), server.Close(),
			n.store.Close())
	}
	invalidator.fsys.Store(fsys)
	n.fsys = fsys
	server.Serve()
	logger.Info("node is up", "mount", cfg.FUSE.Dir, "data", cfg.Data.Dir, "api", server.URL(),
		"lease", cfg.Lease.Type, "hostname", cfg.Lease.Hostname, "candidate", cfg.Lease.Candidate)
	return n, nil
}

// newLeaser gives the store the lease policy that the configuration asks for. It returns nil for a static one.
func (n *Node) newLeaser(ctx context.Context, self *identity) (*consulLeaser, error) {
	l := n.cfg.Lease
	if l.Type == leaseStatic {
		n.store.Leaser = litefs.NewStaticLeaser(l.Candidate, l.Hostname, l.AdvertiseURL)
		return nil, nil
	}
	leaser, err := newConsulLeaser(l, self, clock.Machine().Elapsed, n.log)
	if err != nil {
		return nil, err
	}
	if err := leaser.inspect(ctx); err != nil {
		return nil, err
	}
	leaser.serve(n.store)
	return leaser, nil
}

func newStore(cfg Config, logger *slog.Logger) (*litefs.Store, error) {
	client, err := receive.New(newClient(), cfg.Data.Dir, logger)
	if err != nil {
		return nil, fmt.Errorf("data.dir %s: %w", cfg.Data.Dir, err)
	}
	store := litefs.NewStore(cfg.Data.Dir, cfg.Lease.Candidate)
	store.OS = newSafeOS(store, logger)
	store.StrictVerify = cfg.StrictVerify
	store.Compress = cfg.Data.Compress
	store.Retention = cfg.Data.Retention
	store.RetentionMonitorInterval = cfg.Data.RetentionMonitorInterval
	store.ReconnectDelay = cfg.Lease.ReconnectDelay
	store.DemoteDelay = cfg.Lease.DemoteDelay
	store.DatabaseFilter = cfg.Lease.Databases
	store.Client = client
	// LiteFS calls this when going on would harm the data. The child dies with this process.
	store.Exit = func(code int) {
		logger.Error("LiteFS cannot go on with this database", "code", code)
		os.Exit(code)
	}
	return store, nil
}

// imagesDir is the folder in data.dir for images of databases that are sent to followers.
const imagesDir = "images"

// newServer returns the server of http.addr. leaser is nil with a static lease.
func newServer(cfg Config, store *litefs.Store, leaser *consulLeaser, logger *slog.Logger) *stream.Server {
	config := stream.Config{
		Store: store, Addr: cfg.HTTP.Addr, Dir: filepath.Join(cfg.Data.Dir, imagesDir), Logger: logger,
		SnapshotTimeout: cfg.HTTP.SnapshotTimeout,
	}
	if leaser != nil {
		config.Confirmed = leaser.confirmed
	}
	return stream.NewServer(config)
}

// newClient is LiteFS's client with time limits, which it has none of. It speaks HTTP/2 without TLS, as LiteFS's
// server wants it.
func newClient() *http.Client {
	protocols := new(nethttp.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c := http.NewClient()
	c.HTTPClient = &nethttp.Client{Transport: &nethttp.Transport{
		Protocols:             protocols,
		DialContext:           (&net.Dialer{Timeout: dialLimit}).DialContext,
		ResponseHeaderTimeout: headLimit,
		HTTP2:                 &nethttp.HTTP2Config{SendPingTimeout: streamLimit, PingTimeout: streamLimit},
	}}
	return c
}

// Ready is closed once the node is primary or has everything the primary had when it connected.
func (n *Node) Ready() <-chan struct{} { return n.store.ReadyCh() }

// Close ends the node: first what others ask it through, then the mount, then the store, which releases the lease. A
// mount that someone still uses is detached: it disappears and ends with its last user.
func (n *Node) Close() error {
	errs := []error{n.control.Close(), n.server.Close()}
	if err := n.fsys.Unmount(); err != nil {
		n.log.Warn("the mount is in use, detaching it", "mount", n.cfg.FUSE.Dir, "err", err)
		errs = append(errs, detach(n.cfg.FUSE.Dir))
	}
	if err := n.store.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the store: %w", err))
	}
	n.log.Info("node is closed")
	return errors.Join(errs...)
}

// localHost is a name of this machine under which the API can be reached from it.
func (n *Node) localHost() string {
	host, _, err := net.SplitHostPort(n.cfg.HTTP.Addr)
	if ip := net.ParseIP(host); err != nil || host == "" || (ip != nil && ip.IsUnspecified()) {
		return "localhost"
	}
	return host
}

// preflight finds what is missing on the machine before anything is started.
func preflight(cfg Config) error {
	if cfg.Data.Compress {
		if err := compressionWorks(); err != nil {
			return err
		}
	}
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("FUSE cannot be used: %w (a container needs --device /dev/fuse --cap-add SYS_ADMIN)", err)
	}
	if err = dev.Close(); err != nil {
		return fmt.Errorf("FUSE cannot be used: %w", err)
	}
	if _, err = exec.LookPath(mountHelper); err != nil {
		return fmt.Errorf("%s is not installed: on Debian it is in the package fuse3", mountHelper)
	}
	if err = os.MkdirAll(cfg.Data.Dir, 0o750); err != nil {
		return fmt.Errorf("data.dir cannot be made: %w", err)
	}
	probe, err := os.CreateTemp(cfg.Data.Dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("data.dir cannot be written: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("data.dir cannot be written: %w", err)
	}
	// A node that was killed leaves a dead mount, on which every call fails.
	if _, err := os.Stat(cfg.FUSE.Dir); errors.Is(err, syscall.ENOTCONN) {
		return detach(cfg.FUSE.Dir)
	}
	return nil
}

// detach removes a mount from the tree at once, also while it is used.
func detach(dir string) error {
	err := unix.Unmount(dir, unix.MNT_DETACH)
	if errors.Is(err, unix.EPERM) {
		// The helper may do what only root may otherwise. Nothing may cut it short.
		err = exec.Command(mountHelper, "-u", "-z", dir).Run() //nolint:noctx,gosec // see above; dir is the operator's own
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}
