//go:build linux

package stream

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/superfly/litefs"
)

// aside is why a session does not send a database for the time being. It goes on with the others: one database that
// cannot be sent, or whose image is not there yet, must not stop the replication of all.
type aside struct {
	image   *image        // it is waited for or sent; nil: the database cannot be sent
	err     error         // the fault; nil while an image is waited for
	pause   time.Duration // between the fault and the next try
	again   time.Time     // of the next try
	noticed time.Time     // the last time that log and follower were told
}

// ignored reports whether the follower counts as complete without the database: of a database in WAL mode no image can
// be made, however long anybody waits.
func (a *aside) ignored() bool { return errors.Is(a.err, errWALMode) }

// names returns the databases to check: those that have changed and those that were set aside, in order. An image
// delays everything behind it in the stream, so databases that wait for one come last.
func (n *session) names(dirty map[string]struct{}) []string {
	var names, last []string
	for _, name := range slices.Sorted(maps.Keys(dirty)) {
		if n.wants(name) && n.aside[name] == nil {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.aside)) {
		if n.aside[name].image != nil {
			last = append(last, name)
		} else {
			names = append(names, name)
		}
	}
	return append(names, last...)
}

// bringOrSetAside sends what the follower lacks of the database. It fails when the stream cannot go on: the follower is
// not reached, the term has ended, or the fault has come in the middle of a frame.
func (n *session) bringOrSetAside(name string) error {
	if !n.due(name) {
		return nil
	}
	err := n.bring(name)
	if errors.Is(err, errUnconfirmed) {
		n.log.Info("the follower's copy stays until this term is confirmed", "db", name, "follower_at", n.position(name))
		n.changeAside(name, func(a *aside) { a.image, a.err = nil, err })
		return nil
	}
	if !errors.Is(err, errFault) || n.out.inFrame || n.ctx.Err() != nil {
		return err
	}
	n.dropImage(name)
	n.changeAside(name, func(a *aside) {
		a.image, a.err = nil, err
		a.pause = min(max(redoPause, 2*a.pause), redoPauseMost)
		a.again = time.Now().Add(a.pause)
	})
	return nil
}

// due reports whether the database can be tried now. One in WAL mode is tried when it is in that mode no more.
func (n *session) due(name string) bool {
	a := n.aside[name]
	switch {
	case a == nil:
		return true
	case a.image != nil:
		return isClosed(a.image.done) && n.mayReplace(name)
	case errors.Is(a.err, errUnconfirmed):
		return n.mayReplace(name)
	case a.ignored():
		db := n.server.store.DB(name)
		return db == nil || db.Mode() != litefs.DBModeWAL
	default:
		return time.Now().After(a.again)
	}
}

// awaitImage sets the database aside until its image is complete or has failed. The session checks it then.
func (n *session) awaitImage(name string, g *image) {
	n.changeAside(name, func(a *aside) { a.image, a.err = g, nil })
	n.server.running.Go(func() {
		select {
		case <-g.done:
		case <-n.ctx.Done():
			return
		}
		select {
		case n.wake <- struct{}{}:
		default: // it is about to check
		}
	})
}

// awaited returns the image that the database waits for, or nil.
func (n *session) awaited(name string) *image {
	if a := n.aside[name]; a != nil {
		return a.image
	}
	return nil
}

// changeAside sets the database aside, if it is not, and changes what is said of it.
func (n *session) changeAside(name string, change func(*aside)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.aside[name] == nil {
		n.aside[name] = &aside{}
	}
	change(n.aside[name])
}

// endAside says that the follower has the newest of the database, or is to have nothing of it.
func (n *session) endAside(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.aside, name)
}

// asideLocked says which database the follower is not complete without and cannot be sent now, and why. "" means none.
func (n *session) asideLocked() string {
	for _, name := range slices.Sorted(maps.Keys(n.aside)) {
		switch a := n.aside[name]; {
		case a.image != nil:
			return "it is being sent the whole of " + name
		case !a.ignored():
			return fmt.Sprintf("it cannot be sent %s: %s", name, a.err)
		}
	}
	return ""
}

// complete reports whether nothing was set aside that the follower is not complete without.
func (n *session) complete() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asideLocked() == ""
}

// notice reports to the log and to the follower, every noticePause, what is set aside and why.
func (n *session) notice() error {
	for _, name := range slices.Sorted(maps.Keys(n.aside)) {
		a := n.aside[name]
		if time.Since(a.noticed) < noticePause {
			continue
		}
		text := noticePrefix + "the primary cannot send " + name + ": "
		switch why := n.waits(name, a); {
		case why != "":
			n.log.Warn("the follower waits for an image", "db", name, "cause", why)
			text = noticePrefix + "the primary has no image of " + name + " yet: " + why
		case a.image == nil:
			n.log.Warn("a database is not sent to the follower", "db", name, "err", a.err)
			text += a.err.Error()
		default:
			continue
		}
		a.noticed = time.Now() // only this goroutine reads it
		if err := n.out.frame(&litefs.DropDBStreamFrame{Name: text[:min(len(text), noticeLimit)]}); err != nil {
			return fmt.Errorf("write a notice: %w", err)
		}
	}
	return nil
}

// waits returns what the database waits for; "" while its image is in the making, and after a fault.
func (n *session) waits(name string, a *aside) string {
	switch {
	case errors.Is(a.err, errUnconfirmed) || (a.image != nil && !n.mayReplace(name)):
		return errUnconfirmed.Error()
	case a.image != nil:
		return n.server.images.waiting(a.image)
	default:
		return ""
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
