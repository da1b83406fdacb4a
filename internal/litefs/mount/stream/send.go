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
	"github.com/superfly/ltx"
)

// errFault marks what is wrong on this node, and not with the link.
var errFault = errors.New("this node cannot send")

// errUnconfirmed is why nothing replaces a follower's copy before this node's term is confirmed.
var errUnconfirmed = errors.New("it has not confirmed yet that its own copy has every acknowledged write")

// bring sends transactions of the database, or an image and what follows it, until the follower has its newest, or an
// image is waited for.
func (n *session) bring(name string) error {
	db := n.server.store.DB(name)
	if db == nil { // the follower has a database that this node does not have
		if !n.mayReplace(name) {
			return errUnconfirmed
		}
		n.dropImage(name)
		n.endAside(name)
		n.setSent(name, nil)
		return n.out.frame(&litefs.DropDBStreamFrame{Name: name})
	}
	for {
		if g := n.awaited(name); g != nil {
			if !isClosed(g.done) || !n.mayReplace(name) {
				return nil
			}
			if err := n.sendImage(db, g); err != nil {
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
			n.endAside(name)
			return nil
		}
		if err := n.bringNext(db, at); err != nil {
			return err
		}
	}
}

// bringNext sends the transaction after at, or asks for an image where there is none.
func (n *session) bringNext(db *litefs.DB, at ltx.Pos) error {
	f, err := n.nextLTX(db, at)
	switch {
	case err == nil:
		err = n.sendLTX(db, f)
		return errors.Join(err, f.Close())
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errFault, err)
	}
	if !n.mayReplace(db.Name()) {
		return errUnconfirmed
	}
	n.log.Info("the follower needs an image", "db", db.Name(), "follower_at", at, "cause", err)
	if g := n.held[db.Name()]; g != nil { // what follows the image is lost: another one would end here, too
		g.stop(fmt.Errorf("what follows the image is lost: %w", err))
		n.dropImage(db.Name())
	}
	g := n.server.images.acquire(db)
	n.held[db.Name()] = g
	n.awaitImage(db.Name(), g)
	return nil
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

// sendImage sends an image of the database that is complete, to a follower whose copy may be replaced. It fails with
// errFault where there is none.
func (n *session) sendImage(db *litefs.DB, g *image) error {
	skip := int64(0)
	if g == n.resume.image {
		skip, n.resume = n.resume.offset, resumption{}
	}
	err := g.err
	if err == nil { // it was complete, and may have been removed since
		err = g.over()
	}
	if err != nil {
		if n.ctx.Err() != nil {
			return context.Cause(n.ctx)
		}
		return fmt.Errorf("%w: make an image: %w", errFault, err)
	}
	began, before := time.Now(), n.out.written.Load()
	going := func() error {
		if n.ctx.Err() != nil {
			return context.Cause(n.ctx)
		}
		if limit := n.server.cfg.SnapshotTimeout; limit > 0 && time.Since(began) > limit {
			return fmt.Errorf("%w: the image takes longer than http.snapshot-timeout, %s", errFault, limit)
		}
		if over := g.over(); over != nil {
			return fmt.Errorf("%w: %w", errFault, over)
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
	n.endAside(db.Name())
	return nil
}

// mayReplace reports whether the follower has no copy of the database, or the term of this node is confirmed. A node is
// elected before its child has checked its copy; one that lacks acknowledged writes would replace a copy that has them.
func (n *session) mayReplace(name string) bool {
	confirmed := n.server.cfg.Confirmed
	return n.position(name).TXID == 0 || confirmed == nil || confirmed()
}

// dropImage records that the follower has passed the image and the files retained for it.
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

func (n *session) setReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = true
}
