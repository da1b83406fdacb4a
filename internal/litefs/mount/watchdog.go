//go:build linux

package mount

import (
	"context"
	"errors"
	"os"
	"time"
)

// A LiteFS that has not answered within maxMissed checks in a row is stuck. Checks are counted and not seconds: a node
// that was frozen for a while has had no time to answer.
const (
	checkInterval = 2 * time.Second
	maxMissed     = 8
)

// exitStuck is the exit code of a node whose LiteFS is stuck, or whose child is.
const exitStuck = 98

// releaseLimit is how long a node that is given up waits until its lease is released. Consul's answer takes no disk.
const releaseLimit = 3 * time.Second

// watch ends this process when LiteFS's store is stuck. Everything in the node then waits for the store, and so does
// every user of the mount, so nothing could be closed; the child dies with this process.
func (n *Node) watch(ctx context.Context) {
	watchdog(ctx, func() { n.store.IsPrimary() }, func() {
		n.log.Error("LiteFS does not answer any more: this node ends, and is to be started again", "code", exitStuck)
		os.Exit(exitStuck)
	})
}

// closeLimit is how long closing a node may take. It takes two seconds where its disk answers. What is left behind
// where a machine is slower than this is a mount, which the next start removes.
const closeLimit = 10 * time.Second

// abandon ends this process without closing the node: its child cannot be waited for, or closing hangs, since
// the unmounting and the end of the store wait for a disk that does not answer. The store releases the lease before it
// waits for any disk. The mount stays behind, dead; the next start removes it.
func (n *Node) abandon(why error) {
	// The log, LiteFS's too, may wait for a disk as well.
	time.AfterFunc(2*releaseLimit, func() { os.Exit(exitStuck) })
	n.log.Error("this node cannot end as usual: it gives its lease up and ends, and is to be started again; "+
		"where it does not end, or does not start, its disk has to be repaired first, or its machine replaced",
		"err", why, "data", n.cfg.Data.Dir, "code", exitStuck)
	if err := within(releaseLimit, n.store.Close); err != nil {
		n.log.Warn("the store is not closed; without a renewal the lease ends by itself", "err", err)
	} else {
		n.log.Info("the store is closed, and the lease released")
	}
	os.Exit(exitStuck)
}

// within returns what do does, or errHangs when that takes longer than limit.
func within(limit time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return errHangs
	}
}

// errHangs says that something has not returned in time.
var errHangs = errors.New("it has not returned in time")

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
