package transport

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"blog/internal/apperr"
)

// Bodies counts the bytes of bodies that are in memory, or about to be. It admits a body
// before it is read: a refused one uses no memory.
type Bodies struct {
	limit atomic.Int64
	held  atomic.Int64
}

// NewBodies returns a count that admits limit bytes at a time.
func NewBodies(limit int64) *Bodies {
	b := new(Bodies)
	b.limit.Store(limit)
	return b
}

// SetLimit changes how many bytes are admitted at a time. Bodies that are admitted stay.
func (b *Bodies) SetLimit(limit int64) { b.limit.Store(limit) }

// Held returns how many bytes are admitted now.
func (b *Bodies) Held() int64 { return b.held.Load() }

// overloadedFor is when to come back to a node that is overloaded.
const overloadedFor = 2 * time.Second

// Admit counts n bytes, and returns a function that ends the count. When the limit does not
// allow them beside those that are admitted, the error is Unavailable with reason Overloaded.
func (b *Bodies) Admit(n int64) (leave func(), err error) {
	if b.held.Add(n) > b.limit.Load() {
		b.held.Add(-n)
		return nil, apperr.NewUnavailable(apperr.Overloaded,
			"This node has more to store than it can hold; nothing was saved. Try again in a moment.", overloadedFor, nil)
	}
	return func() { b.held.Add(-n) }, nil
}

// AdmitRequest is Admit for the body of req, by its Content-Length. At most most bytes of it
// are read; a body of unknown length counts as that many.
func (b *Bodies) AdmitRequest(req *http.Request, most int64) (leave func(), err error) {
	n := req.ContentLength
	if n < 0 || n > most {
		n = most
	}
	return b.Admit(n)
}

// drainLimit is for how long a refused body is read and dropped.
const drainLimit = 5 * time.Second

// RefuseUnread answers with err before the body is read, and then reads the body and drops it:
// a caller that sends all of it before reading the answer would otherwise find the connection
// reset and the answer lost.
func RefuseUnread(w http.ResponseWriter, req *http.Request, err error) {
	control := http.NewResponseController(w)
	// Without full duplex net/http reads the body before it sends the answer. If w supports
	// none of these, the answer only comes later.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(drainLimit))
	if req.ContentLength < 0 || req.ContentLength > MaxMessage {
		w.Header().Set("Connection", "close") // not all of it is read past: nobody may use the connection again
	}
	WriteError(w, err)
	_ = control.Flush()
	_, _ = io.CopyN(io.Discard, req.Body, MaxMessage)
}
