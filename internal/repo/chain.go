package repo

import (
	"context"
	"time"
)

// Handler carries out a call and sets its Reply.
type Handler func(ctx context.Context, call *Call) error

// Middleware wraps a handler. The chain of a node is
// [limits, logging, ...] -> admitBody -> Await -> Forward -> super; what a primary receives
// over the wire enters at super and is therefore never forwarded twice.
type Middleware func(next Handler) Handler

// chain puts the first middleware outermost.
func chain(last Handler, ms ...Middleware) Handler {
	for i := len(ms) - 1; i >= 0; i-- {
		last = ms[i](last)
	}
	return last
}

// readableWithin bounds the wait for the own copy after a write. The write is
// done by then: past the bound the answer is given anyway, and the reader's
// cookie makes the next request wait.
const readableWithin = 2 * time.Second

// Await holds an answer back until this node's feed has taken in the write's
// row, so that what the caller reads next here shows it. A refusal waits too, for
// the newest row that it rests on: who is told of a conflict is shown the version
// that it is a conflict with.
func Await(f *Feed) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			err := next(ctx, call)
			if !call.Reply.Cursor.Zero() {
				wait, cancel := context.WithTimeout(ctx, readableWithin)
				defer cancel()
				f.Wait(wait, call.Reply.Cursor)
			}
			return err
		}
	}
}
