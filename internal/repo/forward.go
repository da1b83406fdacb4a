package repo

import (
	"context"
	"log/slog"
	"time"

	"blog/internal/litefs"
)

// Forward carries a call to the primary, wherever that is: to next when this
// node is it, over the private listener when another is, and by waiting within
// the call's deadline when nobody is. It asks again, with the same key, whenever
// nothing was done or it is not known whether it was; the key makes that safe.
func Forward(node Node, t *Transport, log *slog.Logger) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			ctx, cancel := context.WithDeadline(ctx, call.Deadline)
			defer cancel()
			f := &forwarding{node: node, transport: t, log: log, next: next}
			return f.run(ctx, call)
		}
	}
}

type forwarding struct {
	node      Node
	transport *Transport
	log       *slog.Logger
	next      Handler
	unknown   error // the last attempt whose outcome is not known
	last      error
}

// Pauses between attempts, when no change of role ends them earlier.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = time.Second
)

func (f *forwarding) run(ctx context.Context, call *Call) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		changed := f.node.Changed()
		err := f.attempt(ctx, call, f.node.Role())
		if !again(err) {
			return err
		}
		f.last = err
		if HasReason(err, OutcomeUnknown) {
			f.unknown = err
		}
		wait := time.NewTimer(pause)
		select {
		case <-changed:
			pause = firstPause
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return f.gaveUp(call)
		}
		wait.Stop()
	}
}

// again reports the errors after which the same call is sent once more.
func again(err error) bool {
	for _, reason := range []string{WrongPrimary, NoPrimary, NotNow, OutcomeUnknown} {
		if HasReason(err, reason) {
			return true
		}
	}
	return false
}

func (f *forwarding) attempt(ctx context.Context, call *Call, role litefs.Role) error {
	switch role.State {
	case litefs.Primary:
		return f.next(ctx, call)
	case litefs.Replica:
		err := f.send(ctx, role.URL, call)
		// A refusal that names the primary is followed once; if that one is not
		// it either, this node's own events have to say who is.
		if e := AsError(err); err != nil && e.Reason == WrongPrimary && e.Primary != "" && e.Primary != role.URL {
			return f.send(ctx, e.Primary, call)
		}
		return err
	}
	return unavailable(NoPrimary, "No primary is known.", lastPause, nil)
}

// send ends an attempt early when the role changes under it: a frozen primary
// would else hold the call until its deadline.
func (f *forwarding) send(ctx context.Context, url string, call *Call) error {
	actx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			changed := f.node.Changed()
			if role := f.node.Role(); role.State == litefs.Primary || (role.State == litefs.Replica && role.URL != url) {
				cancel()
			}
			select {
			case <-changed:
			case <-actx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-gone }()
	return f.transport.Send(actx, url, PathSuper, call)
}

func (f *forwarding) gaveUp(call *Call) error {
	if f.unknown != nil {
		return &Error{
			Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 5, cause: f.unknown,
			Message: "The primary did not answer in time, so it is not known whether this was saved. Ask again with the same key: it is carried out once at the most.",
		}
	}
	e := AsError(f.last)
	return &Error{
		Code: Unavailable, Reason: NoPrimary, Key: call.Key, RetryAfter: 5, cause: f.last,
		Message: "No primary could take this in time; nothing was saved. Try again in a moment. (" + e.Message + ")",
	}
}
