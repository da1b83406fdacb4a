//go:build linux

package mount_test

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/fuse"

	"blog/internal/litefs/mount"
	"blog/test/cluster"
)

// TestRoleChangesUnderReaders: SQLite looks for a journal before each read, and LiteFS takes the locks of its file
// system and of its store in one order for that, and in the other when a lease comes or goes.
func TestRoleChangesUnderReaders(t *testing.T) {
	log.SetOutput(io.Discard) // LiteFS tells of each change
	defer log.SetOutput(os.Stderr)
	store := litefs.NewStore(t.TempDir(), true)
	store.ReconnectDelay = time.Millisecond
	leaser := &brief{}
	store.Leaser = leaser
	fsys := fuse.NewFileSystem(t.TempDir(), store)
	store.Invalidator = mount.NewInvalidator(fsys)
	root, err := fsys.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := root.(*fuse.RootNode).Lookup(ctx, "none-journal"); err == nil {
					t.Error("a file that is not there")
				}
			}
		})
	}
	const changes = 1000
	cluster.Poll(t, limit, "the role goes on changing", func(context.Context) error {
		if leaser.ended.Load() < changes {
			return errors.New("it does not")
		}
		return nil
	})
	stop()
	readers.Wait()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// brief is a leaser and its lease, which lasts for a moment.
type brief struct {
	litefs.StaticLeaser
	ended   atomic.Int64
	handoff chan uint64
	cluster string // LiteFS asks from one goroutine
}

func (b *brief) Type() string                                    { return "brief" }
func (b *brief) Acquire(context.Context) (litefs.Lease, error)   { return b, nil }
func (b *brief) ClusterID(context.Context) (string, error)       { return b.cluster, nil }
func (b *brief) SetClusterID(_ context.Context, id string) error { b.cluster = id; return nil }
func (b *brief) ID() string                                      { return "" }
func (b *brief) RenewedAt() time.Time                            { return time.Now() }
func (b *brief) TTL() time.Duration                              { return time.Microsecond }
func (b *brief) Handoff(context.Context, uint64) error           { return errors.New("no") }
func (b *brief) HandoffCh() <-chan uint64                        { return b.handoff }
func (b *brief) Close() error                                    { return nil }
func (b *brief) PrimaryInfo(context.Context) (litefs.PrimaryInfo, error) {
	return litefs.PrimaryInfo{}, litefs.ErrNoPrimary
}
func (b *brief) Renew(context.Context) error {
	b.ended.Add(1)
	return litefs.ErrLeaseExpired
}
