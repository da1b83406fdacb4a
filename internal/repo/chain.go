package repo

import "context"

// Handler executes a call and sets its Reply.
type Handler func(ctx context.Context, call *Call) error

// Middleware wraps a handler. The chain of a node is
// [limits, logging, ...] -> admitBody -> Await -> Forward -> super. A call that a primary
// receives over the wire enters at super, so it is never forwarded twice.
type Middleware func(next Handler) Handler

// chain returns last wrapped in all of ms, the first of them outermost.
func chain(last Handler, ms ...Middleware) Handler {
	for i := len(ms) - 1; i >= 0; i-- {
		last = ms[i](last)
	}
	return last
}

// Await holds an answer back until this node's feed has the write's row, so that the caller's
// next read here shows it. A refusal waits too, for the newest row that it rests on: the page
// that reports a conflict shows the version that it is a conflict with. See wait.go for the limit.
func Await(f *Feed) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			err := next(ctx, call)
			if !call.Reply.Cursor.Zero() {
				f.WaitWithin(ctx, ReadableWithin, call.Reply.Cursor)
			}
			return err
		}
	}
}
