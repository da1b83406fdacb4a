package repo

import (
	"context"
	"log/slog"
	"time"

	"blog/internal/apperr"
	"blog/internal/backoff"
	"blog/internal/litefs"
	"blog/internal/transport"
)

// Forward sends a call to the primary: to next when this node is the primary, and to the
// private listener of another node when that is. When no primary is known it waits for one,
// until the call's deadline. It sends the call again, with the same key, when nothing was done
// or the outcome is not known (see rules); the key makes that safe.
func Forward(node Node, t *transport.Client, log *slog.Logger) Middleware {
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
	transport *transport.Client
	log       *slog.Logger
	next      Handler
	unknown   error // the last attempt whose outcome is not known
	last      error
}

// Pauses between attempts, when no change of role ends them earlier.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = time.Second
	// afterChange is the time over which calls that waited for a primary are spread when
	// there is one. Without it the primary would get those of all nodes at the same moment.
	afterChange = 100 * time.Millisecond
)

func (f *forwarding) run(ctx context.Context, call *Call) error {
	pauses := backoff.New(firstPause, lastPause)
	for {
		changed := f.node.Changed()
		err := f.attempt(ctx, call, f.node.Role())
		if !isAskedAgain(err) {
			return f.finish(call, err)
		}
		f.last = err
		if apperr.HasReason(err, apperr.OutcomeUnknown) {
			f.unknown = err
		}
		if pause(ctx, pauses.Next(), changed) {
			pauses.Reset()
			pause(ctx, backoff.Spread(afterChange, nil), nil)
		}
		if ctx.Err() != nil {
			return f.giveUp(call)
		}
	}
}

// pause waits for d, or until ctx ends or early is closed. It reports whether early was closed.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-early:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// finish returns what the primary's answer err is to the caller. After an attempt whose outcome
// is not known only a definite answer counts: "this release does not know the command", or "the
// deadline is past", says nothing about what the attempt before has done.
func (f *forwarding) finish(call *Call, err error) error {
	if err == nil {
		return nil
	}
	refusedHere := apperr.HasReason(err, apperr.BadSecret) // this node, and not who is signed in at it
	if f.unknown != nil && (refusedHere || !isDefinite(err)) {
		f.last = err
		return f.giveUp(call)
	}
	if refusedHere {
		f.log.Error("the primary refuses this node's CLUSTER_SECRET", "primary", f.node.Role().URL)
		return fail(atSend, err, call.Key)
	}
	return err
}

func (f *forwarding) attempt(ctx context.Context, call *Call, role litefs.Role) error {
	call.role = role.State
	switch role.State {
	case litefs.Primary:
		return f.next(ctx, call)
	case litefs.Replica:
		err := f.send(ctx, role, role.URL, call)
		// A refusal that names the primary is followed once. If that node is not the
		// primary either, this node's events have to say who is.
		if e := apperr.From(err); err != nil && e.Reason == apperr.WrongPrimary && e.Primary != "" && e.Primary != role.URL {
			return f.send(ctx, role, e.Primary, call)
		}
		return err
	}
	return fail(atSend, errNoPrimary, call.Key)
}

// send makes one attempt at url, and ends it early when another node becomes primary: a frozen
// primary would otherwise hold the call until its deadline. from is the role that named url.
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
	return Send(actx, f.transport, url, PathSuper, call)
}

// giveUp returns the answer for when no further attempt is made.
func (f *forwarding) giveUp(call *Call) error {
	call.Reply = Reply{}
	if f.unknown != nil {
		return apperr.From(fail(afterUnknown, f.last, call.Key)).WithCause(f.unknown)
	}
	return fail(atDeadline, f.last, call.Key, apperr.From(f.last).Message)
}
