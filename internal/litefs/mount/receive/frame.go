//go:build linux

package receive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/superfly/litefs"
)

// maxText bounds the one text of a frame: the name of a database, which is a file's, or a lease's id. LiteFS's own
// reader allocates whatever length the four bytes before the text say.
const maxText = 4 << 10

// noticePrefix begins the name in a DropDB frame that drops nothing: the rest is a sentence of the primary's for this
// node's log. LiteFS, whose DropDB frames are out of use, does not see it.
const noticePrefix = "\x00notice\x00"

// frame is one frame of the stream, complete. An LTX frame has a payload.
type frame struct {
	head    []byte // as it came: type, fixed fields, text
	name    string // the text, which is the database's name in most
	payload *payload
}

// cost is what the frame counts for in the queue: its bytes, and what holds them.
func (f *frame) cost() int64 {
	const overhead = 128
	n := int64(overhead + len(f.head))
	if f.payload != nil {
		n += f.payload.size
	}
	return n
}

// discard removes the payload.
func (f *frame) discard() {
	if f.payload != nil {
		f.payload.discard()
	}
}

// kind returns the frame's type. A payload follows the head of an LTX frame on the wire.
func (f *frame) kind() litefs.StreamFrameType {
	return litefs.StreamFrameType(binary.BigEndian.Uint32(f.head))
}

// layout returns what follows a frame's type: so many bytes of fixed fields and, if text is true, a text behind its
// length. ok is false for a type that LiteFS does not have.
func layout(t litefs.StreamFrameType) (fixed int, text, ok bool) {
	const number = 8
	switch t {
	case litefs.StreamFrameTypeReady, litefs.StreamFrameTypeEnd:
		return 0, false, true
	case litefs.StreamFrameTypeHeartbeat:
		return number, false, true
	case litefs.StreamFrameTypeDropDB, litefs.StreamFrameTypeHandoff:
		return 0, true, true
	case litefs.StreamFrameTypeLTX, litefs.StreamFrameTypeHWM:
		return number, true, true
	}
	return 0, false, false
}

// readHead reads a frame up to its payload, which it leaves in r. It returns io.EOF where the stream ends between two
// frames, and io.ErrUnexpectedEOF within one.
func readHead(r io.Reader) (*frame, error) {
	const fieldSize = 4 // bytes of a type, and of a length
	head := make([]byte, fieldSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err // unwrapped: LiteFS compares io.EOF
	}
	typ := litefs.StreamFrameType(binary.BigEndian.Uint32(head))
	fixed, text, ok := layout(typ)
	if !ok {
		return nil, fmt.Errorf("the stream has a frame of the unknown type %#x", uint32(typ))
	}
	more := func(n int) error {
		head = append(head, make([]byte, n)...)
		_, err := io.ReadFull(r, head[len(head)-n:])
		return unexpected(err)
	}
	if err := more(fixed); err != nil {
		return nil, err
	}
	f := &frame{head: head}
	if !text {
		return f, nil
	}
	if err := more(fieldSize); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[len(head)-fieldSize:])
	if n > maxText {
		return nil, fmt.Errorf("the stream has a frame with a text of %d bytes: more than %d", n, maxText)
	}
	if err := more(int(n)); err != nil {
		return nil, err
	}
	f.head, f.name = head, string(head[len(head)-int(n):])
	return f, nil
}

// unexpected makes the end of a stream an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunkReader reads a payload from its chunks: each is a length of two bytes, big endian, and so many bytes. A length
// of zero is the payload's end, for which Read returns io.EOF.
type chunkReader struct {
	r     io.Reader
	left  int // bytes of the current chunk
	ended bool
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.ended {
		return 0, io.EOF
	}
	if c.left == 0 {
		var size [2]byte
		if _, err := io.ReadFull(c.r, size[:]); err != nil {
			return 0, unexpected(err)
		}
		if c.left = int(binary.BigEndian.Uint16(size[:])); c.left == 0 {
			c.ended = true
			return 0, io.EOF
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, unexpected(err)
}

// frameReader is a frame as LiteFS reads it. The payload goes from its file into LiteFS's own buffer, and gives the
// disk back as it goes: LiteFS writes a copy at the same time.
type frameReader struct {
	frame *frame
	out   []byte // to be read next
	off   int64  // of the payload
	left  int    // bytes of the current chunk
	ended bool   // out has all that is left
}

func newFrameReader(f *frame) *frameReader {
	return &frameReader{frame: f, out: f.head, ended: f.payload == nil}
}

// Read returns io.EOF at the end of the frame. The payload is discarded with the last byte: LiteFS does not read on
// before it has applied the frame.
func (r *frameReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.left == 0 {
		if r.ended {
			return 0, io.EOF
		}
		const longest = 1<<16 - 1
		r.left = int(min(longest, r.frame.payload.size-r.off))
		r.out, r.ended = binary.BigEndian.AppendUint16(nil, uint16(r.left)), r.left == 0
	}
	if len(r.out) > 0 {
		n := copy(p, r.out)
		if r.out = r.out[n:]; r.ended && len(r.out) == 0 {
			r.frame.discard()
		}
		return n, nil
	}
	n, err := r.frame.payload.readAt(p[:min(len(p), r.left)], r.off)
	r.left -= n
	r.off += int64(n)
	r.frame.payload.free(r.off)
	if err != nil && n == 0 {
		return 0, fmt.Errorf("read a received frame: %w", unexpected(err))
	}
	return n, nil
}
