//go:build linux

package receive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

var _ litefs.Stream = (*stream)(nil)

// stream is the primary's stream as LiteFS reads it. A goroutine receives frames from the network; Read hands over
// those that are complete. Close may be called while Read waits.
type stream struct {
	client    *Client
	clusterID string
	cancel    context.CancelFunc
	detach    func() bool // from the context's end
	body      io.ReadCloser
	queue     *queue
	current   *frameReader  // only Read's; nil between frames
	ended     chan struct{} // closed when the goroutine has ended

	// What follows is the goroutine's.
	positions map[string]ltx.Pos // of the replica once it has applied what has been received
	resumed   *partial           // the primary goes on with this image
	buf       []byte
}

// start begins to receive from body, until Close or until ctx ends.
func (s *stream) start(ctx context.Context, body io.ReadCloser) {
	const buffer = 64 << 10
	s.body, s.ended, s.buf = body, make(chan struct{}), make([]byte, buffer)
	s.detach = context.AfterFunc(ctx, s.queue.close)
	go func() {
		defer close(s.ended)
		err := s.receive(bufio.NewReaderSize(body, buffer))
		s.client.retainPartial(s.resumed)
		s.queue.end(err)
	}()
}

// ClusterID implements litefs.Stream.
func (s *stream) ClusterID() string { return s.clusterID }

// Read implements io.Reader. It returns the bytes of complete frames, and after the last of them io.EOF, if the stream
// ended between two frames, or the reason why there are no more.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.current == nil {
			f, err := s.queue.next()
			if err != nil {
				return 0, err
			}
			s.current = newFrameReader(f)
		}
		n, err := s.current.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		s.current = nil
	}
}

// Close ends the stream, waits for its goroutine and removes its files. An image that has arrived in part stays for the
// client's next stream.
func (s *stream) Close() error {
	s.detach()
	s.queue.close()
	s.cancel()
	err := s.body.Close()
	<-s.ended
	if err != nil {
		return fmt.Errorf("close the stream: %w", err)
	}
	return nil
}

// receive puts frames into the queue until the stream ends. It never returns nil.
func (s *stream) receive(r io.Reader) error {
	for s.queue.awaitRoom() {
		f, err := readHead(r)
		if err != nil {
			return err
		}
		switch notice, isNotice := strings.CutPrefix(f.name, noticePrefix); {
		case f.kind() == litefs.StreamFrameTypeLTX:
			if f.payload, err = s.receivePayload(r, f.name); err != nil {
				return err
			}
		case f.kind() == litefs.StreamFrameTypeDropDB && isNotice:
			s.client.log.Warn("the primary says why replication waits", "reason", notice)
			continue
		}
		s.queue.put(f)
	}
	return context.Canceled
}

// receivePayload returns a payload that is complete and verified. When the connection breaks within an image, the image
// stays for the next stream.
func (s *stream) receivePayload(r io.Reader, name string) (*payload, error) {
	p := &payload{spool: s.client.spool, name: name}
	if s.resumed != nil && s.resumed.name == name {
		p, s.resumed = s.resumed.payload, nil
	}
	for in := (&chunkReader{r: r}); !in.ended; {
		n, broken := in.Read(s.buf)
		if err := p.write(s.buf[:n]); err != nil {
			p.discard()
			return nil, err
		}
		switch {
		case broken == nil || in.ended:
		case p.resumable():
			s.client.retainPartial(&partial{name: name, position: s.positions[name], payload: p})
			return nil, fmt.Errorf("the stream broke after %d bytes of an image of %s: %w", p.size, name, broken)
		default:
			p.discard()
			return nil, fmt.Errorf("the stream broke within a frame of %s: %w", name, broken)
		}
	}
	pos, err := p.verify()
	if err != nil {
		p.discard()
		return nil, err
	}
	s.positions[name] = pos
	return p, nil
}
