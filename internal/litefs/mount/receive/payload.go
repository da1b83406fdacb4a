//go:build linux

package receive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/superfly/ltx"
	"golang.org/x/sys/unix"
)

// step is how many bytes of a file are written between two checks of the free space of the disk, and how many LiteFS
// reads before their space is released.
const step = 1 << 20

// payload is the content of an LTX frame: one LTX file, in memory or in a file of the spool. One goroutine writes it
// and then another reads it; discard may be called at any time, more than once.
type payload struct {
	spool  *spool
	name   string // of the database
	size   int64  // bytes so far
	memory []byte
	file   *os.File // nil while the payload is in memory

	// What the first ltx.HeaderSize bytes say. id is "" until they are there.
	id     string
	header ltx.Header
	limit  int64 // no LTX file with this header is longer

	checked   int64 // size when the disk's free space was checked last
	freed     int64 // bytes whose space has been given back
	discarded sync.Once
}

// write appends b. It fails when the header is none of an LTX file, when the payload is longer than its header allows,
// and with ErrNoRoom.
func (p *payload) write(b []byte) error {
	p.size += int64(len(b))
	if p.file == nil {
		p.memory = append(p.memory, b...)
		if err := p.readHeader(); err != nil {
			return err
		}
	}
	if p.id != "" && p.size > p.limit {
		return fmt.Errorf("the frame of %s is corrupt: it has more than the %d bytes of its %d pages",
			p.name, p.limit, p.header.Commit)
	}
	switch {
	case p.file != nil:
		return p.writeFile(b)
	case p.size > p.spool.memory:
		return p.moveToFile()
	}
	return nil
}

// readHeader decodes the header once it is complete.
func (p *payload) readHeader() error {
	if p.id != "" || p.size < ltx.HeaderSize {
		return nil
	}
	raw := p.memory[:ltx.HeaderSize]
	err := p.header.UnmarshalBinary(raw)
	if err == nil {
		err = p.header.Validate()
	}
	if err != nil {
		return fmt.Errorf("the frame of %s is corrupt: its header: %w", p.name, err)
	}
	sum := sha256.Sum256(raw)
	p.id, p.limit = hex.EncodeToString(sum[:]), longest(p.header)
	return nil
}

// longest returns the size that no LTX file with the header h exceeds: it has each page of the database at most once.
func longest(h ltx.Header) int64 {
	const page = ltx.PageHeaderSize
	n := ltx.HeaderSize + int64(h.Commit)*(page+int64(h.PageSize)) + page + ltx.TrailerSize
	if h.Flags&ltx.HeaderFlagCompressLZ4 != 0 {
		const blocks, frame = 64, 1 << 16 // an LZ4 frame of what cannot be compressed is this much longer
		n += n/blocks + frame
	}
	return n
}

// moveToFile puts what is in memory into a new file, and what comes next after it.
func (p *payload) moveToFile() error {
	if err := p.checkRoom(); err != nil {
		return err
	}
	file, err := p.spool.create()
	if err != nil {
		return err
	}
	b := p.memory
	p.file, p.memory = file, nil
	return p.writeFile(b)
}

func (p *payload) writeFile(b []byte) error {
	if p.size-p.checked > step {
		if err := p.checkRoom(); err != nil {
			return err
		}
	}
	if _, err := p.file.Write(b); err != nil {
		return fmt.Errorf("write a received frame: %w", err)
	}
	return nil
}

// checkRoom fails with ErrNoRoom if the disk has no room for the payload's next bytes, or for all that an image will
// take. Of an image LiteFS makes a copy, which takes the space of the bytes that it has read, and a database.
func (p *payload) checkRoom() error {
	p.checked = p.size
	need := int64(step)
	if p.header.IsSnapshot() {
		if p.header.Flags&ltx.HeaderFlagCompressLZ4 == 0 {
			need = max(need, p.limit-p.size)
		}
		need += max(0, int64(p.header.Commit)*int64(p.header.PageSize)-p.spool.databaseSize(p.name))
	}
	return p.spool.checkRoom(p.name, need)
}

// resumable reports that the next stream can go on with the payload: it is an image of which the file has a part. A
// part that is still in memory is sent again sooner than it is asked for.
func (p *payload) resumable() bool { return p.file != nil && p.header.IsSnapshot() }

// verify reads the whole payload and returns the database's position after it. It fails when a checksum is not that of
// the content, or when the LTX file is not exactly as long as the payload.
func (p *payload) verify() (ltx.Pos, error) {
	var r io.Reader = bytes.NewReader(p.memory)
	if p.file != nil {
		const buffer = 256 << 10
		r = bufio.NewReaderSize(io.NewSectionReader(p.file, 0, p.size), int(min(buffer, p.size)))
	}
	dec := ltx.NewDecoder(r)
	if err := dec.Verify(); err != nil {
		return ltx.Pos{}, fmt.Errorf("the frame of %s is corrupt: %w", p.name, err)
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return ltx.Pos{}, fmt.Errorf("the frame of %s is corrupt: there is more after its end (%w)", p.name, err)
	}
	return dec.PostApplyPos(), nil
}

// readAt reads into b what is at off. It returns io.EOF at the payload's end.
func (p *payload) readAt(b []byte, off int64) (int, error) {
	if p.file != nil {
		return p.file.ReadAt(b, off) // unwrapped: io.EOF is the caller's to compare
	}
	if off >= int64(len(p.memory)) {
		return 0, io.EOF
	}
	return copy(b, p.memory[off:]), nil
}

// free gives the space of the bytes before off back to the disk, a step at a time. Where the file system cannot do that
// the whole payload goes at its end.
func (p *payload) free(off int64) {
	if p.file == nil || off-p.freed < step {
		return
	}
	// Control keeps the descriptor this file's while discard closes the file: its number may then be a database's.
	conn, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	_ = conn.Control(func(fd uintptr) { _ = unix.Fallocate(int(fd), hole, p.freed, off-p.freed) })
	p.freed = off
}

// discard removes the payload's file. A file that cannot be removed goes at the next start.
func (p *payload) discard() {
	p.discarded.Do(func() {
		if p.file != nil {
			_ = os.Remove(p.file.Name())
			_ = p.file.Close()
		}
	})
}
