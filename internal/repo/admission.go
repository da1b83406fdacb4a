package repo

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// maxBodies is how many bytes the bodies of all calls may have that a node works on at
// once: what other nodes and the command line send it, and what its own pages ask.
const maxBodies = 64 << 20

// Bodies counts the bytes of bodies that are in memory, or about to be. It admits them
// before they are read: what is refused costs no memory.
type Bodies struct {
	limit int64
	held  atomic.Int64
}

// NewBodies returns a count that admits limit bytes at a time.
func NewBodies(limit int64) *Bodies { return &Bodies{limit: limit} }

// Admit counts n bytes in, and returns what counts them out again. Where they are too
// many beside those that are in, the error is Unavailable with reason Overloaded.
func (b *Bodies) Admit(n int64) (leave func(), err error) {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return nil, unavailable(Overloaded, "This node has more to store than it can hold; nothing was saved. Try again in a moment.", overloadedFor, nil)
	}
	return func() { b.held.Add(-n) }, nil
}

// overloadedFor is when to come back to a node that is overloaded.
const overloadedFor = 2 * time.Second

// AdmitRequest is Admit for the body of req by its Content-Length, of which at most most
// bytes are read. One whose length is unknown counts with all of these.
func (b *Bodies) AdmitRequest(req *http.Request, most int64) (leave func(), err error) {
	n := req.ContentLength
	if n < 0 || n > most {
		n = most
	}
	return b.Admit(n)
}

// admitBody counts the body of a call that this node's own pages or tasks ask. One that
// came in over the private listener was counted there.
func admitBody(b *Bodies) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			if ctx.Value(admittedKey) != nil {
				return next(ctx, call)
			}
			leave, err := b.Admit(int64(len(call.Body)))
			if err != nil {
				return err
			}
			defer leave()
			return next(ctx, call)
		}
	}
}

// drainLimit is how long a refused body is read past.
const drainLimit = 5 * time.Second

// refuseUnread answers with err before the body is read, and then reads past it: a caller
// who sends all of it before reading the answer would else find the connection reset and
// the answer gone. The bytes are not kept.
func refuseUnread(w http.ResponseWriter, req *http.Request, err error) {
	control := http.NewResponseController(w)
	// Without full duplex net/http reads the body before it sends the answer. Where w
	// knows none of these the answer is only later.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(drainLimit))
	if req.ContentLength < 0 || req.ContentLength > maxWire {
		w.Header().Set("Connection", "close") // not all of it is read past: nobody may use the connection again
	}
	WriteReply(w, Reply{}, err)
	_ = control.Flush()
	_, _ = io.CopyN(io.Discard, req.Body, maxWire)
}
