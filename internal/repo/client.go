package repo

import (
	"context"
	"errors"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/backoff"
	"blog/internal/transport"
)

// Client is the Writer of the command line: it sends calls to the private listener of
// this machine's server, which sends them down its chain.
type Client struct {
	base      string
	transport *transport.Client
}

// NewClient returns a client of the private listener at base, such as
// http://127.0.0.1:4001.
func NewClient(base string, t *transport.Client) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), transport: t}
}

// Call sends call to the server. When nothing listens there the error is Unavailable with
// reason NoServer. When an answer was lost Call sends the call again, with the same key, until
// the deadline; then the reason is OutcomeUnknown.
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
		err := Send(ctx, c.transport, c.base, PathCall, call)
		switch {
		case apperr.HasReason(err, apperr.OutcomeUnknown):
			unknown = err
		case unknown != nil && apperr.From(err).Code == apperr.Unavailable:
			// Such as from a server that is starting again: it says nothing about
			// what the server has done with the call before.
		case errors.Is(err, transport.ErrNotSent) && ctx.Err() == nil:
			return fail(atServer, err, call.Key, c.base)
		default:
			return err
		}
		pause(ctx, pauses.Next(), nil)
		if ctx.Err() != nil || time.Now().After(call.Deadline) {
			return fail(atServer, unknown, call.Key)
		}
	}
}
