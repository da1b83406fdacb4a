//go:build linux

package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// image is a copy of one database at one position, for all followers that need one at that time. Beside it are hard
// links to the LTX files of the transactions since it was begun, because LiteFS's retention deletes the originals.
//
// An image belongs to the term in which it was made: another primary may have given its history up.
type image struct {
	set  *images
	db   *litefs.DB
	dir  string
	ctx  context.Context // ends with this node's term, or when the image is removed
	stop context.CancelCauseFunc
	done chan struct{} // closed when the image is complete, or will never be

	// What follows is written before done is closed, and only read then.
	err    error      // why there is none
	header ltx.Header // of its encoded form, fixed, so that encoding it again gives the same bytes
	sum    ltx.Checksum
	id     string // of its encoded form
	size   int64

	// Guarded by set.mu.
	users  int
	unused *time.Timer // runs while users is 0
	wait   string      // why copying waits; "" while it does not
	linked ltx.TXID    // newest transaction whose LTX file is linked
	behind int64       // bytes of the linked files of transactions after the image
}

// errUnused ends an image that nobody needs.
var errUnused = errors.New("nobody needs the image any more")

func (g *image) path() string { return filepath.Join(g.dir, "image") }

func (g *image) ltxPath(id ltx.TXID) string { return filepath.Join(g.dir, ltx.FormatFilename(id, id)) }

// over returns why the image cannot be used any more, and nil while it can.
func (g *image) over() error {
	if g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	return nil
}

// complete reports whether the image can be sent.
func (g *image) complete() bool {
	select {
	case <-g.done:
		return g.err == nil
	default:
		return false
	}
}

// pos is the position of a complete image.
func (g *image) pos() ltx.Pos { return ltx.NewPos(g.header.MaxTXID, g.sum) }

// finish makes the image complete at pos.
func (g *image) finish(pos ltx.Pos, pageSize, pageN uint32, at time.Time) error {
	g.header = ltx.Header{
		Version: ltx.Version, PageSize: pageSize, Commit: pageN, MinTXID: 1, MaxTXID: pos.TXID,
		Timestamp: at.UnixMilli(), NodeID: g.db.Store().ID(),
	}
	if g.db.Store().Compress {
		g.header.Flags |= ltx.HeaderFlagCompressLZ4
	}
	g.sum, g.size = pos.PostApplyChecksum, int64(pageN)*int64(pageSize)
	head, err := g.header.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode the image's header: %w", err)
	}
	sum := sha256.Sum256(head)
	g.id = hex.EncodeToString(sum[:])
	return nil
}

// encode writes the image as an LTX file that brings a whole database, but for its first skip bytes. It is the same
// file each time. It holds no lock. It ends with the error of going, which is asked again and again.
func (g *image) encode(going func() error, w io.Writer, skip int64) error {
	f, err := os.Open(g.path())
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	enc := ltx.NewEncoder(&skipWriter{w: w, skip: skip})
	if err = enc.EncodeHeader(g.header); err != nil {
		return err
	}
	err = readPages(going, f, g.header.PageSize, g.header.Commit, func(page uint32, data []byte) error {
		return enc.EncodePage(ltx.PageHeader{Pgno: page}, data)
	})
	if err != nil {
		return err
	}
	enc.SetPostApplyChecksum(g.sum)
	return enc.Close()
}

// skipWriter drops the first skip bytes.
type skipWriter struct {
	w    io.Writer
	skip int64
}

// Write implements io.Writer.
func (s *skipWriter) Write(p []byte) (int, error) {
	n := int(min(s.skip, int64(len(p))))
	s.skip -= int64(n)
	if n == len(p) {
		return n, nil
	}
	m, err := s.w.Write(p[n:])
	return n + m, err
}

// drop removes the links to transactions that the image has.
func (g *image) drop(upTo ltx.TXID) error {
	entries, err := os.ReadDir(g.dir)
	for _, e := range entries {
		if _, id, no := ltx.ParseFilename(e.Name()); no == nil && id <= upTo {
			err = errors.Join(err, os.Remove(filepath.Join(g.dir, e.Name())))
		}
	}
	return err
}

// openLTX returns the linked LTX file of a transaction, or fs.ErrNotExist.
func (g *image) openLTX(id ltx.TXID) (*os.File, error) { return os.Open(g.ltxPath(id)) }

// link links the LTX files up to that transaction which are not linked yet. Only the image's own goroutine calls it.
func (g *image) link(upTo ltx.TXID) error {
	g.set.mu.Lock()
	from := g.linked
	g.set.mu.Unlock()
	if from == 0 { // the copy begins at upTo
		from = upTo
	}
	var bytes int64
	for id := from + 1; id <= upTo; id++ {
		if err := os.Link(g.db.LTXPath(id, id), g.ltxPath(id)); err != nil {
			return fmt.Errorf("keep transaction %s beside the image: %w", id, err)
		}
		info, err := os.Stat(g.ltxPath(id))
		if err != nil {
			return fmt.Errorf("keep transaction %s beside the image: %w", id, err)
		}
		bytes += info.Size()
	}
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	g.linked, g.behind = max(from, upTo), g.behind+bytes
	return nil
}
