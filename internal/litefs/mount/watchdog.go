//go:build linux

package mount

import (
	"context"
	"os"
	"time"
)

// A LiteFS that does not answer within so many looks in a row will not any more. Looks are counted, not seconds: a node
// that was frozen for a while has had no time to answer.
const (
	lookEvery = 2 * time.Second
	looks     = 8
)

// exitStuck is the exit code of a node whose LiteFS does not answer any more.
const exitStuck = 98

// watch ends this process when LiteFS's store does not answer any more. Everything in the node waits for it then, and
// so does whoever uses the mount, so that nobody could close anything; the child dies with this process.
func (n *Node) watch(ctx context.Context) {
	watchdog(ctx, func() { n.store.IsPrimary() }, func() {
		n.log.Error("LiteFS does not answer any more: this node ends, and is to be started again", "code", exitStuck)
		os.Exit(exitStuck)
	})
}

// watchdog asks again and again, and calls stuck when a question gets no answer.
func watchdog(ctx context.Context, ask, stuck func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		answered := make(chan struct{})
		go func() { defer close(answered); ask() }()
		for missed := 0; ; missed++ {
			if missed == looks {
				stuck()
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case <-answered:
			default:
				continue
			}
			break
		}
	}
}
