package repo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/transport"
)

// Call is one request to run a command, as it goes over the wire, and its Reply.
type Call struct {
	Name      string          `json:"name"`
	Key       string          `json:"key"`
	Actor     Actor           `json:"actor"`
	Deadline  time.Time       `json:"deadline"` // absolute, UTC
	RequestID string          `json:"request_id,omitempty"`
	Body      json.RawMessage `json:"body"`

	Reply Reply `json:"-"`

	role litefs.State // of this node when it made the newest attempt; Unknown before the first
}

// Reply is the answer to a call that was executed or replayed. After a refusal only
// Cursor, the newest row that the refusing transaction saw, and Assurance are set.
type Reply struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Cursor   Cursor          `json:"cursor"`
	Replayed bool            `json:"replayed,omitempty"`
	// Assurance says how many copies the answer rests on, a refusal's too. It is "" when
	// the answer rests on no row, or comes from an older release.
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

// User returns the user with that id as an actor. session is the SHA-256 of the token of its session, in hex.
func User(id int64, session string) Actor {
	return Actor{Name: userPrefix + strconv.FormatInt(id, 10), Session: session}
}

// UserID returns the id of the user that acts, false when the actor is none.
func (a Actor) UserID() (int64, bool) {
	num, ok := strings.CutPrefix(a.Name, userPrefix)
	id, err := strconv.ParseInt(num, 10, 64)
	return id, ok && err == nil && id > 0
}

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
	return &Call{Name: name, Key: NewKey(), Actor: ActorOf(ctx), Deadline: deadline.UTC(), RequestID: RequestID(ctx),
		Body: body}
}

// digest is equal for two calls with one key exactly if they ask for the same. The session is
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
	maxBody = transport.MaxMessage - 64<<10
)

// check refuses a call that no node would execute. It runs before a call is sent as well:
// a key with a line break must not become a header.
func (c *Call) check() error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if c.Key == "" || len(c.Key) > maxKey || !utf8.ValidString(c.Key) || strings.ContainsFunc(c.Key, hidden) {
		return apperr.InvalidFields(map[string]string{"key": "must be 1 to 200 bytes of printable text"})
	}
	if len(c.Body) > maxBody {
		return errTooLarge()
	}
	return nil
}

func errTooLarge() error {
	return &apperr.Error{Code: apperr.Invalid, Reason: apperr.TooLarge,
		Message: fmt.Sprintf("This is too large: a write has %d bytes at the most.", maxBody)}
}

// signedIn reports whether the actor is a user.
func (a Actor) signedIn() bool { return a.Session != "" || strings.HasPrefix(a.Name, userPrefix) }

// known reports whether the actor is one at all. Any other is refused: an empty name is no operator.
func (a Actor) known() bool {
	_, isUser := a.UserID()
	return isUser || a.Name == Operator || a.Name == System || a.Name == Visitor
}
