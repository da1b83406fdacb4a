//go:build linux

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/superfly/litefs"
	"golang.org/x/sys/unix"

	"blog/internal/backoff"
)

const (
	// unusedLimit is how long an image that no stream needs is retained: a follower whose link broke in the middle of it
	// comes back for the remainder.
	unusedLimit = time.Minute
	// spareDisk is what an image and its files leave free on the disk, in bytes.
	spareDisk = 256 << 20
	// roomPause is the time between two checks of a disk that is too full.
	roomPause = time.Second
	// redoPause is the pause before a copy is made once more, longer each time up to redoPauseMost.
	redoPause     = time.Second
	redoPauseMost = 30 * time.Second
)

// images are the images of a node's databases.
type images struct {
	server    *Server
	unused    time.Duration
	sliceSize int
	free      func() (int64, error) // bytes that are free on the disk
	between   func()                // copier.between

	running sync.WaitGroup
	mu      sync.Mutex
	all     []*image
	made    int           // images so far, for their names
	longest time.Duration // SHARED was held, so far
}

func newImages(s *Server) *images {
	m := &images{server: s, unused: unusedLimit, sliceSize: sliceSize}
	m.free = func() (int64, error) {
		var st unix.Statfs_t
		if err := unix.Statfs(s.cfg.Dir, &st); err != nil {
			return 0, fmt.Errorf("free space of %s: %w", s.cfg.Dir, err)
		}
		return int64(st.Bavail) * st.Bsize, nil // #nosec G115 -- a disk's size
	}
	return m
}

// close removes all images. The server's context has ended.
func (m *images) close() error {
	m.running.Wait()
	return os.RemoveAll(m.server.cfg.Dir)
}

// acquire returns an image of the database for a stream, which releases it. It is one that is there or in the making,
// or else a new one. Where more has been written since than the image is long, a new one is the shorter way.
func (m *images) acquire(db *litefs.DB) *image {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range slices.Backward(m.all) {
		if g.db == db && g.over() == nil && (!g.complete() || g.behind <= g.size) {
			m.useLocked(g)
			return g
		}
	}
	m.made++
	g := &image{
		set: m, db: db, dir: fmt.Sprintf("%s/%d", m.server.cfg.Dir, m.made),
		done: make(chan struct{}), users: 1,
	}
	ctx, stop := context.WithCancelCause(m.server.ctx)
	g.ctx, g.stop = m.server.store.PrimaryCtx(ctx), stop
	m.all = append(m.all, g)
	m.running.Go(func() { m.run(g) })
	return g
}

// resume returns the complete image with that id for a stream, which releases it, or nil.
func (m *images) resume(name, id string) *image {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.all {
		if g.db.Name() == name && g.over() == nil && g.complete() && g.id == id {
			m.useLocked(g)
			return g
		}
	}
	return nil
}

func (m *images) useLocked(g *image) {
	g.users++
	if g.unused != nil {
		g.unused.Stop()
		g.unused = nil
	}
}

// release says that a stream does not need the image any more. The last one starts its end.
func (m *images) release(g *image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.users--; g.users > 0 || g.over() != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(m.unused, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if g.unused == timer { // nobody has come since
			g.stop(errUnused)
		}
	})
	g.unused = timer
}

// waiting returns why copying waits, or "".
func (m *images) waiting(g *image) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return g.wait
}

func (m *images) setWaiting(g *image, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g.wait = why
}

// run makes the image, retains the LTX files that follow it, and removes all of them when the image is over.
func (m *images) run(g *image) {
	log := m.server.log.With("db", g.db.Name())
	// Subscribed before anything is read, so that no transaction is missed. No follower has the id 0.
	changes := m.server.store.SubscribeChangeSet(0)
	err := m.make(g)
	if g.err = err; err == nil {
		m.server.metrics.images.WithLabelValues("complete").Inc()
		close(g.done)
		err = m.follow(g, changes)
	} else {
		m.server.metrics.images.WithLabelValues("failed").Inc()
		g.stop(err) // first: nobody else may wait for it
		close(g.done)
	}
	_ = changes.Close() // it never fails
	g.stop(err)
	m.mu.Lock()
	m.all = slices.DeleteFunc(m.all, func(o *image) bool { return o == g })
	if g.unused != nil {
		g.unused.Stop()
	}
	m.mu.Unlock()
	log.Info("image removed", "cause", err)
	if err := os.RemoveAll(g.dir); err != nil {
		log.Error("remove an image", "err", err)
	}
}

