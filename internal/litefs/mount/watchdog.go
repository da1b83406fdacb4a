//go:build linux

package mount

import (
	"context"
	"os"
	"time"
)

// A LiteFS that has not answered within maxMissed checks in a row is stuck. Checks are counted and not seconds: a node
// that was frozen for a while has had no time to answer.
const (
	checkInterval = 2 * time.Second
	maxMissed     = 8
)

// exitStuck is the exit code of a node whose LiteFS is stuck.
const exitStuck = 98

// watch ends this process when LiteFS's store is stuck. Everything in the node then waits for the store, and so does
// every user of the mount, so nothing could be closed; the child dies with this process.
func (n *Node) watch(ctx context.Context) {
	watchdog(ctx, func() { n.store.IsPrimary() }, func() {
		n.log.Error("LiteFS does not answer any more: this node ends, and is to be started again", "code", exitStuck)
		os.Exit(exitStuck)
	})
}

// watchdog calls ask again and again, and calls stuck when one call does not return.
func watchdog(ctx context.Context, ask, stuck func()) {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		answered := make(chan struct{})
		go func() { defer close(answered); ask() }()
		for missed := 0; ; missed++ {
			if missed == maxMissed {
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
