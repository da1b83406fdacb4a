//go:build linux

package stream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

const (
	// sliceLimit is for how long SHARED is held at the most. No read begins after half of it, so that the read in
	// progress has the other half.
	sliceLimit = 20 * time.Millisecond
	// sliceSize is the most that is read under one lock: it has to fit in memory, because nothing is written
	// meanwhile.
	sliceSize = 4 << 20
	// readSize is the most that is read in one call, between two readings of the clock. Every page size divides it.
	readSize = 64 << 10
	// lockPause is between two tries to get a lock.
	lockPause = time.Millisecond
	// lockOwner names this package's locks. LiteFS's owners are the kernel's, which are random 64-bit numbers.
	lockOwner = 0x626c6f67696d6167
)

// SQLite's file header (https://www.sqlite.org/fileformat.html).
const (
	headerSize     = 100
	pageSizeOffset = 16
	maxPageSize    = 64 << 10 // written as 1
)

var (
	errWALMode  = errors.New("the database is in WAL mode, of which no copy is made: set PRAGMA journal_mode=delete")
	errMismatch = errors.New("the copy's checksum is not the database's")
	errNoRoom   = errors.New("the disk is too full for a copy")
)

// copier copies one database into a file, in slices, while it is written to.
type copier struct {
	db   *litefs.DB
	file *os.File
	// link retains the LTX files up to that transaction, and open returns one of them.
	link func(upTo ltx.TXID) error
	open func(id ltx.TXID) (*os.File, error)
	// room fails with errNoRoom when so many bytes more would leave too little on the disk.
	room func(bytes int64) error
	// between is called after each slice, without a lock. Tests write to the database in it.
	between   func()
	sliceSize int

	buf      []byte
	pageSize uint32
	slices   int
	longest  time.Duration // SHARED was held
}

// slice is what one hold of SHARED has read.
type slice struct {
	pos   ltx.Pos // of the database
	pageN uint32  // of the database
	data  []byte  // whole pages
}

// copy makes the file the database as it is at the position that it returns, with so many pages. The file holds what
// the slices have read at different positions until the LTX files of the transactions in between are laid over it. It
// fails with errMismatch when the result's checksum is not the position's.
func (c *copier) copy(ctx context.Context) (pos ltx.Pos, pageN uint32, err error) {
	c.buf = make([]byte, c.sliceSize)
	var first ltx.Pos
	for next := uint32(1); ; {
		if ctx.Err() != nil {
			return ltx.Pos{}, 0, context.Cause(ctx)
		}
		c.prefetch(next)
		s, err := c.slice(ctx, next)
		if err != nil {
			return ltx.Pos{}, 0, err
		}
		if next == 1 {
			first = s.pos
		}
		if err := c.room(int64(len(s.data))); err != nil {
			return ltx.Pos{}, 0, err
		}
		if _, err := c.file.WriteAt(s.data, c.offset(next)); err != nil {
			return ltx.Pos{}, 0, fmt.Errorf("write the copy: %w", err)
		}
		// The files are linked at once: the retention of LiteFS may be short, and the copy long.
		if err := c.link(s.pos.TXID); err != nil {
			return ltx.Pos{}, 0, err
		}
		if c.between != nil {
			c.between()
		}
		if c.pageSize > 0 {
			next += uint32(len(s.data)) / c.pageSize // #nosec G115 -- at most sliceSize
		}
		if pos, pageN = s.pos, s.pageN; next > pageN {
			break
		}
	}
	if err := c.overlay(ctx, first, pos); err != nil {
		return ltx.Pos{}, 0, err
	}
	if err := c.file.Truncate(int64(pageN) * int64(c.pageSize)); err != nil {
		return ltx.Pos{}, 0, fmt.Errorf("truncate the copy: %w", err)
	}
	return pos, pageN, c.verify(ctx, pos, pageN)
}

func (c *copier) offset(page uint32) int64 { return int64(page-1) * int64(c.pageSize) }

