package repo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"reflect"
)

// Command is one write. The struct is its wire form: exported fields with json
// tags, decoded strictly. New fields are added with omitempty, so that a key
// used before an upgrade keeps its digest after it.
type Command[R any] interface {
	// Name is "noun.verb", never renamed once released.
	Name() string
	// Apply changes the database and returns a small result: ids, a slug, a
	// revision. It runs SQL only: no network, no clock but tx.Now(). It may run more
	// than once, each time after the time before was rolled back. It checks
	// everything that decides the write: what the caller has read may be stale.
	Apply(ctx context.Context, tx *Tx) (R, error)
}

// Preparer is a command with slow work (rendering, hashing) that must be done on
// the primary, but before the transaction has its lock. Prepare returns the command
// to apply, usually itself with unexported fields filled. It reads by way of v, each
// time in a short transaction, and computes outside of these. What it has read may be
// stale when Apply runs; an Apply that cannot use it returns Tx.PrepareAgain.
type Preparer[R any] interface {
	Prepare(ctx context.Context, v Viewer) (Command[R], error)
}

// Public marks a command that a visitor may run, such as a login. All others need a
// user, the operator or the system.
type Public interface{ Public() }

// Bulk marks a command that comes in great numbers, such as a piece of a picture. When other commands wait as well,
// bulk ones get at most half of each batch.
type Bulk interface{ Bulk() }

// Registry has the commands of this release by name. It is built once, in main, and
// does not change afterwards.
type Registry struct{ byName map[string]entry }

type entry struct {
	public bool
	slow   bool // it has a Prepare
	bulk   bool
	// decode decodes strictly. Each call of it gives a command that shares nothing with another one.
	decode func(body []byte) (decoded, error)
}

// decoded is a command as it came.
type decoded interface {
	// canonical encodes it again: equal content, equal bytes.
	canonical() ([]byte, error)
	// prepare runs its Prepare, if it has one. It is called once.
	prepare(ctx context.Context, v Viewer) (applier, error)
}

// applier runs a decoded, prepared command and returns its encoded result.
type applier func(ctx context.Context, tx *Tx) (json.RawMessage, error)

// Registration is one command for NewRegistry, made by Register.
type Registration func(*Registry) error

// Register returns the registration of the command type C with result R.
func Register[C Command[R], R any]() Registration {
	return func(g *Registry) error {
		var zero C
		name := zero.Name()
		if _, dup := g.byName[name]; dup {
			return fmt.Errorf("command %s registered twice", name)
		}
		_, public := any(zero).(Public)
		_, slow := any(zero).(Preparer[R])
		if _, named := reflect.TypeFor[C]().MethodByName("Prepare"); named && !slow {
			return fmt.Errorf("command %s has a Prepare that is not a Preparer's: it would never be called", name)
		}
		_, bulk := any(zero).(Bulk)
		g.byName[name] = entry{public: public, slow: slow, bulk: bulk, decode: decodeCommand[C, R]}
		return nil
	}
}

