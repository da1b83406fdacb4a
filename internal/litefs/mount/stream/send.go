//go:build linux

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"
)

// errFault marks what is wrong on this node, and not with the link.
var errFault = errors.New("this node cannot send")

// bring sends transactions of the database, or an image and what follows it, until the follower has its newest.
func (n *session) bring(name string) error {
	if n.server.store.DB(name) == nil {
		if err := n.awaitConfirmed(name); err != nil {
			return err
		}
	}
	db := n.server.store.DB(name)
	if db == nil { // the follower has a database that this node does not have
		n.setSent(name, nil)
		return n.out.frame(&litefs.DropDBStreamFrame{Name: name})
	}
	for {
		if n.resume.image != nil && n.held[name] == n.resume.image {
			if err := n.sendImage(db); err != nil {
				return err
			}
		}
		at, newest := n.position(name), db.Pos()
		// Transactions that this node does not have were never replicated when it was elected.
		if at.TXID > newest.TXID || (at.TXID == newest.TXID && at != newest) {
			n.log.Info("the follower's history is another, it gets an image", "db", name, "follower_at", at, "newest", newest)
			at = ltx.Pos{}
		}
		if at.TXID >= newest.TXID {
			n.dropImage(name)
			return nil
		}
		if err := n.bringNext(db, at); err != nil {
			return err
		}
	}
}

// bringNext sends the transaction after at, or an image where there is none.
func (n *session) bringNext(db *litefs.DB, at ltx.Pos) error {
	f, err := n.nextLTX(db, at)
	switch {
	case err == nil:
		err = n.sendLTX(db, f)
		return errors.Join(err, f.Close())
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errFault, err)
	}
	n.log.Info("the follower needs an image", "db", db.Name(), "follower_at", at, "cause", err)
	if g := n.held[db.Name()]; g != nil { // what follows the image is lost: another one would end here, too
		g.stop(fmt.Errorf("what follows the image is lost: %w", err))
		n.dropImage(db.Name())
	}
	return n.sendImage(db)
}

