//go:build linux

package mount

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/superfly/litefs"
	"github.com/superfly/litefs/fuse"

	node "blog/internal/litefs"
)

// Dial makes a connection, as http.Transport asks for it.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// DialConsul makes the leaser reach Consul at addr by dial, with a connection for each call: one that is kept waits for
// the network, and no time passes in a bubble of testing/synctest meanwhile.
func (c *consulLeaser) DialConsul(addr string, dial Dial) error {
	client := consulClient(min(streamLimit, c.ttl()/4), net.DefaultResolver.LookupHost)
	transport := client.Transport.(*consulServers)
	transport.DialContext, transport.DisableKeepAlives = dial, true
	config := api.DefaultConfig()
	config.Address, config.HttpClient = addr, client
	var err error
	c.client, err = api.NewClient(config)
	return err
}

// OpenStore starts LiteFS's store under a lease in Consul that it reaches by dial, and whose time elapsed counts. There
// is neither mount nor API, which wait for the network all the time. standing is what a child would be answered.
func OpenStore(
	cfg Config, consul string, dial Dial, elapsed func() time.Duration, logger *slog.Logger,
) (store *litefs.Store, standing func(context.Context) (node.Standing, error), err error) {
	self, err := openIdentity(cfg.Data.Dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	leaser, err := newConsulLeaser(cfg.Lease, self, elapsed, logger)
	if err != nil {
		return nil, nil, err
	}
	if err = leaser.DialConsul(consul, dial); err != nil {
		return nil, nil, err
	}
	if store, err = newStore(cfg, logger); err != nil {
		return nil, nil, err
	}
	leaser.serve(store)
	return store, (&control{log: logger, store: store, leaser: leaser}).standing, store.Open()
}

// NewInvalidator is what tells the kernel of changes in fsys.
func NewInvalidator(fsys *fuse.FileSystem) litefs.Invalidator {
	i := &invalidator{log: slog.New(slog.DiscardHandler)}
	i.fsys.Store(fsys)
	return i
}
