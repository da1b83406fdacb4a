package repo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
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
// Cursor, the newest row that the refusing transaction saw, and Assurance are set.
type Reply struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Cursor   Cursor          `json:"cursor"`
	Replayed bool            `json:"replayed,omitempty"`
	// Assurance is what the answer rests on, a refusal's too. "" when it rests on
	// no row, or comes from an older release.
	Assurance Assurance `json:"durability,omitempty"`
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

	userPrefix = "user:"
)

type ctxKey int

const (
	actorKey ctxKey = iota
	requestKey
	admittedKey // the body of the call was counted before it was read
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
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // the length keeps the parts apart; a hash gives no error
		h.Write(part)
	}
	return h.Sum(nil)
}

// maxKey is the longest idempotency key, and maxBody the longest body of a
// command, in bytes: a media chunk in base64 and the longest post fit.
const (
	maxKey  = 200
	maxBody = 4 << 20
)

// check refuses what no node would carry out. It runs before a call travels too:
// a key with a line break must not become a header.
func (c *Call) check() error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if c.Key == "" || len(c.Key) > maxKey || !utf8.ValidString(c.Key) || strings.ContainsFunc(c.Key, hidden) {
		return InvalidFields(map[string]string{"key": "must be 1 to 200 bytes of printable text"})
	}
	if len(c.Body) > maxBody {
		return errTooLarge()
	}
	return nil
}

func errTooLarge() error {
	return &Error{Code: Invalid, Reason: TooLarge, Message: fmt.Sprintf("This is too large: a write has %d bytes at the most.", maxBody)}
}

// signedIn reports whether the actor is a user, and known whether it is an actor
// at all: what is neither is refused, so that an empty name is no operator.
func (a Actor) signedIn() bool { return a.Session != "" || strings.HasPrefix(a.Name, userPrefix) }

func (a Actor) known() bool {
	return strings.HasPrefix(a.Name, userPrefix) || a.Name == Operator || a.Name == System || a.Name == Visitor
}