// prefetch reads what the next slice will read, without a lock, so that the slice finds it in the system's memory and
// does not wait for the disk. What it reads may be the middle of a transaction, and is dropped.
func (c *copier) prefetch(next uint32) {
	if c.pageSize == 0 {
		return // before the first slice
	}
	f, err := os.Open(c.db.DatabasePath())
	if err != nil {
		return // the slice says so
	}
	_, _ = f.ReadAt(c.buf, c.offset(next)) // as far as there is something
	_ = f.Close()                          // it was only read
}

// slice reads pages from page next on under SHARED. Nothing is done under the lock but reading.
func (c *copier) slice(ctx context.Context, next uint32) (s slice, err error) {
	if err = c.lock(ctx); err != nil {
		return slice{}, err
	}
	began := time.Now()
	defer func() {
		c.unlock(ctx)
		c.slices++
		c.longest = max(c.longest, time.Since(began))
	}()
	if c.db.Mode() == litefs.DBModeWAL {
		return slice{}, errWALMode
	}
	s.pos, s.pageN = c.db.Pos(), c.db.PageN()
	if s.pageN == 0 { // dropped
		return s, c.sizeFromLTX(s.pos.TXID)
	}
	f, err := os.Open(c.db.DatabasePath())
	if err != nil {
		return slice{}, fmt.Errorf("read the database: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if c.pageSize == 0 {
		if c.pageSize, err = readPageSize(f); err != nil {
			return slice{}, err
		}
	}
	left := (int64(s.pageN) - int64(next) + 1) * int64(c.pageSize)
	want := int(max(0, min(left, int64(len(c.buf)))))
	if s.data, err = readSome(f, c.buf[:want], c.offset(next), began); err != nil {
		return slice{}, fmt.Errorf("read the database: %w", err)
	}
	return s, nil
}

// readSome reads into buf from offset on, and returns what it has read by half of sliceLimit after began: whole pages.
// No read begins later. The one that is in progress then is not ended: where the disk takes longer for it than the
// other half, SHARED is held for longer than sliceLimit.
func readSome(f io.ReaderAt, buf []byte, offset int64, began time.Time) ([]byte, error) {
	n := 0
	for n < len(buf) && (n == 0 || time.Since(began) <= sliceLimit/2) {
		end := min(n+readSize, len(buf))
		if _, err := f.ReadAt(buf[n:end], offset+int64(n)); err != nil {
			return nil, err
		}
		n = end
	}
	return buf[:n], nil
}

// lock acquires SHARED as SQLite does, through PENDING: a writer that waits for its COMMIT holds PENDING, so the copy
// waits for the writer and not the other way round.
func (c *copier) lock(ctx context.Context) error {
	pending, shared := []litefs.LockType{litefs.LockTypePending}, []litefs.LockType{litefs.LockTypeShared}
	for {
		if c.db.TryRLocks(ctx, lockOwner, pending) {
			locked := c.db.TryRLocks(ctx, lockOwner, shared)
			if err := c.db.Unlock(ctx, lockOwner, pending); err != nil || locked {
				return err
			}
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *copier) unlock(ctx context.Context) {
	// LiteFS returns an error of the WAL alone here, which is not locked.
	_ = c.db.Unlock(ctx, lockOwner, []litefs.LockType{litefs.LockTypeShared})
}

func readPageSize(f io.ReaderAt) (uint32, error) {
	head := make([]byte, headerSize)
	if _, err := f.ReadAt(head, 0); err != nil {
		return 0, fmt.Errorf("read the database's header: %w", err)
	}
	size := uint32(binary.BigEndian.Uint16(head[pageSizeOffset:]))
	if size == 1 {
		size = maxPageSize
	}
	if !ltx.IsValidPageSize(size) {
		return 0, fmt.Errorf("the database's header has the page size %d", size)
	}
	return size, nil
}

// sizeFromLTX learns the page size of a database that has no file any more from the transaction that dropped it.
func (c *copier) sizeFromLTX(id ltx.TXID) error {
	f, err := c.db.OpenLTXFile(id)
	if err != nil {
		return fmt.Errorf("read the transaction that dropped the database: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	header, _, err := ltx.PeekHeader(f)
	if err != nil {
		return fmt.Errorf("read the transaction that dropped the database: %w", err)
	}
	c.pageSize = header.PageSize
	return nil
}

// overlay writes the pages of the transactions after from, up to and with to, over the copy, in their order: a page
// that a slice has read at a position in between becomes older first and then what it is at the end.
func (c *copier) overlay(ctx context.Context, from, to ltx.Pos) error {
	for at := from; at.TXID < to.TXID; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next, err := c.overlayOne(at)
		if err != nil {
			return fmt.Errorf("lay transaction %s over the copy: %w", at.TXID+1, err)
		}
		at = next
	}
	return nil
}

func (c *copier) overlayOne(at ltx.Pos) (ltx.Pos, error) {
	f, err := c.open(at.TXID + 1)
	if err != nil {
		return ltx.Pos{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	dec := ltx.NewDecoder(bufio.NewReader(f))
	if err := dec.DecodeHeader(); err != nil {
		return ltx.Pos{}, err
	}
	h := dec.Header()
	if h.PageSize != c.pageSize || h.PreApplyPos() != at {
		return ltx.Pos{}, fmt.Errorf("%w: it follows %s with pages of %d bytes, not %s with %d",
			errMismatch, h.PreApplyPos(), h.PageSize, at, c.pageSize)
	}
	page := make([]byte, h.PageSize)
	for {
		var p ltx.PageHeader
		if err := dec.DecodePage(&p, page); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return ltx.Pos{}, err
		}
		if err := c.room(int64(len(page))); err != nil {
			return ltx.Pos{}, err
		}
		if _, err := c.file.WriteAt(page, c.offset(p.Pgno)); err != nil {
			return ltx.Pos{}, err
		}
	}
	if err := dec.Close(); err != nil {
		return ltx.Pos{}, err
	}
	// Pages that a transaction cuts off are gone, even if a later one makes the database as long again.
	return dec.PostApplyPos(), c.file.Truncate(int64(h.Commit) * int64(h.PageSize))
}

// verify reads the whole copy. LiteFS's checksum of a database is that of all its pages but the lock page.
func (c *copier) verify(ctx context.Context, pos ltx.Pos, pageN uint32) error {
	sum, hasher := ltx.ChecksumFlag, ltx.NewHasher()
	going := func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	err := readPages(going, c.file, c.pageSize, pageN, func(page uint32, data []byte) error {
		sum ^= ltx.ChecksumPageWithHasher(hasher, page, data) &^ ltx.ChecksumFlag
		return nil
	})
	if err != nil {
		return err
	}
	if sum != pos.PostApplyChecksum {
		return fmt.Errorf("%w: %s, and at %s it is %s", errMismatch, sum, pos.TXID, pos.PostApplyChecksum)
	}
	return nil
}

// readPages calls each with every page of the file in turn, but for the lock page. It ends with the error of going.
func readPages(
	going func() error, f io.ReaderAt, pageSize, pageN uint32, each func(page uint32, data []byte) error,
) error {
	lock := ltx.LockPgno(pageSize)
	buf := make([]byte, readSize)
	perRead := uint32(readSize) / pageSize
	for page := uint32(1); page <= pageN; page += perRead {
		if err := going(); err != nil {
			return err
		}
		n := min(perRead, pageN-page+1)
		data := buf[:n*pageSize]
		if _, err := f.ReadAt(data, int64(page-1)*int64(pageSize)); err != nil {
			return fmt.Errorf("read the copy: %w", err)
		}
		for i := range n {
			if page+i == lock {
				continue
			}
			if err := each(page+i, data[i*pageSize:(i+1)*pageSize]); err != nil {
				return err
			}
		}
	}
	return nil
}