// nextLTX opens the LTX file of the transaction that follows at. It fails with fs.ErrNotExist when there is none, or
// none that follows it.
func (n *session) nextLTX(db *litefs.DB, at ltx.Pos) (*os.File, error) {
	id := at.TXID + 1
	if id == 1 { // as in LiteFS: what is on the follower may be its own
		return nil, fmt.Errorf("%w: the follower has nothing", fs.ErrNotExist)
	}
	f, err := db.OpenLTXFile(id)
	if g := n.held[db.Name()]; g != nil && errors.Is(err, fs.ErrNotExist) {
		f, err = g.openLTX(id) // retention has deleted the original
	}
	if err != nil {
		return nil, err
	}
	header, _, err := ltx.PeekHeader(f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && header.PreApplyPos() != at {
		err = fmt.Errorf("%w: transaction %s follows %s", fs.ErrNotExist, id, header.PreApplyPos())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sendLTX sends one LTX file, and the high-water mark that LiteFS's server sends after it.
func (n *session) sendLTX(db *litefs.DB, f *os.File) error {
	dec := ltx.NewDecoder(f)
	if err := dec.Verify(); err != nil {
		return fmt.Errorf("%w: verify %s: %w", errFault, f.Name(), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%w: read %s: %w", errFault, f.Name(), err)
	}
	chunks, err := n.out.begin(db.Name())
	if err != nil {
		return fmt.Errorf("send a transaction: %w", err)
	}
	if _, err := io.Copy(chunks, f); err != nil {
		return fmt.Errorf("send a transaction: %w", err)
	}
	if err := chunks.Close(); err != nil {
		return fmt.Errorf("send a transaction: %w", err)
	}
	pos := dec.PostApplyPos()
	n.setSent(db.Name(), &pos)
	return n.out.frame(&litefs.HWMStreamFrame{Name: db.Name(), TXID: db.HWM()})
}

// sendImage sends an image of the database as soon as there is one and the follower's copy may be replaced.
func (n *session) sendImage(db *litefs.DB) error {
	n.setCopying(db.Name())
	defer n.setCopying("")
	if err := n.awaitConfirmed(db.Name()); err != nil {
		return err
	}
	skip := int64(0)
	g := n.resume.image
	if g != nil && n.held[db.Name()] == g {
		skip = n.resume.offset
	} else if g = n.server.images.acquire(db); true {
		n.held[db.Name()] = g
	}
	n.resume = resumption{}
	if err := n.awaitImage(g); err != nil {
		return err
	}
	began, before := time.Now(), n.out.written.Load()
	going := func() error {
		if n.ctx.Err() != nil {
			return context.Cause(n.ctx)
		}
		if limit := n.server.cfg.SnapshotTimeout; limit > 0 && time.Since(began) > limit {
			return fmt.Errorf("%w: the image takes longer than http.snapshot-timeout, %s", errFault, limit)
		}
		if err := g.over(); err != nil {
			return fmt.Errorf("%w: %w", errFault, err)
		}
		return nil
	}
	chunks, err := n.out.begin(db.Name())
	if err != nil {
		return fmt.Errorf("send an image: %w", err)
	}
	err = g.encode(going, chunks, skip)
	if err == nil {
		err = chunks.Close()
	}
	if err == nil {
		err = n.out.flush()
	}
	bytes := n.out.written.Load() - before
	n.server.metrics.sent.Add(float64(bytes))
	if err != nil {
		return fmt.Errorf("send an image, %d bytes of it sent: %w", bytes, err)
	}
	n.log.Info("image sent", "db", db.Name(), "position", g.pos(), "bytes", bytes, "skipped", skip,
		"took", time.Since(began))
	pos := g.pos()
	n.setSent(db.Name(), &pos)
	return nil
}

// awaitConfirmed waits until this node's term is confirmed, where the follower has a copy of the database. A node is
// elected before anybody has looked into its copy; one that lacks acknowledged writes would replace a copy that has them.
func (n *session) awaitConfirmed(name string) error {
	confirmed := n.server.cfg.Confirmed
	at := n.position(name)
	if at.TXID == 0 || confirmed == nil || confirmed() {
		return nil
	}
	n.log.Info("the follower's copy stays until this term is confirmed", "db", name, "follower_at", at)
	w := newWait(n, name)
	defer w.beat.Stop()
	for !confirmed() {
		select {
		case <-n.ctx.Done():
			return context.Cause(n.ctx)
		case <-w.beat.C:
		}
		if err := w.tell("it has not confirmed yet that its own copy has every acknowledged write"); err != nil {
			return err
		}
	}
	return nil
}

// awaitImage waits until the image is complete. Meanwhile there are heartbeats, and notices when the copy waits.
func (n *session) awaitImage(g *image) error {
	w := newWait(n, g.db.Name())
	defer w.beat.Stop()
	for {
		select {
		case <-g.done:
			if g.err == nil {
				return nil
			}
			if n.ctx.Err() != nil {
				return context.Cause(n.ctx)
			}
			return fmt.Errorf("%w: make an image: %w", errFault, g.err)
		case <-n.ctx.Done():
			return context.Cause(n.ctx)
		case <-w.beat.C:
		}
		if err := w.tell(n.server.images.waiting(g)); err != nil {
			return err
		}
	}
}

// wait is a follower's wait for an image of the database called name.
type wait struct {
	session *session
	name    string
	beat    *time.Ticker
	noticed time.Time
}

func newWait(n *session, name string) *wait {
	return &wait{session: n, name: name, beat: time.NewTicker(litefshttp.HeartbeatInterval)}
}

// tell writes a heartbeat and, every noticePause, the notice why there is no image; "" means that there is no notice.
func (w *wait) tell(why string) error {
	n := w.session
	if err := n.heartbeat(unsynced); err != nil {
		return err
	}
	if why == "" || time.Since(w.noticed) < noticePause {
		return nil
	}
	w.noticed = time.Now()
	n.log.Warn("the follower waits for an image", "db", w.name, "cause", why)
	text := noticePrefix + "the primary has no image of " + w.name + " yet: " + why
	if err := n.out.frame(&litefs.DropDBStreamFrame{Name: text}); err != nil {
		return fmt.Errorf("write a notice: %w", err)
	}
	return nil
}

// dropImage says that the follower has passed the image and what was kept beside it.
func (n *session) dropImage(name string) {
	if g := n.held[name]; g != nil {
		delete(n.held, name)
		n.server.images.release(g)
	}
}

func (n *session) position(name string) ltx.Pos {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent[name]
}

// setSent notes what the follower has of a database; nil: it is to forget it.
func (n *session) setSent(name string, pos *ltx.Pos) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if pos == nil {
		delete(n.sent, name)
		return
	}
	n.sent[name] = *pos
}

func (n *session) setCopying(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.copying = name
}

func (n *session) setReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = true
}
