package repo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultDeadline is how long a write may take when its caller sets no deadline:
// longer than an election.
const DefaultDeadline = 30 * time.Second

// Call is a command on its way: what goes over the wire, and the Reply that
// comes back.
type Call struct {
	Name      string          `json:"name"`
	Key       string          `json:"key"`
	Actor     Actor           `json:"actor"`
	Deadline  time.Time       `json:"deadline"` // absolute, UTC
	RequestID string          `json:"request_id,omitempty"`
	Body      json.RawMessage `json:"body"`

	Reply Reply `json:"-"`
}

// Reply is what a carried-out (or replayed) call gives. After a refusal only
// Cursor is set: the newest row that the refusing transaction saw.
type Reply struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Cursor   Cursor          `json:"cursor"`
	Replayed bool            `json:"replayed,omitempty"`
}

// Actor is who acts. Name is "user:ID", "operator" (the command line),
// "system" (the primary's own tasks) or "visitor". Session is the SHA-256 of a
// user's session token, in hex: the primary checks that it still lives.
type Actor struct {
	Name    string `json:"name"`
	Session string `json:"session,omitempty"`
}

// The actors that are no users.
const (
	Operator = "operator"
	System   = "system"
	Visitor  = "visitor"
)

type ctxKey int

const (
	actorKey ctxKey = iota
	requestKey
)

// As returns a context whose writes are made by a.
func As(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, actorKey, a) }

// ActorOf returns the actor of ctx, a visitor when none was set.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey).(Actor); ok {
		return a
	}
	return Actor{Name: Visitor}
}

// WithRequestID returns a context whose calls carry id to the primary's log.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey, id)
}

// RequestID returns the request id of ctx, "" when none was set.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey).(string)
	return id
}

func newCall(ctx context.Context, name string, body []byte) *Call {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(DefaultDeadline)
	}
	return &Call{Name: name, Key: NewKey(), Actor: ActorOf(ctx), Deadline: deadline.UTC(), RequestID: RequestID(ctx), Body: body}
}

// digest tells whether two calls with one key ask for the same. The session is
// not part of it: a retry after signing in again is still the same request.
func digest(name string, actor Actor, canonicalBody []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(name), []byte(actor.Name), canonicalBody} {
		var n [8]byte
		for i := range n {
			n[i] = byte(len(part) >> (8 * i))
		}
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// maxKey is the longest idempotency key, in bytes.
const maxKey = 200

func checkKey(key string) error {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) {
		return InvalidFields(map[string]string{"key": "must be 1 to 200 bytes of printable text"})
	}
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return InvalidFields(map[string]string{"key": "must be 1 to 200 bytes of printable text"})
		}
	}
	return nil
}
