//go:build linux

package receive

import (
	"net"
	"sync"
)

// maxWaiting limits the bytes of the frames that wait for LiteFS. While more wait nothing is read from the network, and
// the primary's writes wait as well once the buffers of the connection are full. The limit is small because LiteFS
// applies what waits before it notices that the primary has ended.
const maxWaiting = 4 << 20

// queue hands complete frames from the goroutine that receives them to LiteFS, in order.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []*frame
	bytes   int64  // of waiting
	current *frame // what LiteFS reads
	err     error  // why there is no frame after those that wait
}

func newQueue() *queue {
	q := &queue{}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// awaitRoom waits until another frame may be received. It returns false when the queue is closed.
func (q *queue) awaitRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes >= maxWaiting && q.err == nil {
		q.changed.Wait()
	}
	return q.err == nil
}

// put appends f, or discards it when the queue is closed.
func (q *queue) put(f *frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		f.discard()
		return
	}
	q.waiting = append(q.waiting, f)
	q.bytes += f.cost()
	q.changed.Broadcast()
}

// next waits for a frame and returns it. It returns what end was given once no frame waits.
func (q *queue) next() (*frame, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && q.err == nil {
		q.changed.Wait()
	}
	if len(q.waiting) == 0 {
		return nil, q.err
	}
	f := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	q.bytes -= f.cost()
	q.current = f
	q.changed.Broadcast()
	return f, nil
}

// end says that no frame comes any more, and why.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.changed.Broadcast()
}

// close ends the queue and discards its frames, the one that LiteFS reads included.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.waiting {
		f.discard()
	}
	if q.current != nil {
		q.current.discard()
	}
	q.waiting, q.bytes, q.current, q.err = nil, 0, nil, net.ErrClosed
	q.changed.Broadcast()
}