// NewRegistry returns the registry of all the given registrations. Two commands
// with one name are an error.
func NewRegistry(groups ...[]Registration) (*Registry, error) {
	g := &Registry{byName: map[string]entry{}}
	for _, group := range groups {
		for _, reg := range group {
			if err := reg(g); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// Names returns the names of all registered commands, in no order.
func (g *Registry) Names() []string {
	names := make([]string, 0, len(g.byName))
	for n := range g.byName {
		names = append(names, n)
	}
	return names
}

// Digest returns what the row of call's write stores of its content: the SHA-256 of name, actor and canonical body. It
// fails when this release does not know the command, or the body is not exactly the command's.
func (g *Registry) Digest(call *Call) ([]byte, error) {
	command, ok := g.byName[call.Name]
	if !ok {
		return nil, fail(atStart, errNoCommand, "", call.Name)
	}
	content, err := command.decode(call.Body)
	if err != nil {
		return nil, err
	}
	return call.digest(content)
}

// digest returns what Registry.Digest does, of the command that call's body was decoded to.
func (c *Call) digest(command decoded) ([]byte, error) {
	body, err := command.canonical()
	if err != nil {
		return nil, err
	}
	return digest(c.Name, c.Actor, body), nil
}

// typed is a decoded command with its types.
type typed[C Command[R], R any] struct{ command C }

func decodeCommand[C Command[R], R any](body []byte) (decoded, error) {
	c, err := decode[C](body)
	return typed[C, R]{c}, err
}

func (t typed[C, R]) canonical() ([]byte, error) { return json.Marshal(t.command) }

func (t typed[C, R]) prepare(ctx context.Context, v Viewer) (applier, error) {
	var cmd Command[R] = t.command
	if p, ok := cmd.(Preparer[R]); ok {
		var err error
		if cmd, err = p.Prepare(ctx, v); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *Tx) (json.RawMessage, error) {
		r, err := cmd.Apply(ctx, tx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(r)
	}, nil
}

// Option changes one write.
type Option func(*Call)

// WithKey sets the idempotency key: a write with the same key and the same content is
// executed once in 30 days, however often it is sent. Without it each write gets a
// random key.
func WithKey(key string) Option {
	return func(c *Call) {
		if key != "" {
			c.Key = key
		}
	}
}

// Receipt is the place of a write in the history.
type Receipt struct {
	Seq      int64  `json:"seq"`
	Cursor   Cursor `json:"cursor"`
	Key      string `json:"key"`
	Replayed bool   `json:"replayed"` // the key had a row already, and nothing was done again
	// Assurance says how many copies the answer rests on.
	Assurance Assurance `json:"durability,omitempty"`
}

// Writer brings a call to the node that executes it, and sets its Reply.
type Writer interface {
	Call(ctx context.Context, call *Call) error
}

// Write runs cmd exactly once on the primary, wherever that is, and returns its
// result when this node's copy has it, or ReadableWithin later. The error wraps an
// *apperr.Error, equal on whatever node the call was made. The deadline is that of ctx,
// DefaultDeadline without one; the actor is that of ctx (As).
func Write[R any](ctx context.Context, w Writer, cmd Command[R], opts ...Option) (R, error) {
	r, _, err := Do(ctx, w, cmd, opts...)
	return r, err
}

// Do is Write that returns the receipt as well. With an error the receipt has the key
// of the call, to send it again with.
func Do[R any](ctx context.Context, w Writer, cmd Command[R], opts ...Option) (R, Receipt, error) {
	var result R
	if err := checkText(cmd); err != nil {
		return result, Receipt{}, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	body, err := json.Marshal(cmd)
	if err != nil {
		return result, Receipt{}, fmt.Errorf("encode %s: %w", cmd.Name(), err)
	}
	call := newCall(ctx, cmd.Name(), body)
	for _, o := range opts {
		o(call)
	}
	err = w.Call(ctx, call)
	reply := call.Reply
	receipt := Receipt{Seq: reply.Cursor.Seq, Cursor: reply.Cursor, Key: call.Key, Replayed: reply.Replayed,
		Assurance: reply.Assurance}
	if err != nil {
		return result, receipt, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	if err := json.Unmarshal(call.Reply.Result, &result); err != nil {
		return result, receipt, fmt.Errorf("decode result of %s as %s: %w", cmd.Name(), reflect.TypeFor[R](), err)
	}
	return result, receipt, nil
}

// MustWrite is Write for tests and scripts: it panics when Write fails.
func MustWrite[R any](ctx context.Context, w Writer, cmd Command[R], opts ...Option) R {
	r, err := Write(ctx, w, cmd, opts...)
	if err != nil {
		panic(err)
	}
	return r
}

// NewKey returns a fresh idempotency key of 128 random bits.
func NewKey() string { return rand.Text() }
