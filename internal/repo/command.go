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
	// Apply changes the database and returns what is small: ids, a slug, a
	// revision. SQL only: no network, no clock but tx.Now(). It may run more
	// than once (each time in a transaction that is rolled back), and checks
	// everything that decides the write: what the caller read may be stale.
	Apply(ctx context.Context, tx *Tx) (R, error)
}

// Preparer is a command with slow work (rendering, hashing) that must be done on
// the primary but before the transaction takes the lock. Prepare returns the
// command to apply, usually itself with unexported fields filled. It reads by way
// of v, each time in a short transaction of its own, materialises what it reads and
// computes outside of them. What it has read may be stale by the time Apply runs;
// an Apply that cannot do with it returns Tx.PrepareAgain.
type Preparer[R any] interface {
	Prepare(ctx context.Context, v Viewer) (Command[R], error)
}

// Public marks a command that needs nobody to be signed in, such as a login.
// All others are refused for an actor who is no user, operator or system.
type Public interface{ Public() }

// Bulk marks a command that comes in great numbers, such as a piece of a picture: when others wait as well, it gets
// at most half of what the primary commits.
type Bulk interface{ Bulk() }

// Registry knows the commands of this release by name. It is built once, in
// main, and read-only from then on.
type Registry struct{ byName map[string]entry }

type entry struct {
	public bool
	slow   bool // it has a Prepare
	bulk   bool
	// canonical decodes strictly and encodes again: equal content, equal bytes.
	canonical func(body []byte) ([]byte, error)
	prepare   func(ctx context.Context, v Viewer, body []byte) (applier, error)
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
		g.byName[name] = entry{public: public, slow: slow, bulk: bulk, canonical: canonical[C], prepare: prepare[C, R]}
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

func canonical[C any](body []byte) ([]byte, error) {
	c, err := decode[C](body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

func prepare[C Command[R], R any](ctx context.Context, v Viewer, body []byte) (applier, error) {
	c, err := decode[C](body)
	if err != nil {
		return nil, err
	}
	var cmd Command[R] = c
	if p, ok := cmd.(Preparer[R]); ok {
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

// WithKey sets the idempotency key: the same key with the same content is
// carried out once, however often it is sent, for 30 days. Without it each
// write gets a random one.
func WithKey(key string) Option {
	return func(c *Call) {
		if key != "" {
			c.Key = key
		}
	}
}

// Receipt says where in the history a write is.
type Receipt struct {
	Seq      int64  `json:"seq"`
	Cursor   Cursor `json:"cursor"`
	Key      string `json:"key"`
	Replayed bool   `json:"replayed"` // the key had been seen; nothing was done again
	// Assurance is what the answer rests on.
	Assurance Assurance `json:"durability,omitempty"`
}

// Writer carries a call to where it is carried out and sets its Reply.
type Writer interface {
	Call(ctx context.Context, call *Call) error
}

// Write runs cmd exactly once on the primary, wherever that is, and returns its
// result once this node's own copy has it (or 2 s later). The error wraps an
// *Error, equal whatever node it comes from. The deadline is that of ctx, 30 s
// without one; the actor is that of ctx (As).
func Write[R any](ctx context.Context, w Writer, cmd Command[R], opts ...Option) (R, error) {
	r, _, err := Do(ctx, w, cmd, opts...)
	return r, err
}

// Do is Write that returns the receipt as well. With an error the receipt has
// the key, to ask again with.
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
	receipt := Receipt{Seq: reply.Cursor.Seq, Cursor: reply.Cursor, Key: call.Key, Replayed: reply.Replayed, Assurance: reply.Assurance}
	if err != nil {
		return result, receipt, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	if err := json.Unmarshal(call.Reply.Result, &result); err != nil {
		return result, receipt, fmt.Errorf("decode result of %s as %s: %w", cmd.Name(), reflect.TypeFor[R](), err)
	}
	return result, receipt, nil
}

// MustWrite is Write for tests and scripts: it panics where Write gives an error.
func MustWrite[R any](ctx context.Context, w Writer, cmd Command[R], opts ...Option) R {
	r, err := Write(ctx, w, cmd, opts...)
	if err != nil {
		panic(err)
	}
	return r
}

// NewKey returns a fresh idempotency key of 128 random bits.
func NewKey() string { return rand.Text() }
