package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"blog/internal/backoff"
)

// Client is the Writer of the command line: it hands calls to the private
// listener of this machine's server, which sends them down its own chain.
type Client struct {
	base      string
	transport *Transport
}

// NewClient returns a client of the private listener at base, such as
// http://127.0.0.1:4001.
func NewClient(base string, t *Transport) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), transport: t}
}

// maxGrace is how much longer than the server a client waits: the server's "no
// primary could take this" comes at the deadline and has to travel.
const maxGrace = time.Second

// Call carries call to the server. When nothing listens there the error is
// Unavailable with reason NoServer. When an answer was lost it asks again with
// the same key until the deadline, then says OutcomeUnknown.
func (c *Client) Call(ctx context.Context, call *Call) error {
	if limit, ok := ctx.Deadline(); ok && !limit.After(call.Deadline) {
		call.Deadline = limit.Add(-min(maxGrace, time.Until(limit)/10)).UTC()
	}
	ctx, cancel := context.WithDeadline(ctx, call.Deadline.Add(maxGrace))
	defer cancel()
	var unknown error
	pauses := backoff.New(firstPause, lastPause)
	for {
		call.Reply = Reply{}
		err := c.transport.Send(ctx, c.base, PathCall, call)
		switch {
		case HasReason(err, OutcomeUnknown):
			unknown = err
		case unknown != nil && AsError(err).Code == Unavailable:
			// Such as a server that is starting again: it says nothing about
			// what it did with the call before.
		case errors.Is(err, errNotSent) && ctx.Err() == nil:
			return unavailable(NoServer, fmt.Sprintf("No server answers at %s: start it with `blog serve`.", c.base), time.Second, err)
		default:
			return err
		}
		rest(ctx, pauses.Next(), nil)
		if ctx.Err() != nil || time.Now().After(call.Deadline) {
			return &Error{
				Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 5, cause: unknown,
				Message: "The server did not answer in time, so it is not known whether this was saved. Ask again with the same key: it is carried out once at the most.",
			}
		}
	}
}
