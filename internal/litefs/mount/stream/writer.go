//go:build linux

package stream

import (
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/superfly/litefs"
)

// pieceSize is the most that is handed to the connection in one call, so that a slow follower makes progress within
// stallLimit. It is HTTP/2's usual frame.
const pieceSize = 16 << 10

var errStalled = errors.New("the follower has taken no byte within the limit")

// writer writes frames to one follower. A write fails with errStalled when the follower takes nothing of it for limit.
// Its methods are called from one goroutine, but for abort.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	timer   *time.Timer
	stalled atomic.Bool
	written atomic.Int64
	inFrame bool // the frame that was begun is not complete: nothing else may be written but its rest

	mu    sync.Mutex
	ended bool // the handler returns: its ResponseWriter must not be used any more
}

func newWriter(w http.ResponseWriter, limit time.Duration) *writer {
	o := &writer{w: w, control: http.NewResponseController(w), limit: limit}
	o.timer = time.AfterFunc(limit, func() {
		o.stalled.Store(true)
		o.abort()
	})
	o.timer.Stop()
	return o
}

// abort resets the stream, so that a write that waits for the follower returns. A write that waits for the socket
// itself returns when the server's limit closes the connection.
func (o *writer) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		_ = o.control.SetWriteDeadline(time.Unix(1, 0)) // HTTP/2 supports it
	}
}

// close makes the timer and abort do nothing any more.
func (o *writer) close() {
	o.timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
}

// Write implements io.Writer.
func (o *writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), pieceSize)]
		o.timer.Reset(o.limit)
		m, err := o.w.Write(piece)
		o.timer.Stop()
		n += m
		o.written.Add(int64(m))
		if err != nil {
			return n, o.cause(err)
		}
		p = p[len(piece):]
	}
	return n, nil
}

// flush hands everything that was written to the connection.
func (o *writer) flush() error {
	o.timer.Reset(o.limit)
	defer o.timer.Stop()
	return o.cause(o.control.Flush())
}

func (o *writer) cause(err error) error {
	if err != nil && o.stalled.Load() {
		return errStalled
	}
	return err
}

// frame writes one whole frame and flushes it.
func (o *writer) frame(f litefs.StreamFrame) error {
	o.inFrame = true
	if err := litefs.WriteStreamFrame(o, f); err != nil {
		return o.cause(err)
	}
	o.inFrame = false
	return o.flush()
}

// begin writes the head of the frame that brings an LTX file of the database. The file's bytes are written to what it
// returns, whose Close ends the frame.
func (o *writer) begin(name string) (*chunkWriter, error) {
	o.inFrame = true
	if err := litefs.WriteStreamFrame(o, &litefs.LTXStreamFrame{Name: name}); err != nil {
		return nil, o.cause(err)
	}
	return &chunkWriter{out: o, buf: make([]byte, chunkHead, pieceSize)}, nil
}

// chunkHead is the length of a chunk's head: the size of what follows, as a big-endian number. 0 ends the frame
// (LiteFS's internal/chunk).
const chunkHead = 2

// chunkWriter writes the bytes of an LTX file in chunks that fill a piece each.
type chunkWriter struct {
	out *writer
	buf []byte // head and data of the next chunk
}

// Write implements io.Writer.
func (c *chunkWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		m := min(len(p), cap(c.buf)-len(c.buf))
		c.buf = append(c.buf, p[:m]...)
		if p, n = p[m:], n+m; len(c.buf) == cap(c.buf) {
			if err := c.send(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (c *chunkWriter) send() error {
	size := len(c.buf) - chunkHead
	if size == 0 {
		return nil
	}
	binary.BigEndian.PutUint16(c.buf, uint16(size)) // #nosec G115 -- a piece is shorter than 64 KiB
	_, err := c.out.Write(c.buf)
	c.buf = c.buf[:chunkHead]
	return err
}

// Close writes what is left and ends the frame. It does not flush.
func (c *chunkWriter) Close() error {
	if err := c.send(); err != nil {
		return err
	}
	if _, err := c.out.Write(make([]byte, chunkHead)); err != nil {
		return err
	}
	c.out.inFrame = false
	return nil
}
