package repo

import (
	"context"

	"blog/internal/transport"
)

// maxBodies is how many bytes the bodies of all calls may have together that a node works on
// at once: those of other nodes, of the command line, and of its own pages and tasks.
const maxBodies = 64 << 20

// admitBody counts the body of a call of this node's pages or tasks, and refuses the call when
// there is no room. A body that came in over the private listener was counted there.
func admitBody(b *transport.Bodies) Middleware {
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