// make makes the image, once more where the copy is not the database or the disk is full, until it is over.
func (m *images) make(g *image) error {
	log := m.server.log.With("db", g.db.Name())
	pauses := backoff.New(redoPause, redoPauseMost)
	for {
		if err := os.MkdirAll(m.server.cfg.Dir, 0o750); err != nil {
			return fmt.Errorf("make a folder for images: %w", err)
		}
		if err := m.awaitRoom(g, log); err != nil {
			return err
		}
		err := m.attempt(g, log)
		switch {
		case err == nil || g.over() != nil:
			return errors.Join(err, g.over())
		case errors.Is(err, errNoRoom):
			log.Warn("image given up, the disk has become too full", "err", err)
			continue
		case !errors.Is(err, errMismatch):
			return err
		}
		pause := pauses.Next()
		log.Warn("image given up, it is made once more", "err", err, "pause", pause)
		m.server.metrics.images.WithLabelValues("redone").Inc()
		select {
		case <-time.After(pause):
		case <-g.ctx.Done():
		}
	}
}

// attempt makes the image once, in a new folder.
func (m *images) attempt(g *image, log *slog.Logger) (err error) {
	m.mu.Lock()
	g.linked, g.behind = 0, 0
	m.mu.Unlock()
	if err = errors.Join(os.RemoveAll(g.dir), os.Mkdir(g.dir, 0o750)); err != nil {
		return fmt.Errorf("make a folder for an image: %w", err)
	}
	file, err := os.Create(g.path())
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil { // it takes no room while the next attempt waits
			err = errors.Join(err, os.RemoveAll(g.dir))
		}
	}()
	c := &copier{
		db: g.db, file: file, link: g.link, open: g.openLTX, room: m.room, between: m.between, sliceSize: m.sliceSize,
	}
	began := time.Now()
	log.Info("image begun", "pages", g.db.PageN(), "position", g.db.Pos())
	pos, pageN, err := c.copy(g.ctx)
	m.noteSlice(c.longest)
	if err != nil {
		return err
	}
	if err = errors.Join(g.finish(pos, c.pageSize, pageN, time.Now()), g.drop(pos.TXID)); err != nil {
		return err
	}
	m.mu.Lock()
	g.behind = 0
	m.mu.Unlock()
	log.Info("image complete", "position", pos, "bytes", g.size, "took", time.Since(began),
		"slices", c.slices, "longest_slice", c.longest)
	return nil
}

// follow links the LTX files of what is committed while the image is there.
func (m *images) follow(g *image, changes *litefs.ChangeSetSubscriber) error {
	for {
		if err := errors.Join(m.room(0), g.link(g.db.Pos().TXID)); err != nil {
			return err
		}
		select {
		case <-changes.NotifyCh():
		case <-g.ctx.Done():
			return context.Cause(g.ctx)
		}
	}
}

// room fails with errNoRoom when so many bytes more would leave less than spareDisk.
func (m *images) room(bytes int64) error {
	free, err := m.free()
	if err != nil {
		return err
	}
	if free-bytes < spareDisk {
		return fmt.Errorf("%w: %d MB are free, %d MB must stay free beside %d bytes more",
			errNoRoom, free>>20, spareDisk>>20, bytes)
	}
	return nil
}

// awaitRoom waits until the database fits on the disk once more.
func (m *images) awaitRoom(g *image, log *slog.Logger) error {
	defer m.setWaiting(g, "")
	for waited := false; ; waited = true {
		info, err := os.Stat(g.db.DatabasePath())
		size := int64(0)
		if err == nil {
			size = info.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("size of the database: %w", err)
		}
		err = m.room(size)
		switch {
		case err == nil && waited:
			log.Info("the disk has room for an image again")
			return nil
		case err == nil:
			return nil
		case !errors.Is(err, errNoRoom):
			return err
		case !waited:
			log.Warn("followers wait for an image until the disk has room", "err", err)
		}
		m.setWaiting(g, err.Error())
		select {
		case <-time.After(roomPause):
		case <-g.ctx.Done():
			return context.Cause(g.ctx)
		}
	}
}

func (m *images) noteSlice(longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.longest = max(m.longest, longest)
	m.server.metrics.slice.Set(m.longest.Seconds())
}
