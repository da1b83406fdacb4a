package repo

import (
	"context"
	"log/slog"
	"time"

	"blog/internal/backoff"
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
	// afterChange is how long calls that have waited for a primary are spread over when
	// there is one: it would else get those of all nodes in the same moment.
	afterChange = 100 * time.Millisecond
)

func (f *forwarding) run(ctx context.Context, call *Call) error {
	pauses := backoff.New(firstPause, lastPause)
	for {
		changed := f.node.Changed()
		err := f.attempt(ctx, call, f.node.Role())
		if !again(err) {
			return f.settle(call, err)
		}
		f.last = err
		if HasReason(err, OutcomeUnknown) {
			f.unknown = err
		}
		if rest(ctx, pauses.Next(), changed) {
			pauses.Reset()
			rest(ctx, backoff.Spread(afterChange, nil), nil)
		}
		if ctx.Err() != nil {
			return f.gaveUp(call)
		}
	}
}

// rest waits for pause, and less when ctx ends or early is closed, and reports
// the latter.
func rest(ctx context.Context, pause time.Duration, early <-chan struct{}) bool {
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-early:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// again reports the errors after which the same call is sent once more: nothing
// was done and soon may be, or nobody knows.
func again(err error) bool {
	for _, reason := range []string{WrongPrimary, NoPrimary, NotNow, Busy, OutcomeUnknown} {
		if HasReason(err, reason) {
			return true
		}
	}
	return false
}

// settle gives the last word of the primary. After an attempt whose outcome is
// unknown only a command's own answer is one: "I do not know this command", or
// "your deadline is past", says nothing about what the attempt before has done.
func (f *forwarding) settle(call *Call, err error) error {
	if err == nil {
		return nil
	}
	e := AsError(err)
	if f.unknown != nil && (e.Code == Unavailable || e.Code == Internal || e.Reason == BadSecret) {
		f.last = err
		return f.gaveUp(call)
	}
	if e.Reason == BadSecret {
		// It is this node that was refused, not the one who is signed in here.
		f.log.Error("the primary refuses this node's CLUSTER_SECRET", "primary", f.node.Role().URL)
		return unavailable(BadSecret, "This node and the primary do not trust each other; nothing was saved. Their operator has to set the same CLUSTER_SECRET on both.", 30*time.Second, err)
	}
	return err
}

func (f *forwarding) attempt(ctx context.Context, call *Call, role litefs.Role) error {
	switch role.State {
	case litefs.Primary:
		return f.next(ctx, call)
	case litefs.Replica:
		err := f.send(ctx, role, role.URL, call)
		// A refusal that names the primary is followed once; if that one is not
		// it either, this node's own events have to say who is.
		if e := AsError(err); err != nil && e.Reason == WrongPrimary && e.Primary != "" && e.Primary != role.URL {
			return f.send(ctx, role, e.Primary, call)
		}
		return err
	}
	return unavailable(NoPrimary, "No primary is known.", lastPause, nil)
}

// send ends an attempt early when another node than url becomes primary under
// it: a frozen one would else hold the call until its deadline. from is the role
// that led to url.
func (f *forwarding) send(ctx context.Context, from litefs.Role, url string, call *Call) error {
	actx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			changed := f.node.Changed()
			if role := f.node.Role(); role != from && role.State != litefs.Unknown && role.URL != url {
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
	call.Reply = Reply{}
	if f.unknown != nil {
		why := "The primary did not answer in time"
		if HasReason(f.last, DiskFull) {
			why = "The primary's disk is full"
		}
		return &Error{
			Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 5, cause: f.unknown,
			Message: why + ", so it is not known whether this was saved. Ask again with the same key: it is carried out once at the most.",
		}
	}
	e := AsError(f.last)
	return &Error{
		Code: Unavailable, Reason: NoPrimary, Key: call.Key, RetryAfter: 5, cause: f.last,
		Message: "No primary could take this in time; nothing was saved. Try again in a moment. (" + e.Message + ")",
	}
}
